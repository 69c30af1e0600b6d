import type { Clock } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import { moreIsDue, shareOfDue } from '../ground/deadline-wheel.ts'
import type { Deadlined, DeadlineWheel } from '../ground/deadline-wheel.ts'
import type { CheckedOptions } from '../ground/limits.ts'
import { ReasonCode } from '../ground/reason-code.ts'

interface UnfinishedPacketsHost {
  readonly clock: Clock
  readonly options: CheckedOptions
  readonly wheel: DeadlineWheel
}

/** The connection that a packet comes by. */
interface SendingConnection {
  /** It is not read at present. */
  readonly isHeld: boolean
  fail(error: Error): void
}

interface Unfinished {
  /** Reserved for it. */
  bytes: number
  /** ms of the engine's clock at its first byte. */
  since: number
}

/** Added to the age in ms of an unfinished packet, so that of those that are new the largest counts most. */
const second = 1000

/** Packets of which not all bytes have come: how long they take, and what they hold together. */
export class UnfinishedPackets implements Deadlined {
  wheelTick = 0
  /** Bytes of all of them. */
  bytes = 0
  readonly #engine: UnfinishedPacketsHost
  /** Oldest first. */
  readonly #open = new Map<SendingConnection, Unfinished>()

  constructor(engine: UnfinishedPacketsHost) {
    this.#engine = engine
  }

  /** The connection holds so many bytes of a packet whose first ones came just now. */
  begin(connection: SendingConnection, bytes: number): void {
    this.end(connection)
    const { clock, options, wheel } = this.#engine
    const since = clock.now()
    this.#open.set(connection, { bytes, since })
    this.#grow(bytes)
    if (options.packetTimeout > 0 && this.wheelTick === 0) wheel.schedule(this, since + options.packetTimeout)
  }

  /** It is so many of the same packet now. */
  goOn(connection: SendingConnection, bytes: number): void {
    const unfinished = this.#open.get(connection)
    if (unfinished === undefined) {
      this.begin(connection, bytes)
      return
    }
    const more = bytes - unfinished.bytes
    unfinished.bytes = bytes
    this.#grow(more)
  }

  /** The packet is complete, or will never be. */
  end(connection: SendingConnection): void {
    const unfinished = this.#open.get(connection)
    if (unfinished === undefined) return
    this.#open.delete(connection)
    this.bytes -= unfinished.bytes
  }

  checkDeadlines(now: number): number {
    const { packetTimeout } = this.#engine.options
    let left = shareOfDue
    for (const [connection, { bytes, since }] of this.#open) {
      if (now < since + packetTimeout) return since + packetTimeout
      if (left === 0) return moreIsDue
      left -= 1
      // What it sends is not read, so that it can't end its packet.
      if (connection.isHeld) this.begin(connection, bytes)
      else {
        this.#close(
          connection,
          new BrokerError('PACKET_TIMEOUT', {
            message: `a packet was not complete within packetTimeout of ${packetTimeout} ms`,
            reasonCode: ReasonCode.quotaExceeded,
          }),
        )
      }
    }
    return 0
  }

  #grow(bytes: number): void {
    this.bytes += bytes
    while (this.bytes > this.#engine.options.maximumUnfinishedBytes && this.#closeGreatest());
  }

  /** Ends the connection that has held most for longest, so that it isn't one that sends as fast as it can. False: there is none. */
  #closeGreatest(): boolean {
    const now = this.#engine.clock.now()
    let greatest: SendingConnection | undefined
    let weight = 0
    for (const [connection, { bytes, since }] of this.#open) {
      const own = bytes * (now - since + second)
      if (own <= weight) continue
      greatest = connection
      weight = own
    }
    if (greatest === undefined) return false
    const { maximumUnfinishedBytes } = this.#engine.options
    this.#close(
      greatest,
      new BrokerError('UNFINISHED_BYTES_EXCEEDED', {
        message: `unfinished packets of all clients hold ${this.bytes} bytes, the limit maximumUnfinishedBytes is ${maximumUnfinishedBytes}; this client's has held most for longest`,
        reasonCode: ReasonCode.quotaExceeded,
      }),
    )
    return true
  }

  #close(connection: SendingConnection, error: BrokerError): void {
    this.end(connection)
    connection.fail(error)
  }
}

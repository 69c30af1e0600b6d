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

/** The connection of the packet. */
interface SendingConnection {
  /** Reading rests. */
  readonly isHeld: boolean
  fail(error: Error): void
}

interface Unfinished {
  /** Bytes reserved for the packet. */
  bytes: number
  /** When its first byte came, in ms of the engine's clock. */
  since: number
}

/** Added to the age in ms of an unfinished packet, so that among new packets the largest one counts most. */
const second = 1000

/** Packets that have come in part: how long they take, and how many bytes they hold together. */
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

  /** A packet begins: the connection has reserved `bytes` for it. */
  begin(connection: SendingConnection, bytes: number): void {
    this.end(connection)
    const { clock, options, wheel } = this.#engine
    const since = clock.now()
    this.#open.set(connection, { bytes, since })
    this.#grow(bytes)
    if (options.packetTimeout > 0 && this.wheelTick === 0) wheel.schedule(this, since + options.packetTimeout)
  }

  /** The same packet has reserved `bytes` by now. */
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

  /** The packet is complete, or its connection ends. */
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
      // The connection is not read, so the packet can't be completed.
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

  /** Ends the connection with the largest product of bytes and age, so that a client which sends as fast as it can is spared. False:
   * there is none. */
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

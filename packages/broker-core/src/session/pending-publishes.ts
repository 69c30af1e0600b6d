import type { MaybePromise } from '@x/contract'
import type { Connection } from '../connection/connection.ts'
import type { ConnectionHost } from '../connection/connection-host.ts'
import { ReadHold } from '../connection/read-hold.ts'
import { AwaitedEnd } from '../ground/awaited-end.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import type { Yielding } from '../connection/turn.ts'

/** The connection of a client that publishes. */
interface PublishingConnection extends Connection<ConnectionHost & { readonly receiveMaximum: number }> {
  pending: PendingPublishes | undefined
}

/** Cost of going on with one publish, in units of `Turn.credit`. */
const unitsEach = 2

/** The rest of a publish whose deliveries have begun. */
export interface Remainder {
  /** The next message is not delivered before this settles. */
  readonly routed?: MaybePromise<unknown>
  /** The message is not acknowledged before this settles. */
  readonly emitted?: MaybePromise<unknown>
  /** Acknowledges it. */
  readonly acknowledge: () => MaybePromise<void>
  /** Called instead of `acknowledge` when other brokers can't get the message; what it throws ends the connection. */
  readonly unsent?: (error: unknown) => void
}

/** - `storing`: the store has not settled
 * - `stored`: its deliveries may begin when those of all earlier publishes have begun
 * - `delivering`: subscribers of the program, or other brokers, are waited for
 * - `delivered`: it may be acknowledged when all earlier publishes are */
type Stage = 'storing' | 'stored' | 'delivering' | 'delivered'

interface PendingPublish {
  readonly qos: number
  readonly begin: () => Remainder | 'failed' | undefined
  stage: Stage
  acknowledge: (() => MaybePromise<void>) | undefined
  next: PendingPublish | undefined
}

/** Publishes of one connection that wait for an asynchronous store, hook, subscriber or emitter. They wait at the same time; they are
 * delivered and acknowledged in the order in which they came ([MQTT5-4.6.0-5]). The object exists only while there are any. */
export class PendingPublishes implements Yielding {
  readonly #connection: PublishingConnection
  /** The next publish to acknowledge, the next one to deliver, and the last one. */
  #first: PendingPublish | undefined
  #waiting: PendingPublish | undefined
  #last: PendingPublish | undefined
  #size = 0
  #atLeastOnce = 0
  #routing = false
  #acknowledging = false
  /** The rest goes on in a later turn: thousands may be ready at the same moment. */
  #rests = false
  /** A publish has failed and ended the connection. The client sends it again, and the later ones too, which must not overtake it. */
  #failed = false
  /** Made when somebody waits for it. */
  #ended: AwaitedEnd | undefined

  constructor(connection: PublishingConnection) {
    this.#connection = connection
  }

  /** Of QoS 1. */
  get atLeastOnce(): number {
    return this.#atLeastOnce
  }

  /** Settles when all publishes are done. */
  get ended(): Promise<void> {
    this.#ended ??= new AwaitedEnd()
    return this.#ended.promise
  }

  /** Adds a publish. Calls `begin` once `stored`, which does not reject, has settled and the deliveries of all earlier ones have begun.
   * When `begin` returns undefined, the publish is done. */
  add<Outcome>(
    qos: number,
    stored: Promise<Outcome> | undefined,
    begin: (outcome: Outcome | undefined) => Remainder | 'failed' | undefined,
  ): void {
    const connection = this.#connection
    let outcome: Outcome | undefined
    const pending: PendingPublish = {
      qos,
      begin: () => begin(outcome),
      stage: stored === undefined ? 'stored' : 'storing',
      acknowledge: undefined,
      next: undefined,
    }
    if (this.#last === undefined) this.#first = pending
    else this.#last.next = pending
    this.#last = pending
    this.#waiting ??= pending
    this.#size += 1
    if (qos === 1) this.#atLeastOnce += 1
    if (this.#size >= connection.engine.receiveMaximum) connection.hold(ReadHold.pending)
    if (stored === undefined) this.#advance()
    else {
      void stored.then(found => {
        outcome = found
        pending.stage = 'stored'
        this.#advance()
      })
    }
  }

  goOn(): boolean {
    this.#rests = false
    this.#advance()
    return this.#rests
  }

  #advance(): void {
    while (this.#waiting?.stage === 'stored' && !this.#routing && !this.#givesWay()) {
      const pending = this.#waiting
      this.#waiting = pending.next
      this.#begin(pending)
    }
    while (this.#first?.stage === 'delivered' && !this.#acknowledging && !this.#givesWay())
      this.#acknowledge(this.#first)
  }

  #givesWay(): boolean {
    if (this.#rests) return true
    const { turn } = this.#connection.engine
    turn.credit -= unitsEach
    if (turn.credit > 0 || !turn.isOver()) return false
    this.#rests = true
    turn.giveWay(this)
    return true
  }

  #begin(pending: PendingPublish): void {
    pending.stage = 'delivering'
    let remainder: Remainder | 'failed' | undefined
    try {
      if (!this.#failed) remainder = pending.begin()
    } catch (error) {
      this.#fail(error)
    }
    if (remainder === 'failed') this.#failed = true
    else if (remainder !== undefined) {
      pending.acknowledge = remainder.acknowledge
      if (isPromise(remainder.routed) || isPromise(remainder.emitted)) {
        void this.#wait(pending, remainder)
        return
      }
    }
    pending.stage = 'delivered'
  }

  async #wait(pending: PendingPublish, { routed, emitted, unsent }: Remainder): Promise<void> {
    if (isPromise(routed)) {
      this.#routing = true
      routed.then(
        () => this.#routed(),
        () => this.#routed(),
      )
    }
    try {
      await emitted
      try {
        await routed
      } catch (error) {
        pending.acknowledge = () => this.#fail(error)
      }
    } catch (error) {
      pending.acknowledge = () => unsent?.(error)
    }
    pending.stage = 'delivered'
    this.#advance()
  }

  #routed(): void {
    this.#routing = false
    this.#advance()
  }

  #acknowledge(pending: PendingPublish): void {
    let acknowledged: MaybePromise<void> = undefined
    try {
      acknowledged = pending.acknowledge?.()
    } catch (error) {
      this.#fail(error)
    }
    if (!isPromise(acknowledged)) {
      this.#remove(pending)
      return
    }
    this.#acknowledging = true
    void acknowledged
      .catch((error: unknown) => this.#fail(error))
      .then(() => {
        this.#acknowledging = false
        this.#remove(pending)
        this.#advance()
      })
  }

  #fail(error: unknown): void {
    this.#failed = true
    this.#connection.fail(error)
  }

  #remove(pending: PendingPublish): void {
    this.#first = pending.next
    if (this.#first === undefined) this.#last = undefined
    this.#size -= 1
    if (pending.qos === 1) this.#atLeastOnce -= 1
    const connection = this.#connection
    if (this.#size === 0) {
      if (connection.pending === this) connection.pending = undefined
      this.#ended?.come()
    }
    connection.release(ReadHold.pending)
  }
}

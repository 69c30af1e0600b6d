import type { MaybePromise } from '@x/contract'
import type { Connection } from '../connection/connection.ts'
import type { ConnectionHost } from '../connection/connection-host.ts'
import { ReadHold } from '../connection/read-hold.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import type { Yielding } from '../connection/turn.ts'

/** The connection of a client that publishes. */
interface PublishingConnection extends Connection<ConnectionHost & { readonly receiveMaximum: number }> {
  pending: PendingPublishes | undefined
}

/** What one of them takes of a turn when it goes on, in units of `Turn.credit`. */
const unitsEach = 2

/** What is left of a message that is being delivered. */
export interface Ending {
  /** Whatever comes next is not delivered before. */
  readonly routed?: MaybePromise<unknown>
  /** It is not acknowledged before. */
  readonly emitted?: MaybePromise<unknown>
  /** Acknowledges it. */
  readonly answer: () => MaybePromise<void>
  /** Called instead when other brokers can't get it; what it throws ends the connection. */
  readonly unsent?: (error: unknown) => void
}

interface Pending {
  readonly qos: number
  readonly begin: () => Ending | 'failed' | undefined
  isStored: boolean
  isEmitted: boolean
  answer: (() => MaybePromise<void>) | undefined
  next: Pending | undefined
}

/** Publishes of one connection that wait for an asynchronous store, hook, subscriber or emitter. They all are on their way at the
 * same time, are delivered in the order they came, and acknowledged in it ([MQTT5-4.6.0-5]); it exists only while there are any. */
export class PendingPublishes implements Yielding {
  readonly #connection: PublishingConnection
  /** The next to be acknowledged, the next to be delivered, and the last. */
  #first: Pending | undefined
  #waiting: Pending | undefined
  #last: Pending | undefined
  #size = 0
  #atLeastOnce = 0
  #routing = false
  #answering = false
  /** It goes on in a later turn: a store, or hooks, may have finished with thousands at the same moment. */
  #rests = false
  /** One of them has failed, and ended the connection. The client sends it again, and what stands behind it as well: that may not
   * come before it. */
  #failed = false
  /** Made when somebody waits for it. */
  #ended: Promise<void> | undefined
  #end: (() => void) | undefined

  constructor(connection: PublishingConnection) {
    this.#connection = connection
  }

  /** Of QoS 1. */
  get atLeastOnce(): number {
    return this.#atLeastOnce
  }

  /** Settles when there are none any more. */
  get ended(): Promise<void> {
    this.#ended ??= new Promise(resolve => {
      this.#end = resolve
    })
    return this.#ended
  }

  /** Calls `begin` once `stored`, which does not reject, has settled and everything before it is being delivered; undefined: that was
   * all. */
  add<Outcome>(
    qos: number,
    stored: Promise<Outcome> | undefined,
    begin: (outcome: Outcome | undefined) => Ending | 'failed' | undefined,
  ): void {
    const connection = this.#connection
    let outcome: Outcome | undefined
    const pending: Pending = {
      qos,
      begin: () => begin(outcome),
      isStored: stored === undefined,
      isEmitted: false,
      answer: undefined,
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
        pending.isStored = true
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
    while (this.#waiting?.isStored === true && !this.#routing && !this.#givesWay()) {
      const pending = this.#waiting
      this.#waiting = pending.next
      this.#begin(pending)
    }
    while (this.#first?.isEmitted === true && !this.#answering && !this.#givesWay()) this.#answer(this.#first)
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

  #begin(pending: Pending): void {
    let ending: Ending | 'failed' | undefined
    try {
      if (!this.#failed) ending = pending.begin()
    } catch (error) {
      this.#fail(error)
    }
    if (ending === 'failed') this.#failed = true
    else if (ending !== undefined) {
      pending.answer = ending.answer
      if (isPromise(ending.routed) || isPromise(ending.emitted)) {
        void this.#wait(pending, ending)
        return
      }
    }
    pending.isEmitted = true
  }

  async #wait(pending: Pending, { routed, emitted, unsent }: Ending): Promise<void> {
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
        pending.answer = () => this.#fail(error)
      }
    } catch (error) {
      pending.answer = () => unsent?.(error)
    }
    pending.isEmitted = true
    this.#advance()
  }

  #routed(): void {
    this.#routing = false
    this.#advance()
  }

  #answer(pending: Pending): void {
    let answered: MaybePromise<void> = undefined
    try {
      answered = pending.answer?.()
    } catch (error) {
      this.#fail(error)
    }
    if (!isPromise(answered)) {
      this.#remove(pending)
      return
    }
    this.#answering = true
    void answered
      .catch((error: unknown) => this.#fail(error))
      .then(() => {
        this.#answering = false
        this.#remove(pending)
        this.#advance()
      })
  }

  #fail(error: unknown): void {
    this.#failed = true
    this.#connection.fail(error)
  }

  #remove(pending: Pending): void {
    this.#first = pending.next
    if (this.#first === undefined) this.#last = undefined
    this.#size -= 1
    if (pending.qos === 1) this.#atLeastOnce -= 1
    const connection = this.#connection
    if (this.#size === 0) {
      if (connection.pending === this) connection.pending = undefined
      this.#end?.()
    }
    connection.release(ReadHold.pending)
  }
}

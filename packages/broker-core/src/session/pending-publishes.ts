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

/** Cost of going on with one publish, in units of `Turn.credit`. */
const unitsEach = 2

/** The rest of a publish whose deliveries have begun. */
export interface Ending {
  /** The next message is not delivered before this settles. */
  readonly routed?: MaybePromise<unknown>
  /** The message is not acknowledged before this settles. */
  readonly emitted?: MaybePromise<unknown>
  /** Acknowledges it. */
  readonly answer: () => MaybePromise<void>
  /** Called instead of `answer` when other brokers can't get the message; what it throws ends the connection. */
  readonly unsent?: (error: unknown) => void
}

/** - `storing`: the store has not settled
 * - `stored`: its deliveries may begin when those of all earlier publishes have begun
 * - `delivering`: subscribers of the program, or other brokers, are waited for
 * - `delivered`: it may be acknowledged when all earlier publishes are */
type Stage = 'storing' | 'stored' | 'delivering' | 'delivered'

interface Pending {
  readonly qos: number
  readonly begin: () => Ending | 'failed' | undefined
  stage: Stage
  answer: (() => MaybePromise<void>) | undefined
  next: Pending | undefined
}

/** Publishes of one connection that wait for an asynchronous store, hook, subscriber or emitter. They wait at the same time; they are
 * delivered and acknowledged in the order in which they came ([MQTT5-4.6.0-5]). The object exists only while there are any. */
export class PendingPublishes implements Yielding {
  readonly #connection: PublishingConnection
  /** The next publish to acknowledge, the next one to deliver, and the last one. */
  #first: Pending | undefined
  #waiting: Pending | undefined
  #last: Pending | undefined
  #size = 0
  #atLeastOnce = 0
  #routing = false
  #answering = false
  /** The rest goes on in a later turn: thousands may be ready at the same moment. */
  #rests = false
  /** A publish has failed and ended the connection. The client sends it again, and the later ones too, which must not overtake it. */
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

  /** Settles when all publishes are done. */
  get ended(): Promise<void> {
    this.#ended ??= new Promise(resolve => {
      this.#end = resolve
    })
    return this.#ended
  }

  /** Adds a publish. Calls `begin` once `stored`, which does not reject, has settled and the deliveries of all earlier ones have begun.
   * When `begin` returns undefined, the publish is done. */
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
      stage: stored === undefined ? 'stored' : 'storing',
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
    while (this.#first?.stage === 'delivered' && !this.#answering && !this.#givesWay()) this.#answer(this.#first)
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
    pending.stage = 'delivering'
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
    pending.stage = 'delivered'
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
    pending.stage = 'delivered'
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

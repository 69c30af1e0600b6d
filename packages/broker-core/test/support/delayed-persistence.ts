import type {
  Delivery,
  Due,
  MaybePromise,
  Message,
  OpenedSession,
  OpenSessionRequest,
  Persistence,
  PersistenceCounts,
  PersistenceHost,
  PersistenceSupports,
  QueueEntry,
  Receipt,
  RetainedPage,
  SessionClosing,
  SessionHandle,
  Subscription,
  Will,
} from '@x/contract'
import { Random } from './random.ts'

type Method = Exclude<keyof Persistence, 'supports'>

interface Call {
  readonly method: Method
  readonly effect: () => unknown
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A store that answers later, as one behind a network does: calls take effect in their order some turns of the event loop
 * after they were made, and are answered in any order after that, by the seed. */
export class DelayedPersistence implements Persistence {
  readonly #inner: Persistence
  readonly #random: Random
  readonly #calls: Call[] = []
  readonly #answers: (Call & { readonly outcome: () => void })[] = []
  readonly #heldMethods = new Set<Method>()
  readonly #failures = new Map<Method, Error>()
  #scheduled = false

  constructor(inner: Persistence, seed: number) {
    this.#inner = inner
    this.#random = new Random(seed)
  }

  get supports(): PersistenceSupports {
    return this.#inner.supports
  }

  /** Answers of this method are kept back until `letGo`. */
  hold(method: Method): void {
    this.#heldMethods.add(method)
  }

  letGo(method: Method): void {
    this.#heldMethods.delete(method)
    this.#schedule()
  }

  /** Answers kept back now. */
  held(method: Method): number {
    return this.#answers.filter(call => call.method === method).length
  }

  /** Every call of this method is rejected and has no effect; undefined: no longer. */
  fail(method: Method, error: Error | undefined): void {
    if (error === undefined) this.#failures.delete(method)
    else this.#failures.set(method, error)
  }

  /** Every call has taken effect and was answered. */
  get isIdle(): boolean {
    return this.#calls.length === 0 && this.#answers.length === 0
  }

  open(host: PersistenceHost): MaybePromise<void> {
    return this.#later('open', () => this.#inner.open(host))
  }
  close(): MaybePromise<void> {
    return this.#inner.close()
  }
  openSession(request: OpenSessionRequest): Promise<OpenedSession> {
    return this.#later('openSession', () => this.#inner.openSession(request))
  }
  closeSession(session: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
    return this.#later('closeSession', () => this.#inner.closeSession(session, closing))
  }
  subscribe(session: SessionHandle, subscriptions: readonly Subscription[]): Promise<readonly boolean[]> {
    return this.#later('subscribe', () => this.#inner.subscribe(session, subscriptions))
  }
  unsubscribe(session: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    return this.#later('unsubscribe', () => this.#inner.unsubscribe(session, filters))
  }
  publish(message: Message, receipt?: Receipt): Promise<Awaited<ReturnType<Persistence['publish']>>> {
    return this.#later('publish', () => this.#inner.publish(message, receipt))
  }
  enqueue(session: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    return this.#later('enqueue', () => this.#inner.enqueue(session, deliveries))
  }
  enqueueRetained(session: SessionHandle, delivery: Delivery): Promise<void> {
    return this.#later('enqueue', () => this.#inner.enqueueRetained?.(session, delivery))
  }
  entry(session: SessionHandle, sequence: number): Promise<QueueEntry | undefined> {
    return this.#later('entry', () => this.#inner.entry(session, sequence))
  }

  read(session: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
    return this.#later('read', () => this.#inner.read(session, after, limit))
  }
  acknowledge(session: SessionHandle, sequence: number): Promise<void> {
    return this.#later('acknowledge', () => this.#inner.acknowledge(session, sequence))
  }
  release(session: SessionHandle, sequence: number): Promise<void> {
    return this.#later('release', () => this.#inner.release(session, sequence))
  }
  complete(session: SessionHandle, packetId: number): Promise<void> {
    return this.#later('complete', () => this.#inner.complete(session, packetId))
  }
  claim(session: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    return this.#later('claim', () => this.#inner.claim(session, group, limit))
  }
  retained(filter: string): Promise<RetainedPage> {
    // As they are now, by the time of the answer old.
    return this.#later('retained', () => Array.from(this.#inner.retained(filter) as RetainedPage))
  }
  claimDue(limit: number): Promise<readonly Due[]> {
    return this.#later('claimDue', () => this.#inner.claimDue(limit))
  }
  confirmWill(will: Will): MaybePromise<void> {
    return this.#inner.confirmWill?.(will)
  }
  counts(): MaybePromise<PersistenceCounts> {
    return this.#inner.counts()
  }

  #later<T>(method: Method, effect: () => MaybePromise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#calls.push({ method, effect, resolve: resolve as (answer: unknown) => void, reject })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#turn()
    })
  }

  #turn(): void {
    for (let count = this.#random.below(4); count > 0; count -= 1) {
      const call = this.#calls.shift()
      if (call !== undefined) this.#perform(call)
    }
    for (let count = this.#random.below(4); count > 0; count -= 1) {
      const ready = this.#answers.filter(call => !this.#heldMethods.has(call.method))
      if (ready.length === 0) break
      const answer = this.#random.pick(ready)
      this.#answers.splice(this.#answers.indexOf(answer), 1)
      answer.outcome()
    }
    const more = this.#answers.some(call => !this.#heldMethods.has(call.method))
    if (this.#calls.length > 0 || more) this.#schedule()
  }

  #perform(call: Call): void {
    const failure = this.#failures.get(call.method)
    if (failure !== undefined) {
      this.#answers.push({ ...call, outcome: () => call.reject(failure) })
      return
    }
    try {
      const answer = call.effect()
      this.#answers.push({ ...call, outcome: () => call.resolve(answer) })
    } catch (error) {
      this.#answers.push({ ...call, outcome: () => call.reject(error) })
    }
  }
}

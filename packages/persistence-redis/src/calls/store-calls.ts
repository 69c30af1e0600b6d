import type { PersistenceCounts, PersistenceHost, SessionHandle } from '@x/contract'
import { PersistenceError, SteadyClock, systemClock } from '@x/contract'
import type { RedisArgument, RedisConnection } from '@x/redis-connection'
import type { ChainedCall } from './call-chain.ts'
import { ExpiryTime } from '../records/expiry-time.ts'
import { library } from '../functions/library.ts'
import { Settlements } from './settlements.ts'
import { fencedError, isUnavailable, storeErrorOf } from './store-error.ts'

/** Under this name it is reported what single messages fail with, while the call that brings them succeeds. */
const singleMessages = 'message'

/** What the calls need from whom they are made for. */
export interface StoreOwner {
  /** Sends the messages that were published before a call. */
  before(): void
  /** Redis has said that the session of this epoch has another owner, or none. */
  fenced(epoch: string): void
}

/** Calls of the functions in Redis, by one broker. */
export class StoreCalls {
  readonly settlements: Settlements
  readonly time: ExpiryTime
  readonly #connection: RedisConnection
  readonly #base: string
  readonly #instance: string
  readonly #host: PersistenceHost
  readonly #owner: StoreOwner
  #uncertain = false

  /** @param base what every key begins with; its hash tag makes every change atomic, also in a cluster */
  constructor(
    connection: RedisConnection,
    { base, instance, host }: { base: string; instance: string; host: PersistenceHost },
    owner: StoreOwner,
  ) {
    this.#connection = connection
    this.#owner = owner
    this.#base = base
    this.#instance = instance
    this.#host = host
    this.time = new ExpiryTime(host.clock)
    this.settlements = new Settlements({
      settle: async parameters => (await this.#send('settle', parameters)) as number[],
      fenced: session => this.#fenced(session),
      mayRetry: isUnavailable,
    })
  }

  /** Whether answers wait until replicas have what was written. */
  get waitsForReplicas(): boolean {
    return this.#connection.waitsForReplicas
  }

  /** Whether a call has failed since the last look that may have taken effect: news of it went to nobody. */
  takeUncertain(): boolean {
    const uncertain = this.#uncertain
    this.#uncertain = false
    return uncertain
  }

  /** Calls a function, after everything that was published and settled before.
   * @throws PersistenceError */
  async call(name: string, ...parameters: readonly RedisArgument[]): Promise<unknown> {
    this.#owner.before()
    this.settlements.flush()
    return this.#send(name, parameters)
  }

  /** The same for an open session, whose client and epoch are the first parameters. */
  async callFor(
    { clientId, epoch }: SessionHandle,
    name: string,
    ...parameters: readonly RedisArgument[]
  ): Promise<unknown> {
    try {
      return await this.call(name, clientId, epoch, ...parameters)
    } catch (error) {
      if (error instanceof PersistenceError && error.code === 'FENCED') this.#owner.fenced(epoch)
      throw error
    }
  }

  async counts(): Promise<PersistenceCounts> {
    const answer = (await this.call('counts')) as number[]
    const [sessions = 0, subscriptions = 0, queuedMessages = 0, retainedMessages = 0] = answer
    return { sessions, subscriptions, queuedMessages, retainedMessages }
  }

  /** Runs the task at the end of this turn, before its calls are sent. */
  atTurnEnd(task: () => void): void {
    this.#connection.atTurnEnd(task)
  }

  /** Sends what was called until now, instead of at the end of this turn. */
  sendNow(): void {
    this.#connection.sendNow()
  }

  /** Reconnects the connection that receives news. */
  listenAnew(): void {
    this.#connection.listenAnew()
  }

  /** @throws PersistenceError when none of the messages was stored, as far as is known */
  publish({ number, behind }: ChainedCall, messages: Buffer): Promise<unknown> {
    return this.#send('publish', [this.limits(), `${number},${behind}`, messages])
  }

  /** What one message of several has failed with. */
  publishError(answer: string, publisher: SessionHandle | undefined): PersistenceError {
    if (answer === 'FENCED' && publisher !== undefined) return this.#fenced(publisher)
    this.#uncertain = true
    return storeErrorOf(this.#connection.report(new Error(answer), singleMessages))
  }

  /** All messages of a call were stored: what single ones failed with before is over. */
  recovered(): void {
    this.#connection.ended(singleMessages)
  }

  /** The limits of queues as the functions take them. */
  limits(): string {
    const { maximumQueuedMessages, maximumQueuedBytes, overflow } = this.#host.limits
    const [messages, bytes] = [maximumQueuedMessages, maximumQueuedBytes].map(one =>
      Math.min(one, Number.MAX_SAFE_INTEGER),
    )
    return `${messages},${bytes},${overflow}`
  }

  #fenced(session: SessionHandle): PersistenceError {
    this.#owner.fenced(session.epoch)
    return fencedError(session)
  }

  async #send(name: string, parameters: readonly RedisArgument[]): Promise<unknown> {
    const { clock } = this.#host
    // Redis' own time, so that brokers need not agree on theirs; a clock that is held by hand is the time itself.
    const source = clock instanceof SteadyClock ? clock.source : clock
    const now = source === systemClock ? '' : source.now()
    try {
      return await this.#connection.call(library, name, this.#base, now, this.#instance, ...parameters)
    } catch (error) {
      const coded = storeErrorOf(error)
      if (coded.code === 'UNAVAILABLE') this.#uncertain = true
      throw coded
    }
  }
}

import type { Message, Receipt, SessionHandle } from '@x/contract'
import { PersistenceError, keepMessage } from '@x/contract'
import { CallChain } from '../calls/call-chain.ts'
import type { WaitingMessages } from '../calls/call-chain.ts'
import { decodeOutcomes } from './batch-result.ts'
import type { Outcome, PublishResult } from './batch-result.ts'
import { MessageBatch, piecesOf } from './message-batch.ts'
import { entryOf } from '../records/message-record.ts'
import { RepeatedPublishes } from './repeated-publishes.ts'
import type { Unanswered } from './repeated-publishes.ts'
import { isUnavailable, storeErrorOf } from '../calls/store-error.ts'
import type { FanOuts } from './fan-outs.ts'
import type { OwnedSessions } from '../owned-sessions.ts'
import type { StoreCalls } from '../calls/store-calls.ts'
import type { UnroutedTopics } from './unrouted-topics.ts'

/** Messages that one call takes at most, and bytes from which on it takes no more. So many go out before their turn ends: Redis begins
 * with them while the next ones are still being read, and is not kept from anybody else for long. */
const largestBatch = 32
const largestBatchBytes = 1_048_576

/** A message on its way, and who waits for it. */
interface Waiting {
  readonly topic: string
  readonly publisher: string | undefined
  /** What the sessions of this broker are offered. */
  readonly kept: Message | undefined
  /** That publishes, if it is open here. */
  readonly session: SessionHandle | undefined
  /** Said again, it is stored once. */
  readonly hasReceipt: boolean
  readonly number: number
  resolve(reached: number): void
  reject(error: unknown): void
}

/** Messages of one event-loop turn, stored by few calls: Redis is busy with each for a third of the time that a call of its own would
 * take. */
export class PublishBatch {
  readonly #calls: StoreCalls
  readonly #sessions: OwnedSessions
  readonly #unrouted: UnroutedTopics
  readonly #fanOuts: FanOuts
  readonly #messages = new MessageBatch()
  readonly #repeated = new RepeatedPublishes<Waiting & Unanswered>({
    publish: async messages => this.#store(Buffer.concat(messages.map(({ bytes }) => bytes)), messages),
    isOvertaking: number => Math.min(...this.#underWay) < number,
  })
  readonly #chain = new CallChain()
  #waiting: Waiting[] = []
  /** Of `#waiting`, for the chain. */
  #waited: WaitingMessages | undefined
  #number = 0
  /** The first number of each call without an answer. */
  readonly #underWay = new Set<number>()
  #scheduled = false

  /** @param sessions are offered what is meant for this broker
   * @param parts unrouted: learns which topics nobody takes */
  constructor(
    calls: StoreCalls,
    sessions: OwnedSessions,
    { unrouted, fanOuts }: { unrouted: UnroutedTopics; fanOuts: FanOuts },
  ) {
    this.#calls = calls
    this.#sessions = sessions
    this.#unrouted = unrouted
    this.#fanOuts = fanOuts
  }

  /** @param will the name of the will that the message is */
  add(message: Message, receipt: Receipt | undefined, will?: string): Promise<number> {
    const { topic, qos, publisher } = message
    const session = receipt?.session ?? (publisher === undefined ? undefined : this.#sessions.openOf(publisher))
    const refusal = session && this.#chain.refusalOf(session.epoch)
    if (refusal !== undefined) return Promise.reject(refusal)
    this.#messages.add(this.#calls.time.stored(message), receipt?.packetId ?? 0, { session, will })
    // What the answer brings is for sessions that are open here; the publisher's bytes are its own again once this returns.
    const kept = qos > 0 && this.#sessions.size > 0 ? keepMessage(message) : undefined
    const number = (this.#number += 1)
    if (this.#waiting.length === 0) this.#waited = this.#chain.wait()
    const stored = new Promise<number>((resolve, reject) => {
      this.#waiting.push({
        topic,
        publisher,
        kept,
        session,
        hasReceipt: receipt !== undefined,
        number,
        resolve,
        reject,
      })
    })
    // Before a message with its packet id comes that the id was free again.
    if (receipt !== undefined) this.#calls.settlements.flush()
    if (this.#waiting.length >= largestBatch || this.#messages.size >= largestBatchBytes) {
      this.flush()
      this.#calls.sendNow()
    } else if (!this.#scheduled) {
      this.#scheduled = true
      this.#calls.atTurnEnd(() => {
        this.#scheduled = false
        this.flush()
      })
    }
    return stored
  }

  /** Sends what waits: before anything else that is asked for. */
  flush(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    void this.#send(this.#messages.take(), waiting, this.#waited)
  }

  /** Nobody says again what Redis has not answered. */
  close(): void {
    this.#repeated.close(new PersistenceError('UNAVAILABLE', { message: 'the store was closed' }))
  }

  async #send(batch: Buffer, all: readonly Waiting[], waited: WaitingMessages | undefined): Promise<void> {
    const { messages, waiting } = this.#repeated.isEmpty
      ? { messages: batch, waiting: all }
      : this.#postpone(batch, all)
    const [first] = waiting
    if (first === undefined) return
    this.#underWay.add(first.number)
    try {
      await this.#store(messages, waiting, waited)
    } catch (error) {
      const lost = isUnavailable(error) ? this.#postpone(messages, waiting).waiting : waiting
      for (const one of lost) one.reject(error)
    } finally {
      this.#underWay.delete(first.number)
    }
  }

  async #store(messages: Buffer, waiting: readonly Waiting[], waited?: WaitingMessages): Promise<void> {
    const { generation } = this.#unrouted
    const answer = await this.#call(messages, waiting, waited)
    const [, , , , drops, lastFilter] = answer
    const outcomes = decodeOutcomes(answer)
    waiting.forEach((one, index) => {
      const outcome = outcomes[index] as Outcome
      if (outcome.reached === undefined) this.#unrouted.learn(one.topic, lastFilter, generation)
      this.#settle(one, outcome)
    })
    if (outcomes.every(({ failure }) => failure === undefined)) this.#calls.recovered()
    this.#sessions.reportDrops(drops)
  }

  async #call(messages: Buffer, waiting: readonly Waiting[], waited?: WaitingMessages): Promise<PublishResult> {
    const publishers = new Set<string>()
    for (const { session } of waiting) if (session !== undefined) publishers.add(session.epoch)
    const call = this.#chain.begin(publishers, waited)
    try {
      const answer = await this.#calls.publish(call, messages)
      this.#chain.succeeded(call)
      return answer as PublishResult
    } catch (error) {
      throw this.#chain.failed(call, storeErrorOf(error))
    }
  }

  /** Those with receipts are said again, in their order. Returns the others, and those for which there is no room. */
  #postpone(messages: Buffer, all: readonly Waiting[]): { messages: Buffer; waiting: readonly Waiting[] } {
    if (!all.some(({ hasReceipt }) => hasReceipt)) return { messages, waiting: all }
    const pieces = piecesOf(messages)
    const rest: Buffer[] = []
    const waiting = all.filter((one, index) => {
      const bytes = pieces[index] as Buffer
      if (one.hasReceipt && this.#repeated.add({ ...one, bytes })) return false
      rest.push(bytes)
      return true
    })
    return { messages: Buffer.concat(rest), waiting }
  }

  #settle(waiting: Waiting, { reached = 0, offers, groups, failure, fanOut }: Outcome): void {
    const { kept, publisher, session } = waiting
    if (failure !== undefined) {
      waiting.reject(this.#calls.publishError(failure, session))
      return
    }
    if (kept !== undefined) {
      for (const { epoch, sequence, reception } of offers)
        this.#sessions.get(epoch)?.offer(entryOf(sequence, reception, false, kept))
    }
    if (groups.length > 0) this.#sessions.announce(groups, publisher)
    if (fanOut === undefined) waiting.resolve(reached)
    else
      this.#fanOuts.add(fanOut, {
        reached,
        done: count => waiting.resolve(count),
        lost: error => waiting.reject(error),
      })
  }
}

import type { Message, Receipt, SessionHandle } from '@x/contract'
import { keepMessage } from '@x/contract'
import { decodeOutcomes } from './batch-answer.ts'
import type { Outcome, PublishAnswer } from './batch-answer.ts'
import { MessageBatch } from './message-batch.ts'
import { entryOf } from './message-record.ts'
import type { FanOuts } from './fan-outs.ts'
import type { OwnedSessions } from './owned-sessions.ts'
import type { StoreCalls } from './store-calls.ts'
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
  #waiting: Waiting[] = []
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

  add(message: Message, receipt: Receipt | undefined): Promise<number> {
    const { topic, qos, publisher } = message
    const session = receipt?.session ?? (publisher === undefined ? undefined : this.#sessions.openOf(publisher))
    this.#messages.add(this.#calls.time.stored(message), receipt?.packetId ?? 0, session)
    // What the answer brings is for sessions that are open here; the publisher's bytes are its own again once this returns.
    const kept = qos > 0 && this.#sessions.size > 0 ? keepMessage(message) : undefined
    const stored = new Promise<number>((resolve, reject) => {
      this.#waiting.push({ topic, publisher, kept, session, resolve, reject })
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
    void this.#send(this.#messages.take(), waiting)
  }

  async #send(messages: Buffer, waiting: readonly Waiting[]): Promise<void> {
    const { generation } = this.#unrouted
    try {
      const answer = (await this.#calls.publish(messages)) as PublishAnswer
      const [, , , , drops, lastFilter] = answer
      const outcomes = decodeOutcomes(answer)
      waiting.forEach((one, index) => {
        const outcome = outcomes[index] as Outcome
        if (outcome.reached === undefined) this.#unrouted.learn(one.topic, lastFilter, generation)
        this.#settle(one, outcome)
      })
      if (outcomes.every(({ failure }) => failure === undefined)) this.#calls.recovered()
      this.#sessions.reportDrops(drops)
    } catch (error) {
      for (const one of waiting) one.reject(error)
    }
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

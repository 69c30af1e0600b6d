import type { Message, Receipt } from '@x/contract'
import { keepMessage, messageBytes } from '@x/contract'
import type { RedisArgument } from '@x/redis-connection'
import { encodeMessage } from './message-record.ts'
import type { Fields, OwnedSessions } from './owned-sessions.ts'
import type { StoreCalls } from './store-calls.ts'
import type { UnroutedTopics } from './unrouted-topics.ts'

/** Messages that one call takes at most, and bytes from which on it takes no more: so many keep Redis for about a millisecond, and
 * nobody else is served meanwhile. */
const largestBatch = 128
const largestBatchBytes = 1_048_576

/** A message on its way, and who waits for it. */
interface Waiting {
  readonly topic: string
  readonly publisher: string | undefined
  /** What the sessions of this broker are offered. */
  readonly kept: Message | undefined
  readonly receipt: Receipt | undefined
  resolve(reached: number): void
  reject(error: unknown): void
}

/** Messages of one event-loop turn, stored by one call: Redis is busy with each for a third of the time that a call of its own would
 * take. */
export class PublishBatch {
  readonly #calls: StoreCalls
  readonly #sessions: OwnedSessions
  readonly #unrouted: UnroutedTopics
  #parameters: RedisArgument[] = []
  #waiting: Waiting[] = []
  #bytes = 0
  #scheduled = false

  /** @param sessions are offered what is meant for this broker
   * @param unrouted learns which topics nobody takes */
  constructor(calls: StoreCalls, sessions: OwnedSessions, unrouted: UnroutedTopics) {
    this.#calls = calls
    this.#sessions = sessions
    this.#unrouted = unrouted
  }

  add(message: Message, receipt: Receipt | undefined): Promise<number> {
    const { topic, qos, retain, payload, publisher, expiresAt } = message
    const record = encodeMessage(message)
    const retained = retain ? (payload.length === 0 ? 'd' : 's') : ''
    this.#parameters.push(
      topic,
      `${qos}${retained},${messageBytes(message)},${expiresAt ?? ''}`,
      publisher === undefined ? '0' : `1${publisher}`,
      record,
      receipt === undefined ? '' : receiptField(receipt),
    )
    this.#bytes += record.length
    // What the answer brings is for sessions that are open here; the publisher's bytes are its own again once this returns.
    const kept = qos > 0 && this.#sessions.size > 0 ? keepMessage(message) : undefined
    const stored = new Promise<number>((resolve, reject) => {
      this.#waiting.push({ topic, publisher, kept, receipt, resolve, reject })
    })
    // Before a message with its packet id comes that the id was free again.
    if (receipt !== undefined) this.#calls.settlements.flush()
    if (this.#waiting.length >= largestBatch || this.#bytes >= largestBatchBytes) this.flush()
    else if (!this.#scheduled) {
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
    const [parameters, waiting] = [this.#parameters, this.#waiting]
    this.#parameters = []
    this.#waiting = []
    this.#bytes = 0
    void this.#send(parameters, waiting)
  }

  /** Redis answers for each message an array of numbers and fields, 0 when no filter matches, or what it failed with; also what was
   * dropped, and the number of the last new filter. */
  async #send(parameters: readonly RedisArgument[], waiting: readonly Waiting[]): Promise<void> {
    const { generation } = this.#unrouted
    try {
      const answer = await this.#calls.publish(parameters)
      const [answers, drops, lastFilter] = answer as [(Fields | Buffer | 0)[], Fields, number]
      waiting.forEach((one, index) => {
        const found = answers[index] as Fields | Buffer | 0
        if (found !== 0) this.#settle(one, found)
        else {
          this.#unrouted.learn(one.topic, lastFilter, generation)
          one.resolve(0)
        }
      })
      if (!answers.some(one => Buffer.isBuffer(one))) this.#calls.recovered()
      this.#sessions.reportDrops(drops)
    } catch (error) {
      for (const one of waiting) one.reject(error)
    }
  }

  #settle(one: Waiting, answer: Fields | Buffer): void {
    if (Buffer.isBuffer(answer)) {
      one.reject(this.#calls.publishError(answer.toString(), one.receipt))
      return
    }
    const [reached, joined] = answer as readonly number[] as [number, number]
    const offers = 2 + joined
    if (one.kept !== undefined) this.#sessions.offer(answer, one.kept, offers)
    if (joined > 0) this.#sessions.announce(answer.slice(2, offers) as Buffer[], one.publisher)
    one.resolve(reached)
  }
}

function receiptField({ session, packetId }: Receipt): string {
  return `${packetId},${Buffer.byteLength(session.epoch)},${session.epoch}${session.clientId}`
}

import { keepMessage } from '@x/contract'
import type { MaybePromise, Message, PersistenceHost, Receipt, Will } from '@x/contract'
import type { Steps } from './batch.ts'
import { kind, numberKey } from './keys.ts'
import type { StoreParts } from './store-parts.ts'

/** What tells that a message was stored before: its publisher's packet identifier, or the will that it is of. */
interface Origin {
  readonly receipt?: Receipt | undefined
  readonly will?: Will
}

/** Messages on their way into the store. */
export class Publishing {
  readonly #parts: StoreParts
  readonly #queuesAtMostOnce: boolean
  /** Calls whose subscriptions are not committed yet. */
  #subscribing = 0

  constructor(parts: StoreParts, host: PersistenceHost) {
    this.#parts = parts
    this.#queuesAtMostOnce = host.queuesAtMostOnce === true
  }

  publish(message: Message, receipt?: Receipt): MaybePromise<number> {
    const { time, unwritten } = this.#parts
    if (!message.retain && receipt === undefined && this.#isForNobody(message.topic)) return 0
    const kept = keepMessage(time.inward(message))
    if (!kept.retain) return this.#add(kept, { receipt })
    if (kept.qos === 0 && receipt === undefined && !this.#queuesAtMostOnce && unwritten.take(kept)) return 0
    return this.#publishRetained(kept, { receipt })
  }

  /** Messages that are published from now on are stored for those subscriptions. */
  async subscribed<T>(stored: Promise<T>): Promise<T> {
    this.#subscribing += 1
    try {
      return await stored
    } finally {
      this.#subscribing -= 1
    }
  }

  /** Whether nothing has to be written, since no stored session or group takes the topic. That holds for subscriptions of all processes: what
   * one has confirmed before this call is committed, and what is committed is seen here. */
  #isForNobody(topic: string): boolean {
    const { commits, subscriptions } = this.#parts
    if (commits.confirmsEarly || this.#subscribing > 0) return false
    const plan = subscriptions.committedPlan(topic)
    return plan !== undefined && plan.sessions.length + plan.groups.length === 0
  }

  /** However often the store returns the will. */
  publishWill(will: Will, message: Message): Promise<number> {
    const kept = keepMessage(this.#parts.time.inward(message))
    return kept.retain ? this.#publishRetained(kept, { will }) : this.#add(kept, { will })
  }

  async #publishRetained(message: Message, origin: Origin): Promise<number> {
    const { commits, retained, unwritten } = this.#parts
    if (unwritten.crowds(message)) commits.soon(() => unwritten.write())
    const before = unwritten.precede(message.topic)
    if (before !== undefined) commits.soon(() => retained.set(before))
    try {
      return await this.#add(message, origin)
    } finally {
      unwritten.passed(message.topic)
    }
  }

  #add(message: Message, origin: Origin): Promise<number> {
    return this.#parts.commits.add(() => this.#store(message, origin))
  }

  #store(message: Message, { receipt, will }: Origin): number | Steps<number> {
    const { distribution, environment, retained, sessions, wills } = this.#parts
    const key = receipt && numberKey(kind.received, sessions.resolve(receipt.session).number, receipt.packetId)
    // The same call is repeated because its outcome got lost; the will has come back because nobody has confirmed it.
    if (key !== undefined && environment.has(key)) return 0
    if (will !== undefined && wills.isStored(will)) return 0
    if (message.retain) retained.checkRoom(message)
    if (key !== undefined) environment.put(key, Buffer.of())
    if (will !== undefined) wills.stored(will)
    if (message.retain) retained.set(message)
    return message.qos > 0 || this.#queuesAtMostOnce ? distribution.distribute(message) : 0
  }
}

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

  constructor(parts: StoreParts, host: PersistenceHost) {
    this.#parts = parts
    this.#queuesAtMostOnce = host.queuesAtMostOnce === true
  }

  publish(message: Message, receipt?: Receipt): MaybePromise<number> {
    const { time, unwritten } = this.#parts
    const kept = keepMessage(time.inward(message))
    if (!kept.retain) return this.#add(kept, { receipt })
    if (kept.qos === 0 && receipt === undefined && !this.#queuesAtMostOnce && unwritten.take(kept)) return 0
    return this.#publishRetained(kept, { receipt })
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

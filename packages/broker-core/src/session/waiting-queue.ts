import { messageBytes } from '@x/contract'
import type { Delivery, Message, StoreLimits } from '@x/contract'
import { forwarded } from '../hooks/authorize-forward.ts'
import type { ForwardHost, ForwardTarget } from '../hooks/authorize-forward.ts'
import type { KnownPublications } from '../message/known-publications.ts'
import type { Publication } from '../message/publication.ts'
import type { DeliveryManner } from './delivery-writer.ts'

/** Empty slots at the head of the array before it is cut. */
const compactAt = 1024

/** Bytes that wait in all queues of a broker's process together. */
export interface WaitingBytes {
  bytes: number
}

/** The session that the messages wait for. */
interface FedSession {
  readonly connection: ForwardTarget
  readonly engine: ForwardHost & { readonly publications: KnownPublications }
  readonly outbox: { readonly full: boolean }
  readonly unacknowledged: { readonly nextSequence: number }
  windowHasRoom(): boolean
  dropsExpired(message: Message): boolean
  sendInflight(publication: Publication, manner: DeliveryManner, sequence: number): void
}

/** QoS 1 and 2 messages that wait for room in the window of a session without a stored queue; first in, first out, within
 * the limits of {@link StoreLimits}. */
export class WaitingQueue {
  readonly #limits: StoreLimits
  readonly #total: WaitingBytes
  #items: (Delivery | undefined)[] = []
  #head = 0
  #bytes = 0

  /** @param total - bytes of all queues, including this one */
  constructor(limits: StoreLimits, total: WaitingBytes = { bytes: 0 }) {
    this.#limits = limits
    this.#total = total
  }

  get length(): number {
    return this.#items.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  /** More than half of a limit is used: publishers should slow down. */
  get isBackedUp(): boolean {
    const { maximumQueuedMessages, maximumQueuedBytes } = this.#limits
    return this.length * 2 > maximumQueuedMessages || this.#bytes * 2 > maximumQueuedBytes
  }

  /** Appends a message. Returns how many messages were dropped for the limits, this one included. */
  push(delivery: Delivery): number {
    const size = messageBytes(delivery.message)
    // A message that does not fit even alone is dropped without making room.
    if (size > this.#limits.maximumQueuedBytes) return 1
    let dropped = 0
    while (this.#isOver(size)) {
      if (this.#limits.overflow === 'dropNewest' || this.shift() === undefined) return dropped + 1
      dropped += 1
    }
    this.#items.push(delivery)
    this.#count(size)
    return dropped
  }

  shift(): Delivery | undefined {
    if (this.length === 0) return undefined
    const delivery = this.#items[this.#head] as Delivery
    this.#items[this.#head] = undefined
    this.#head += 1
    this.#count(-messageBytes(delivery.message))
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head >= compactAt && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return delivery
  }

  /** Sends messages to the session as long as it has room. Returns whether publishers that were slowed down may go on. */
  feed(session: FedSession): boolean {
    const { engine, outbox, unacknowledged } = session
    const wasBackedUp = this.isBackedUp
    while (this.length > 0 && !outbox.full && session.windowHasRoom()) {
      const { message, ...how } = this.shift() as Delivery
      if (session.dropsExpired(message)) continue
      const publication = forwarded(engine, session.connection, engine.publications.of(message))
      if (publication === undefined) continue
      session.sendInflight(publication, { ...how, dup: false }, unacknowledged.nextSequence)
    }
    return wasBackedUp && !this.isBackedUp
  }

  /** Drops all messages. */
  clear(): void {
    this.#count(-this.#bytes)
    this.#items = []
    this.#head = 0
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#total.bytes += bytes
  }

  #isOver(size: number): boolean {
    const { maximumQueuedMessages, maximumQueuedBytes, maximumTotalQueuedBytes = Infinity } = this.#limits
    return (
      this.length >= maximumQueuedMessages ||
      this.#bytes + size > maximumQueuedBytes ||
      this.#total.bytes + size > maximumTotalQueuedBytes
    )
  }
}

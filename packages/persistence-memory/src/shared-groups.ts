import type { Message, Subscription } from '@x/contract'
import { isExpired, messageBytes } from '@x/contract'
import { QueueExpiry } from './queue-expiry.ts'
import type { ExpiringQueue } from './queue-expiry.ts'
import { SequenceRing } from './sequence-ring.ts'
import { countWaiting, makeRoomInStore } from './queue-context.ts'
import type { QueueContext, RoomyQueue } from './queue-context.ts'

/** A message that waits in a group. `sequence` is its place in the group's order, kept when it comes back. */
export interface WaitingMessage {
  readonly sequence: number
  readonly message: Message
}

/** One shared subscription: its members and the messages that wait for one of them. MQTT 5.0 §4.8.2 */
export class SharedGroup<Member = unknown> implements RoomyQueue, ExpiringQueue {
  /** The shared filter, `$share/{ShareName}/{filter}`. */
  readonly name: string
  /** The filter that topics are matched with. */
  readonly filter: string
  readonly members: Map<Member, Subscription> = new Map()

  readonly #context: QueueContext
  /** Never claimed so far. */
  readonly #fresh = new SequenceRing<WaitingMessage>()
  /** Came back from a member, latest first. All are older than `#fresh`, since claims take the oldest. */
  #returned: WaitingMessage[] = []
  #lastSequence = 0
  #bytes = 0
  /** Undefined until something waits that expires. */
  #expiry: QueueExpiry | undefined

  constructor(context: QueueContext, name: string, filter: string) {
    this.#context = context
    this.name = name
    this.filter = filter
  }

  get waitingBytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#fresh.size + this.#returned.length
  }

  /** Whether the message now waits here; otherwise the limits dropped it, or the last member has left while the message was offered to
   * others. */
  add(message: Message): boolean {
    if (this.members.size === 0) return false
    if (!this.#makeRoom(messageBytes(message))) return false
    this.#lastSequence += 1
    this.#fresh.push({ sequence: this.#lastSequence, message })
    this.#expires(message)
    this.#count(1, messageBytes(message))
    return true
  }

  /** Takes the oldest message; expired ones are dropped on the way. */
  take(): WaitingMessage | undefined {
    const now = this.#context.clock.now()
    let expired = 0
    let taken = this.#takeOldest()
    while (taken !== undefined && isExpired(taken.message, now)) {
      expired += 1
      taken = this.#takeOldest()
    }
    if (expired > 0) this.#context.dropped({ queue: this.name, reason: 'expired', count: expired })
    return taken
  }

  dropExpired(): number {
    const now = this.#context.clock.now()
    let earliest = Infinity
    const lives = ({ message }: WaitingMessage): boolean => {
      if (isExpired(message, now)) return false
      earliest = Math.min(earliest, message.expiresAt ?? Infinity)
      return true
    }
    const expired = this.#returned.filter(waiting => !lives(waiting))
    if (expired.length > 0) this.#returned = this.#returned.filter(waiting => !expired.includes(waiting))
    for (let place = 0; place < this.#fresh.length; place += 1) {
      const waiting = this.#fresh.itemAt(place)
      if (waiting !== undefined && !lives(waiting)) expired.push(waiting)
    }
    for (const { sequence, message } of expired) {
      this.#fresh.remove(sequence)
      this.#count(-1, -messageBytes(message))
    }
    this.#expiry?.looked(now, earliest)
    if (expired.length > 0) this.#context.dropped({ queue: this.name, reason: 'expired', count: expired.length })
    return expired.length
  }

  #expires({ expiresAt }: Message): void {
    if (expiresAt !== undefined) (this.#expiry ??= new QueueExpiry(this.#context.expiries, this)).waits(expiresAt)
  }

  dropOldest(): boolean {
    const oldest = this.#takeFresh()
    if (oldest === undefined) return false
    this.#count(-1, -messageBytes(oldest.message))
    this.#drop(1)
    return true
  }

  /** Messages that a member could not deliver: they go first, in the group's order, whatever the limits say, since they
   * were accepted before. */
  putBack(messages: readonly WaitingMessage[]): void {
    for (const waiting of messages) {
      this.#count(1, messageBytes(waiting.message))
      this.#expires(waiting.message)
    }
    this.#returned = [...this.#returned, ...messages].sort((one, other) => other.sequence - one.sequence)
  }

  /** The last member has left: what waits is gone. */
  clear(): void {
    this.#expiry?.end()
    this.#count(-this.size, -this.#bytes)
    this.#fresh.clear()
    this.#returned = []
  }

  #takeOldest(): WaitingMessage | undefined {
    const oldest = this.#returned.pop() ?? this.#takeFresh()
    if (oldest !== undefined) this.#count(-1, -messageBytes(oldest.message))
    return oldest
  }

  #takeFresh(): WaitingMessage | undefined {
    const first = this.#fresh.itemAt(0)
    return first === undefined ? undefined : this.#fresh.remove(first.sequence)
  }

  /** As in a session's queue. A message that came back may have been sent before, so it is never dropped here. */
  #makeRoom(bytes: number): boolean {
    const { maximumQueuedMessages, maximumQueuedBytes, overflow } = this.#context.limits
    const possible = maximumQueuedMessages > 0 && bytes <= maximumQueuedBytes
    let dropped = 0
    const isFull = this.size >= maximumQueuedMessages || this.#bytes + bytes > maximumQueuedBytes
    if (isFull && this.#expiry?.isDue(this.#context.clock.now()) === true) this.dropExpired()
    while (this.size >= maximumQueuedMessages || this.#bytes + bytes > maximumQueuedBytes) {
      const oldest = possible && overflow === 'dropOldest' ? this.#takeFresh() : undefined
      dropped += 1
      if (oldest === undefined) {
        this.#drop(dropped)
        return false
      }
      this.#count(-1, -messageBytes(oldest.message))
    }
    if (dropped > 0) this.#drop(dropped)
    if (makeRoomInStore(this.#context, this, bytes)) return true
    this.#drop(1)
    return false
  }

  #drop(count: number): void {
    this.#context.dropped({ queue: this.name, reason: 'queueFull', count })
  }

  #count(messages: number, bytes: number): void {
    this.#bytes += bytes
    countWaiting(this.#context, this, bytes)
    this.#context.queuedMessages += messages
  }
}

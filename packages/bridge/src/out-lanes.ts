import type { PublishFrame } from '@x/packet'
import type { AckKind } from './link.ts'
import type { Relay } from './relay.ts'

/** The way out over several connections to the other broker. Each topic has one of them, by its hash, which keeps its order; a packet
 * identifier stays with the connection that its message has taken. */
export class OutLanes {
  readonly #relays: readonly Relay[]
  /** QoS 2 messages of this connection that are not completed: which way they went. */
  readonly #ways = new Map<number, Relay>()
  /** PUBRELs of messages from before this connection, whose way nobody knows: how many PUBCOMPs are still to come. Each broker session that has
   * the identifier must let it go, or it would take the next message with it for a repetition. */
  readonly #spread = new Map<number, number>()

  constructor(relays: readonly Relay[]) {
    this.#relays = relays
  }

  /** Takes a PUBLISH from this broker. */
  publish(frame: PublishFrame, topic: string): void {
    const relay = this.#wayOf(topic)
    if (frame.qos === 2 && this.#relays.length > 1) this.#ways.set(frame.messageId, relay)
    relay.publish(frame, topic)
  }

  /** Takes PUBREL from this broker. */
  release(messageId: number): void {
    const way = this.#relays.length === 1 ? this.#relays[0] : this.#ways.get(messageId)
    if (way !== undefined) return way.release(messageId)
    this.#spread.set(messageId, this.#relays.length)
    for (const relay of this.#relays) relay.release(messageId)
  }

  /** Takes PUBACK, PUBREC or PUBCOMP that has come on the way of this number. */
  acknowledged(lane: number, { kind, messageId, reasonCode }: Acknowledgement): void {
    if (kind === 'pubcomp' && this.#isAwaitedOnOthers(messageId)) return
    if (kind === 'pubcomp' || reasonCode >= 0x80) this.#ways.delete(messageId)
    this.#relays[lane]?.acknowledged(kind, messageId, reasonCode)
  }

  #isAwaitedOnOthers(messageId: number): boolean {
    const left = (this.#spread.get(messageId) ?? 1) - 1
    if (left > 0) this.#spread.set(messageId, left)
    else this.#spread.delete(messageId)
    return left > 0
  }

  #wayOf(topic: string): Relay {
    const relay = this.#relays[this.#relays.length === 1 ? 0 : hashOf(topic) % this.#relays.length]
    if (relay === undefined) throw new Error('a bridge has no connection')
    return relay
  }
}

/** An acknowledgement as it has come. */
export interface Acknowledgement {
  readonly kind: AckKind
  readonly messageId: number
  readonly reasonCode: number
}

/** FNV-1a, of the UTF-16 units. */
function hashOf(topic: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < topic.length; index += 1) {
    hash = Math.imul(hash ^ topic.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

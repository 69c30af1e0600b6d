import { packetIdOf } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** The acknowledgement that a sent message waits for. */
export const Inflight = { none: 0, puback: 1, pubrec: 2, pubcomp: 3 } as const
/** What a sent message waits for; `none`: there is no such message. */
export type InflightState = (typeof Inflight)[keyof typeof Inflight]

/** An acknowledgement from the client. */
export type Acknowledgement = Exclude<keyof typeof Inflight, 'none'>

/** The error of an acknowledgement that does not match the message: the client is out of step with the broker. */
export function acknowledgementWrong(packetId: number, got: Acknowledgement, awaited: InflightState): BrokerError {
  const due = acknowledgements.find(name => Inflight[name] === awaited) ?? 'nothing'
  return new BrokerError('ACKNOWLEDGEMENT_WRONG', {
    message: `${got.toUpperCase()} for packet identifier ${packetId}, whose message awaits ${due.toUpperCase()}`,
    reasonCode: ReasonCode.protocolError,
  })
}

const acknowledgements: readonly Acknowledgement[] = ['puback', 'pubrec', 'pubcomp']

/** Packet Identifiers that there are. MQTT 5.0 §2.2.1 */
const packetIds = 65535
const smallestRing = 16

/** The QoS 1 and 2 messages of one session that were sent and not yet acknowledged.
 *
 * Messages are numbered by their sequence in the session, and the packet id follows from it, see {@link packetIdOf}, so neither
 * direction needs a table, and a session that is resumed repeats its ids. States stand in a ring that is indexed by
 * sequence: one byte for each message between the oldest open one and the newest. */
export class InflightWindow {
  /** Lowest sequence that may be open. */
  #base: number
  /** Sequence of the next message; nothing at or above it was sent. */
  #next: number
  #open = 0
  #ring: Uint8Array | undefined

  /** @param next - sequence of the first message to come */
  constructor(next: number) {
    this.#base = next
    this.#next = next
  }

  /** Messages that count against the client's Receive Maximum. MQTT 5.0 §4.9 */
  get open(): number {
    return this.#open
  }

  get nextSequence(): number {
    return this.#next
  }

  /** Packet ids of what is open, in the order of sending. */
  packetIds(): number[] {
    const ids: number[] = []
    for (let sequence = this.#base; sequence < this.#next; sequence += 1) {
      if (this.state(sequence) !== Inflight.none) ids.push(packetIdOf(sequence))
    }
    return ids
  }

  /** Whether `sequence`, or the next one, may be sent now: fewer than `limit` are open, and its packet id is not in use
   * ([MQTT5-2.2.1-4]). */
  hasRoom(limit: number, sequence?: number): boolean {
    if (this.#open === 0) return limit > 0
    if (this.#open >= limit) return false
    return sequence === undefined ? this.#next - this.#base < packetIds : this.reaches(sequence)
  }

  /** Whether `sequence` can be open together with those that are: a store may leave wide gaps. */
  reaches(sequence: number): boolean {
    if (this.#open === 0) return true
    return Math.max(this.#next - 1, sequence) - Math.min(this.#base, sequence) < packetIds
  }

  /** Adds a message that is sent. Sequences rise and may leave gaps; shared messages can overtake others on their way from the store. */
  add(sequence: number, state: InflightState): void {
    const last = this.#ring
    // Nearly always it is the next one, and has a place.
    if (last !== undefined && sequence === this.#next && sequence - this.#base < last.length) {
      this.#next += 1
      this.#open += 1
      last[sequence & (last.length - 1)] = state
      return
    }
    if (this.#open === 0) {
      this.#base = sequence
      this.#next = sequence
    }
    const base = Math.min(this.#base, sequence)
    const next = Math.max(this.#next, sequence + 1)
    this.#grow(next - base)
    this.#base = base
    this.#next = next
    this.#open += 1
    const ring = this.#ring as Uint8Array
    ring[sequence & (ring.length - 1)] = state
  }

  /** The open message with this packet id, or -1. */
  find(packetId: number): number {
    if (this.#open === 0) return -1
    const distance = (packetId - (this.#base % packetIds) + packetIds) % packetIds
    const sequence = this.#base + distance
    return sequence < this.#next && this.state(sequence) !== Inflight.none ? sequence : -1
  }

  state(sequence: number): InflightState {
    const ring = this.#ring
    if (ring === undefined || sequence < this.#base || sequence >= this.#next) return Inflight.none
    return ring[sequence & (ring.length - 1)] as InflightState
  }

  /** PUBREC has come; the message waits for PUBCOMP. */
  release(sequence: number): void {
    const ring = this.#ring as Uint8Array
    ring[sequence & (ring.length - 1)] = Inflight.pubcomp
  }

  /** The flow of this message is over. */
  finish(sequence: number): void {
    const ring = this.#ring as Uint8Array
    const mask = ring.length - 1
    ring[sequence & mask] = Inflight.none
    this.#open -= 1
    if (this.#open === 0) {
      this.#base = this.#next
      return
    }
    while (ring[this.#base & mask] === Inflight.none) this.#base += 1
  }

  /** Grows the ring until each sequence of the span has a place of its own. */
  #grow(span: number): void {
    const old = this.#ring
    if (old !== undefined && span <= old.length) return
    let size = old?.length ?? smallestRing
    while (size < span) size *= 2
    const ring = new Uint8Array(size)
    if (old !== undefined) {
      for (let sequence = this.#base; sequence < this.#next; sequence += 1) {
        ring[sequence & (size - 1)] = old[sequence & (old.length - 1)] as number
      }
    }
    this.#ring = ring
  }
}

import type { BridgeTraffic } from '@x/contract'
import { publishSize } from '@x/packet'
import type { OutgoingPublish, PublishFrame, QoS } from '@x/packet'
import type { AckKind, Link } from './link.ts'

/** What a relay goes between, and how. */
export interface RelayOptions {
  readonly source: Link
  readonly sink: Link
  readonly counters: BridgeTraffic
  /** The topic's name on the other side. */
  readonly rename: (topic: string) => string
  /** Whether a message with these properties has been where it is going. */
  readonly isLoop: (properties: Buffer) => boolean
  /** Whether a message is to go no further, by its topic on either side and its payload: it goes in circles without saying so. */
  readonly stops: ((topic: string, renamed: string, payload: Buffer) => boolean) | undefined
  /** Property in wire form that is added to each message. */
  readonly added: Buffer | undefined
  /** Bytes of a packet that is sent, beside the limit of the sink's peer. */
  readonly maximumPacketSize: number
  /** Retain flags are passed on. */
  readonly keepsRetain: boolean
  /** The sink's peer may remember identifiers of QoS 2 that the source's peer has forgotten. */
  readonly sinkIsOlder: boolean
}

/** A PUBLISH to be sent, reused for each. */
interface Draft extends OutgoingPublish {
  topic: string
  payload: Buffer
  qos: QoS
  retain: boolean
  dup: boolean
  messageId: number
  properties: Buffer | undefined
  messageExpiryInterval: number | undefined
}

/** One direction of a bridge. Packet identifiers go through as they are, and each step of the handshake is answered when the other side has
 * answered it. So the bridge keeps nothing of a message: when a connection breaks, the two brokers repeat what they have not
 * acknowledged to each other, QoS 1 at least once and QoS 2 exactly once from end to end. */
export class Relay {
  readonly #options: RelayOptions
  readonly #draft: Draft = {
    topic: '',
    payload: Buffer.alloc(0),
    qos: 0,
    retain: false,
    dup: false,
    messageId: 0,
    properties: undefined,
    messageExpiryInterval: undefined,
    subscriptionIdentifiers: undefined,
    topicAlias: undefined,
  }
  /** Sent at QoS 1 because the sink's peer takes no QoS 2: their PUBACK is a PUBREC for the source. */
  readonly #lowered = new Set<number>()
  /** The source has PUBREC, and the sink's peer knows nothing of them: their PUBREL ends here. */
  readonly #endedHere = new Set<number>()
  /** Identifiers that the sink's peer was made to forget first, when it is older. */
  readonly #forgotten: Set<number> | undefined
  /** PUBCOMPs to come for those, which are nobody's. */
  readonly #ownReleases = new Set<number>()
  /** Waits for room in the window of the sink's peer, in order. */
  readonly #waiting: OutgoingPublish[] = []
  /** Sent and not acknowledged on this connection; its size never exceeds the sink's Receive Maximum. */
  readonly #inFlight = new Set<number>()

  constructor(options: RelayOptions) {
    this.#options = options
    this.#forgotten = options.sinkIsOlder ? new Set() : undefined
  }

  /** Takes a PUBLISH from the source; what it refers to is valid during the call only. */
  publish(frame: PublishFrame, topic: string): void {
    const { source, sink, counters, rename, isLoop, stops, keepsRetain } = this.#options
    const properties = frame.source.subarray(frame.propertiesStart, frame.propertiesEnd)
    if (isLoop(properties)) {
      counters.droppedLoop += 1
      return this.#acknowledge(frame.messageId, frame.qos)
    }
    const draft = this.#draft
    draft.topic = rename(topic)
    draft.payload = frame.payload()
    if (stops?.(topic, draft.topic, draft.payload) === true) {
      counters.droppedLoop += 1
      return this.#acknowledge(frame.messageId, frame.qos)
    }
    draft.qos = Math.min(frame.qos, sink.limits.maximumQos) as QoS
    draft.retain = frame.retain && keepsRetain && sink.limits.retainAvailable
    draft.dup = frame.dup && draft.qos > 0
    draft.messageId = frame.messageId
    draft.properties = sink.version === 5 ? this.#propertiesOf(frame, properties) : undefined
    draft.messageExpiryInterval = frame.messageExpiryInterval < 0 ? undefined : frame.messageExpiryInterval
    const limit = Math.min(sink.limits.maximumPacketSize, this.#options.maximumPacketSize)
    if (publishSize(draft, sink.version) > limit) {
      counters.droppedTooLarge += 1
      return this.#acknowledge(frame.messageId, frame.qos)
    }
    counters.messages += 1
    counters.bytes += draft.payload.length
    if (draft.qos === 0) {
      sink.write(draft)
      this.#acknowledge(frame.messageId, frame.qos)
    } else {
      if (draft.qos < frame.qos) this.#lowered.add(frame.messageId)
      this.#send(draft)
    }
    if (sink.isFull) source.pauseUntilDrained(sink)
  }

  /** Takes PUBACK, PUBREC or PUBCOMP from the sink. */
  acknowledged(kind: AckKind, messageId: number, reasonCode: number): void {
    const { source, counters } = this.#options
    if (kind === 'pubcomp' && this.#ownReleases.delete(messageId)) return
    const isRefused = reasonCode >= 0x80
    if (isRefused && kind !== 'pubcomp') counters.refused += 1
    if (kind !== 'pubrec' || isRefused) this.#finished(messageId)
    if (kind === 'puback' && this.#lowered.delete(messageId)) return this.#acknowledge(messageId, 2)
    if (kind === 'pubrec' && isRefused && source.version !== 5) return this.#acknowledge(messageId, 2)
    source.acknowledge(kind, messageId, kind === 'pubcomp' ? 0 : reasonCode)
  }

  /** Takes PUBREL from the source. */
  release(messageId: number): void {
    const { source, sink } = this.#options
    if (this.#endedHere.delete(messageId)) source.acknowledge('pubcomp', messageId)
    else sink.acknowledge('pubrel', messageId)
  }

  /** The source's peer need not keep the message, which goes no further or goes on without an answer. */
  #acknowledge(messageId: number, qos: QoS): void {
    const { source } = this.#options
    if (qos === 1) source.acknowledge('puback', messageId)
    if (qos !== 2) return
    this.#endedHere.add(messageId)
    source.acknowledge('pubrec', messageId)
  }

  #send(draft: Draft): void {
    const { sink } = this.#options
    if (this.#inFlight.size < sink.limits.receiveMaximum) return this.#sendNow(draft)
    // Its parts are in the chunk, which does not stay.
    const { payload, properties } = draft
    this.#waiting.push({ ...draft, payload: Buffer.from(payload), properties: properties && Buffer.from(properties) })
  }

  #sendNow(packet: OutgoingPublish): void {
    const { sink } = this.#options
    if (packet.qos === 2) this.#forget(packet.messageId)
    this.#inFlight.add(packet.messageId)
    sink.write(packet)
  }

  /** The source's peer has begun its identifiers anew. The sink's peer would take the first message of one that it has not seen the
   * end of for a repetition. */
  #forget(messageId: number): void {
    if (this.#forgotten === undefined || this.#forgotten.has(messageId)) return
    this.#forgotten.add(messageId)
    this.#ownReleases.add(messageId)
    this.#options.sink.acknowledge('pubrel', messageId)
  }

  #finished(messageId: number): void {
    // A PUBREL that was repeated ends a message of an earlier connection.
    if (!this.#inFlight.delete(messageId)) return
    const next = this.#waiting.shift()
    if (next !== undefined) this.#sendNow(next)
  }

  #propertiesOf(frame: PublishFrame, properties: Buffer): Buffer | undefined {
    const { added } = this.#options
    const kept = properties.length === 0 ? undefined : frame.forwardableProperties()
    if (added === undefined) return kept
    return kept === undefined ? added : Buffer.concat([kept, added])
  }
}

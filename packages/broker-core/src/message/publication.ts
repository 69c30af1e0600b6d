import { keepMessage } from '@x/contract'
import type { Message, MessageSource } from '@x/contract'
import { messageIdOffset, publishSize, writePublish } from '@x/packet'
import type { OutgoingPublish, ProtocolVersion, PublishFrame, QoS } from '@x/packet'
import { copyBytes } from '../connection/copy-bytes.ts'
import type { Outbox } from '../connection/outbox.ts'

/** One encoded PUBLISH, from which the others are copied. */
interface Template {
  readonly source: Buffer
  readonly start: number
  readonly end: number
  /** Where the packet identifier stands in `source`; 0 at QoS 0. */
  readonly idAt: number
}

/** The receiver that a publication is written for. */
export interface Recipient {
  readonly outbox: Outbox
  readonly version: ProtocolVersion
  /** The client's Maximum Packet Size in bytes. MQTT 5.0 §3.1.2.11.4 */
  readonly maximumPacketSize: number
}

/** What differs from one receiver to the next. */
export interface Envelope {
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  readonly messageId: number
  readonly subscriptionIdentifiers: readonly number[] | undefined
  /** 0: none. */
  readonly topicAlias: number
  /** The receiver knows the alias, so the topic is not sent. */
  readonly topicKnown: boolean
}

/** Where a message comes from. */
export interface Origin extends Pick<Message, 'publisher' | 'source' | 'isWill' | 'brokerId' | 'brokerCounter'> {
  /** ms since the epoch: a Message Expiry Interval counts from here. */
  readonly now: number
  /** The bytes of the frame are the broker's alone, which may write into them. */
  readonly ownsFrame?: boolean
}

/** A message together with its encodings. It is encoded at most once for each wire format (3.x or 5, with or without packet identifier);
 * each receiver gets a copy with its own flags and packet identifier. A message that came in on a wire is its own encoding, and its first
 * receiver gets the frame itself. Payload and properties become objects when they are read first. */
export class Publication implements Message {
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  readonly expiresAt: number | undefined
  readonly publisher: string | undefined
  readonly source: MessageSource | undefined
  readonly isWill: boolean | undefined
  readonly brokerId: string
  readonly brokerCounter: number
  /** The frame it came in with, of format `#formatOfSource`; undefined when it was made here. */
  readonly #source: Buffer | undefined
  readonly #frameStart: number = 0
  readonly #idAt: number = 0
  readonly #payloadStart: number = 0
  readonly #frameEnd: number = 0
  /** Format that the source frame can be sent as; -1: none, since it has properties for the broker alone. */
  readonly #formatOfSource: number = -1
  /** The flags and the packet identifier in the source frame may be changed: no receiver has it yet. */
  #isFrameFree = false
  #payload: Buffer | undefined
  readonly #properties: Uint8Array | undefined
  /** By format; undefined until the publication was written once. */
  #templates: (Template | undefined)[] | undefined
  #kept: Message | undefined
  #highest: Publication | undefined

  constructor(
    topic: string,
    origin: Origin,
    content: PublishFrame | Pick<Message, 'payload' | 'qos' | 'retain' | 'properties' | 'expiresAt'>,
    version: ProtocolVersion = 4,
  ) {
    this.topic = topic
    this.qos = content.qos
    this.retain = content.retain
    this.publisher = origin.publisher
    this.source = origin.source
    this.isWill = origin.isWill
    this.brokerId = origin.brokerId
    this.brokerCounter = origin.brokerCounter
    if ('frameStart' in content) {
      this.#source = content.source
      this.#frameStart = content.frameStart
      this.#idAt = content.topicEnd
      this.#payloadStart = content.payloadStart
      this.#frameEnd = content.frameEnd
      this.#isFrameFree = origin.ownsFrame === true
      if (content.forwardable) {
        this.#formatOfSource = formatOf(version, content.qos)
        this.#properties =
          content.propertiesStart < content.propertiesEnd
            ? content.source.subarray(content.propertiesStart, content.propertiesEnd)
            : undefined
      } else this.#properties = content.forwardableProperties()
      this.expiresAt = content.messageExpiryInterval < 0 ? undefined : origin.now + content.messageExpiryInterval * 1000
    } else {
      this.#payload = content.payload
      this.#properties = content.properties
      this.expiresAt = content.expiresAt
    }
  }

  /** Receivers get copies: the program is shown the payload, and may change it. */
  keepFrame(): void {
    this.#isFrameFree = false
  }

  /** A publication of a message that was stored or came from another broker. */
  static of(message: Message): Publication {
    // Spreading takes twice the time.
    const { publisher, source, isWill, brokerId, brokerCounter } = message
    return new Publication(message.topic, { publisher, source, isWill, brokerId, brokerCounter, now: 0 }, message)
  }

  /** Bytes of the payload, which need not become an object for that: it takes 0.15 µs. */
  get payloadLength(): number {
    return this.#payload?.length ?? this.#frameEnd - this.#payloadStart
  }

  get payload(): Buffer {
    this.#payload ??= (this.#source as Buffer).subarray(this.#payloadStart, this.#frameEnd)
    return this.#payload
  }

  /** Approximate number of bytes for one receiver. */
  get size(): number {
    return this.#source === undefined ? this.payload.length + this.topic.length : this.#frameEnd - this.#frameStart
  }

  get properties(): Uint8Array | undefined {
    return this.#properties
  }

  /** The same message under another topic. */
  renamed(topic: string): Publication {
    const { publisher, source, isWill, brokerId, brokerCounter } = this
    return new Publication(topic, { publisher, source, isWill, brokerId, brokerCounter, now: 0 }, this)
  }

  /** The same message with QoS 2, so that each subscription's QoS decides; the same one each time. */
  get atHighestQoS(): Publication {
    if (this.qos === 2) return this
    const { topic, payload, retain, properties, expiresAt, publisher, source, isWill, brokerId, brokerCounter } = this
    const origin = { publisher, source, isWill, brokerId, brokerCounter, now: 0 }
    this.#highest ??= new Publication(topic, origin, { payload, qos: 2, retain, properties, expiresAt })
    return this.#highest
  }

  /** Returns a copy that owns its bytes; the same one each time. */
  kept(): Message {
    this.#kept ??= keepMessage(this)
    return this.#kept
  }

  /** Writes the PUBLISH for one receiver. False: it exceeds the receiver's Maximum Packet Size and nothing was written
   * ([MQTT5-3.1.2-24]). `now`: milliseconds since the epoch, for the remaining expiry interval. */
  writeTo(recipient: Recipient, envelope: Envelope, now: number): boolean {
    const { qos, subscriptionIdentifiers } = envelope
    const individual = subscriptionIdentifiers !== undefined || this.expiresAt !== undefined || envelope.topicAlias > 0
    if (individual && recipient.version === 5) return this.#writeIndividually(recipient, envelope, now)
    const format = formatOf(recipient.version, qos)
    let source: Buffer
    let start: number
    let end: number
    let idAt: number
    if (format === this.#formatOfSource) {
      source = this.#source as Buffer
      start = this.#frameStart
      end = this.#frameEnd
      idAt = this.#idAt
    } else {
      if (this.#templates === undefined) {
        // For a single receiver, for instance of a retained message, a template costs more than it saves.
        this.#templates = []
        return this.#writeIndividually(recipient, envelope, now)
      }
      const template = this.#template(this.#templates, format)
      source = template.source
      start = template.start
      end = template.end
      idAt = template.idAt
    }
    const size = end - start
    if (size > recipient.maximumPacketSize) return false
    if (this.#isFrameFree && format === this.#formatOfSource) {
      // No copy, and what stands side by side in a chunk is written together (qos1-1-1: a quarter less CPU).
      this.#isFrameFree = false
      writeEnvelope(source, start, idAt, envelope)
      recipient.outbox.appendRun(source, start, end)
      return true
    }
    const offset = recipient.outbox.reserve(size)
    const buffer = recipient.outbox.buffer
    copyBytes(buffer, offset, source, start, end)
    writeEnvelope(buffer, offset, offset + idAt - start, envelope)
    return true
  }

  #template(templates: (Template | undefined)[], format: number): Template {
    const known = templates[format]
    if (known !== undefined) return known
    const version = format >= 2 ? 5 : 4
    const withId = (format & 1) === 1
    const publish = this.#outgoing(version, withId ? plainWithId : plain, 0)
    const source = Buffer.allocUnsafe(publishSize(publish, version))
    writePublish(source, 0, publish, version)
    const template = { source, start: 0, end: source.length, idAt: withId ? messageIdOffset(source, 0) : 0 }
    templates[format] = template
    return template
  }

  #writeIndividually(recipient: Recipient, envelope: Envelope, now: number): boolean {
    const publish = this.#outgoing(recipient.version, envelope, now)
    const size = publishSize(publish, recipient.version)
    if (size > recipient.maximumPacketSize) return false
    const offset = recipient.outbox.reserve(size)
    writePublish(recipient.outbox.buffer, offset, publish, recipient.version)
    return true
  }

  #outgoing(version: ProtocolVersion, envelope: Envelope, now: number): OutgoingPublish {
    return {
      topic: envelope.topicKnown ? '' : this.topic,
      payload: this.payload,
      qos: envelope.qos,
      retain: envelope.retain,
      dup: envelope.dup,
      messageId: envelope.messageId,
      properties: version === 5 ? this.#properties : undefined,
      messageExpiryInterval: this.expiresAt === undefined ? undefined : secondsLeft(this.expiresAt, now),
      subscriptionIdentifiers: envelope.subscriptionIdentifiers,
      topicAlias: envelope.topicAlias === 0 ? undefined : envelope.topicAlias,
    }
  }
}

/** Writes the flags of the frame at `start`, and its packet identifier. */
function writeEnvelope(buffer: Buffer, start: number, idAt: number, { qos, retain, dup, messageId }: Envelope): void {
  buffer[start] = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  if (qos === 0) return
  buffer[idAt] = messageId >> 8
  buffer[idAt + 1] = messageId & 0xff
}

const plain: Envelope = {
  qos: 0,
  retain: false,
  dup: false,
  messageId: 0,
  subscriptionIdentifiers: undefined,
  topicAlias: 0,
  topicKnown: false,
}
const plainWithId: Envelope = { ...plain, qos: 1, messageId: 1 }

/** 0: 3.x, QoS 0 · 1: 3.x with packet identifier · 2: 5.0, QoS 0 · 3: 5.0 with packet identifier. */
function formatOf(version: ProtocolVersion, qos: QoS): number {
  return (version === 5 ? 2 : 0) + (qos > 0 ? 1 : 0)
}

/** ms by which the clock of the broker that a message comes from may be ahead of this one's. */
const clockDifference = 100

/** The Message Expiry Interval that is left ([MQTT5-3.3.2-6]): whole seconds, at least one until the message expires, and no more than were
 * there at first. */
export function secondsLeft(expiresAt: number, now: number): number {
  const left = expiresAt - now
  return left <= 0 ? 0 : Math.max(1, Math.ceil((left - clockDifference) / 1000))
}

import type { Duplex } from 'node:stream'
import { AckFrame, FrameReader, PublishFrame, commandOf, decodeControl, encode } from '@x/packet'
import type {
  ConnackPacket,
  ConnectPacket,
  OutgoingPublish,
  Packet,
  ProtocolVersion,
  SubackPacket,
  Subscription,
} from '@x/packet'
import { BridgeError } from './bridge-error.ts'
import { FrameWriter } from './frame-writer.ts'
import { KeepAlive } from './keep-alive.ts'
import type { LinkOptions } from './link-options.ts'
import { largestPacket, peerLimits } from './peer-limits.ts'
import type { PeerLimits } from './peer-limits.ts'
import { reasonText } from './reason-text.ts'
import { ReceivedTopics } from './received-topics.ts'

/** First bytes of the acknowledgements. MQTT 5.0 §2.1.2 */
export const ackHeader = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const
/** An acknowledgement of a message. */
export type AckKind = keyof typeof ackHeader

/** What a link's packets are for. */
export interface LinkReceiver {
  publish(frame: PublishFrame, topic: string): void
  ack(kind: AckKind, messageId: number, reasonCode: number): void
}

/** Packet identifiers that the link uses for itself, from the end that the messages' come to last. */
const ownIds = { subscribe: 65_535, unsubscribe: 65_534, publish: 65_533 }
const pingreq = Buffer.of(0xc0, 0)
const shortConnack = 4

/** One MQTT client connection of a bridge: to the other broker or to its own. It does the handshakes and keeps alive; messages and their
 * acknowledgements are passed on as they come, so that the two links of a bridge make one path from end to end. */
export class Link {
  readonly #stream: Duplex
  readonly #options: LinkOptions
  readonly #reader = new FrameReader({ maximumPacketSize: largestPacket })
  readonly #publish = new PublishFrame()
  readonly #ack = new AckFrame()
  readonly #topics: ReceivedTopics
  readonly #writer = new FrameWriter()
  /** Resolves what waits for a packet of the peer's, by its type. */
  readonly #awaited = new Map<string, (packet: Packet) => void>()
  #receiver: LinkReceiver | undefined
  /** CONNACK has come: what follows it is for the receiver. */
  #isConnected = false
  #limits: PeerLimits | undefined
  #failure: BridgeError | undefined
  #flushScheduled = false
  #keepAlive: KeepAlive | undefined
  /** Called when the peer takes bytes again. */
  #onDrain: (() => void) | undefined

  constructor(stream: Duplex, options: LinkOptions) {
    this.#stream = stream
    this.#options = options
    this.#topics = new ReceivedTopics(options.topicAliasMaximum)
    this.#reader.version = options.version
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('drain', () => this.#drained())
    stream.on('error', error => this.fail('BRIDGE_CONNECTION_LOST', `lost ${options.name}: ${error.message}`, error))
    stream.on('close', () => this.fail('BRIDGE_CONNECTION_LOST', `${options.name} closed the connection`))
    stream.on('end', () => this.fail('BRIDGE_CONNECTION_LOST', `${options.name} closed the connection`))
  }

  get version(): ProtocolVersion {
    return this.#options.version
  }

  /** Known once `connect` has resolved. */
  get limits(): PeerLimits {
    if (this.#limits === undefined) throw new Error('the link is not connected')
    return this.#limits
  }

  /** Sends CONNECT and returns what CONNACK says. What comes after CONNACK waits until `start`.
   * @throws BridgeError `BRIDGE_REFUSED` with the reason code, or why the connection ended */
  async connect(packet: ConnectPacket): Promise<PeerLimits> {
    const connack = (await this.#exchange(encode(packet, this.version), 'connack')) as ConnackPacket
    const code = (this.version === 5 ? connack.reasonCode : connack.returnCode) ?? connack.returnCode ?? 0
    const { name, clock, keepAlive } = this.#options
    if (code !== 0) {
      const reason = reasonText(code, connack.properties?.reasonString)
      throw new BridgeError('BRIDGE_REFUSED', `${name} refused the connection with ${reason}`, { reasonCode: code })
    }
    this.#limits = peerLimits(connack)
    this.#keepAlive = new KeepAlive({
      clock,
      seconds: connack.properties?.serverKeepAlive ?? keepAlive,
      ping: () => this.#send(pingreq),
      silent: seconds => this.fail('BRIDGE_CONNECTION_LOST', `${name} was silent for ${seconds} s`),
    })
    return this.#limits
  }

  /** Passes on what comes, from what came right after CONNACK on. */
  start(receiver: LinkReceiver): void {
    this.#receiver = receiver
    this.#read()
    if (this.#failure === undefined) this.#stream.resume()
  }

  /** Returns the codes of SUBACK in order.
   * @throws BridgeError why the connection ended */
  async subscribe(subscriptions: Subscription[]): Promise<readonly number[]> {
    if (subscriptions.length === 0) return []
    const frame = encode({ cmd: 'subscribe', messageId: ownIds.subscribe, subscriptions }, this.version)
    return ((await this.#exchange(frame, 'suback')) as SubackPacket).granted
  }

  async unsubscribe(unsubscriptions: readonly string[]): Promise<void> {
    if (unsubscriptions.length === 0) return
    const messageId = ownIds.unsubscribe
    const frame = encode({ cmd: 'unsubscribe', messageId, unsubscriptions: [...unsubscriptions] }, this.version)
    await this.#exchange(frame, 'unsuback')
  }

  /** Sends a message of the bridge's own at QoS 1, before messages are passed on. */
  async publish(packet: { readonly topic: string; readonly payload: string; readonly retain: boolean }): Promise<void> {
    const qos = this.limits.maximumQos === 0 ? 0 : 1
    const messageId = ownIds.publish
    const frame = encode({ cmd: 'publish', dup: false, qos, ...(qos > 0 && { messageId }), ...packet }, this.version)
    if (qos === 0) this.#send(frame)
    else await this.#exchange(frame, 'puback')
  }

  /** Appends a PUBLISH to what leaves at the end of this turn. */
  write(packet: OutgoingPublish): void {
    this.#writer.publish(packet, this.version)
    this.#scheduleFlush()
  }

  acknowledge(kind: AckKind, messageId: number, reasonCode = 0): void {
    this.#writer.ack(ackHeader[kind], messageId, reasonCode, this.version)
    this.#scheduleFlush()
  }

  /** The peer takes no more for now. */
  get isFull(): boolean {
    return this.#stream.writableNeedDrain
  }

  /** Stops reading until the other link takes bytes again. */
  pauseUntilDrained(other: Link): void {
    this.#stream.pause()
    other.#onDrain = () => {
      this.#read()
      if (this.#failure === undefined && !other.isFull) this.#stream.resume()
    }
  }

  /** Ends the connection with DISCONNECT. The session stays, unless it is `over`, which MQTT 5.0 alone can say. MQTT 5.0 §3.14.2.2.2 */
  disconnect(session: 'kept' | 'over' = 'kept'): void {
    if (this.#failure !== undefined) return
    const ends = session === 'over' && this.version === 5
    this.#send(encode({ cmd: 'disconnect', ...(ends && { properties: { sessionExpiryInterval: 0 } }) }, this.version))
    this.#stop(new BridgeError('BRIDGE_CONNECTION_LOST', 'the bridge has disconnected'))
    this.#stream.end()
  }

  /** Ends it as it is, once. */
  fail(code: ConstructorParameters<typeof BridgeError>[0], message: string, cause?: unknown): void {
    if (this.#failure !== undefined) return
    this.#stop(new BridgeError(code, message, { cause }))
    this.#stream.destroy()
  }

  #stop(error: BridgeError): void {
    this.#failure = error
    this.#keepAlive?.end()
    for (const settle of this.#awaited.values()) settle({ cmd: 'pingresp' })
    this.#options.ended(error)
  }

  #receive(chunk: Buffer): void {
    if (this.#failure !== undefined) return
    this.#keepAlive?.received()
    try {
      this.#reader.push(chunk)
    } catch (error) {
      return this.#broken(error)
    }
    this.#read()
  }

  #read(): void {
    try {
      while (this.#failure === undefined && !this.#isHeld() && this.#reader.next()) this.#dispatch()
    } catch (error) {
      this.#broken(error)
    }
  }

  /** Nobody takes messages yet: the stream rests behind CONNACK. */
  #isHeld(): boolean {
    const isHeld = this.#isConnected && this.#receiver === undefined
    if (isHeld) this.#stream.pause()
    return isHeld
  }

  #dispatch(): void {
    const { source, header, frameStart, bodyStart, frameEnd } = this.#reader
    switch (header >> 4) {
      case 3: {
        const frame = this.#publish
        frame.read(source, header, frameStart, bodyStart, frameEnd, this.version, 'server')
        this.#receiver?.publish(frame, this.#topics.of(frame))
        return
      }
      case 4:
      case 5:
      case 6:
      case 7:
        return this.#dispatchAck()
      case 13:
        return
      default:
        return this.#dispatchControl()
    }
  }

  #dispatchAck(): void {
    const { source, header, bodyStart, frameEnd } = this.#reader
    const ack = this.#ack
    ack.read(source, header, bodyStart, frameEnd, this.version)
    const kind = commandOf(header) as AckKind
    if (kind === 'puback' && ack.messageId === ownIds.publish && this.#settle({ cmd: 'puback', messageId: 1 })) return
    this.#receiver?.ack(kind, ack.messageId, ack.reasonCode)
  }

  #dispatchControl(): void {
    const { header, bodyStart, frameEnd, frameStart, source } = this.#reader
    const isConnack = header >> 4 === 2
    // A broker that does not know the version says so in the oldest form there is.
    const isShort = isConnack && frameEnd - frameStart === shortConnack
    const packet: Packet = isShort
      ? { cmd: 'connack', sessionPresent: (source[bodyStart] ?? 0) === 1, returnCode: source[bodyStart + 1] ?? 0 }
      : decodeControl(this.#reader.frame(), this.version)
    if (packet.cmd === 'disconnect') {
      const reason = reasonText(packet.reasonCode ?? 0, packet.properties?.reasonString)
      return this.fail('BRIDGE_CONNECTION_LOST', `${this.#options.name} disconnected with ${reason}`)
    }
    this.#isConnected ||= isConnack
    if (!this.#settle(packet)) throw new Error(`unexpected ${packet.cmd}`)
  }

  /** The peer has sent what MQTT does not allow. */
  #broken(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.fail('BRIDGE_PROTOCOL_ERROR', `${this.#options.name} breaks the protocol: ${reason}`, error)
  }

  async #exchange(frame: Buffer, reply: Packet['cmd']): Promise<Packet> {
    if (this.#failure !== undefined) throw this.#failure
    const packet = await new Promise<Packet>(resolve => {
      this.#awaited.set(reply, resolve)
      this.#send(frame)
    })
    if (this.#failure !== undefined) throw this.#failure
    return packet
  }

  #settle(packet: Packet): boolean {
    const resolve = this.#awaited.get(packet.cmd)
    this.#awaited.delete(packet.cmd)
    resolve?.(packet)
    return resolve !== undefined
  }

  #send(frame: Buffer): void {
    this.#writer.bytes(frame)
    this.#flush()
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#flushScheduled = false
    if (this.#writer.isEmpty || this.#stream.destroyed || this.#stream.writableEnded) return
    this.#keepAlive?.sent()
    this.#stream.cork()
    for (const bytes of this.#writer.take()) this.#stream.write(bytes)
    this.#stream.uncork()
  }

  #drained(): void {
    const resume = this.#onDrain
    this.#onDrain = undefined
    resume?.()
  }
}

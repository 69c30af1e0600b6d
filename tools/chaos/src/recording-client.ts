import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { generate, parser } from 'mqtt-packet'
import type { IConnectPacket, IPublishPacket, Packet } from 'mqtt-packet'
import type { History, QoS } from './history.ts'

export interface Will {
  readonly topic: string
  readonly qos: QoS
}

export interface RecordingClientOptions {
  readonly id: string
  readonly version: 4 | 5
  /** Whether the session outlives the connection. */
  readonly persistent: boolean
  readonly subscriptions?: readonly { readonly filter: string; readonly qos: QoS }[]
  readonly will?: Will
  readonly receiveMaximum?: number
  /** Called after a connection has ended. */
  readonly ended?: () => void
}

/** A message on its way to a broker, from PUBLISH to PUBACK or PUBCOMP. */
interface Outgoing {
  readonly message: string
  readonly packet: IPublishPacket
  released: boolean
}

/** Milliseconds. */
const connectTimeout = 5000
const pingInterval = 2000
const answerTimeout = 9000
/** Seconds. */
const keepAlive = 6
const sessionExpiryInterval = 3600

let connections = 0

/** One MQTT client that writes down what it does and gets, and keeps its side of a session as the specification wants it:
 * unacknowledged messages are sent again with their packet identifiers, QoS 2 messages are known by theirs.
 * MQTT 5.0 §4.4, §4.3.3. It has one connection at a time; of the previous one it hears nothing any more. */
export class RecordingClient {
  readonly id: string
  readonly #options: RecordingClientOptions
  readonly #history: History
  readonly #outgoing = new Map<number, Outgoing>()
  /** QoS 2: passed on, not yet released. */
  readonly #incoming = new Set<number>()
  readonly #granted = new Set<string>()
  #subscribing: { readonly messageId: number; readonly filters: readonly { filter: string; qos: QoS }[] } | undefined
  #socket: Socket | undefined
  #connection = 0
  #connected = false
  #lastPacketId = 0
  #messages = 0
  #wills = 0
  #timer: NodeJS.Timeout | undefined
  #heardAt = 0
  #peerReason: number | undefined

  constructor(options: RecordingClientOptions, history: History) {
    this.id = options.id
    this.#options = options
    this.#history = history
  }

  get connected(): boolean {
    return this.#connected
  }

  get idle(): boolean {
    return this.#socket === undefined
  }

  /** Messages of QoS 1 and 2 on their way to the broker. */
  get unfinished(): number {
    return this.#outgoing.size
  }

  get subscribed(): boolean {
    return (this.#options.subscriptions ?? []).every(({ filter }) => this.#granted.has(filter))
  }

  /** Begins a connection; whether it came about shows in `connected`. */
  connect(broker: string, port: number, cleanStart: boolean = !this.#options.persistent): void {
    if (this.#socket !== undefined) throw new Error(`${this.id} has a connection`)
    connections += 1
    const connection = connections
    this.#connection = connection
    const { will, persistent, version, receiveMaximum } = this.#options
    const willMessage = will === undefined ? undefined : `${this.id}/will-${(this.#wills += 1)}`
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket = socket
    this.#peerReason = undefined
    this.#heardAt = Date.now()
    const reader = parser({ protocolVersion: version })
    reader.on('packet', packet => {
      if (this.#socket === socket) this.#take(packet)
    })
    reader.on('error', error => socket.destroy(error))
    socket.on('data', chunk => {
      this.#heardAt = Date.now()
      if (this.#socket === socket) reader.parse(chunk)
    })
    // What went wrong shows as the end of the connection.
    socket.on('error', () => undefined)
    socket.on('end', () => this.#end(socket, true))
    socket.on('close', () => this.#end(socket, true))
    this.#record({
      kind: 'connect',
      broker,
      cleanStart,
      persistent,
      ...(will !== undefined && willMessage !== undefined && { will: { message: willMessage, ...will } }),
    })
    this.#send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clientId: this.id,
      clean: cleanStart,
      keepalive: keepAlive,
      ...(will !== undefined && {
        will: { topic: will.topic, qos: will.qos, retain: false, payload: Buffer.from(`${willMessage}|`) },
      }),
      ...(version === 5 && {
        properties: {
          sessionExpiryInterval: persistent ? sessionExpiryInterval : 0,
          ...(receiveMaximum !== undefined && { receiveMaximum }),
        },
      }),
    } satisfies IConnectPacket)
    this.#timer = setInterval(() => this.#tick(), pingInterval / 2)
  }

  /** @returns what names the message */
  publish(topic: string, qos: QoS, options: { retain?: boolean; size?: number; empty?: boolean } = {}): string {
    const { retain = false, size = 0, empty = false } = options
    const message = `${this.id}/${(this.#messages += 1)}`
    const payload = empty ? '' : `${message}|${'.'.repeat(size)}`
    const packet: IPublishPacket = { cmd: 'publish', topic, qos, retain, dup: false, payload }
    if (qos > 0) {
      const messageId = this.#freePacketId()
      packet.messageId = messageId
      this.#outgoing.set(messageId, { message, packet, released: false })
    }
    this.#publishPacket(message, packet)
    return message
  }

  /** Says DISCONNECT; the broker then closes.
   * @param endsSession with MQTT 5 */
  disconnect(endsSession = false): void {
    if (!this.#connected) return
    const ends = (endsSession && this.#options.version === 5) || !this.#options.persistent
    this.#record({ kind: 'disconnecting', endsSession: ends })
    this.#send({
      cmd: 'disconnect',
      ...(this.#options.version === 5 && {
        reasonCode: 0,
        ...(endsSession && { properties: { sessionExpiryInterval: 0 } }),
      }),
    })
    this.#connected = false
    // The broker's end is waited for, so that it is known to have read this: at the end of the run however long it takes.
    setTimeout(() => this.crash(), endsSession ? 15_000 : 1500).unref()
  }

  /** Ends the connection without a word. */
  crash(): void {
    if (this.#socket !== undefined) this.#end(this.#socket, false)
  }

  pauseReading(): void {
    this.#socket?.pause()
  }

  resumeReading(): void {
    this.#heardAt = Date.now()
    this.#socket?.resume()
  }

  #end(socket: Socket, byPeer: boolean): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    this.#connected = false
    this.#subscribing = undefined
    clearInterval(this.#timer)
    const reasonCode = this.#peerReason
    this.#record({ kind: 'closed', byPeer, ...(reasonCode !== undefined && { reasonCode }) })
    socket.destroy()
    this.#options.ended?.()
  }

  #tick(): void {
    const waited = Date.now() - this.#heardAt
    const isPaused = this.#socket?.isPaused() === true
    if (!isPaused && waited > (this.#connected ? answerTimeout : connectTimeout)) this.crash()
    else if (this.#connected) this.#send({ cmd: 'pingreq' })
  }

  #take(packet: Packet): void {
    switch (packet.cmd) {
      case 'connack': {
        const reasonCode = packet.reasonCode ?? packet.returnCode ?? 0
        if (reasonCode === 0) this.#resume(packet.sessionPresent)
        else this.#record({ kind: 'refused', reasonCode })
        break
      }
      case 'suback':
        this.#takeSuback(packet.messageId ?? 0, packet.granted as number[])
        break
      case 'publish':
        this.#takePublish(packet)
        break
      case 'pubrel':
        this.#incoming.delete(packet.messageId ?? 0)
        this.#send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 })
        break
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        this.#takeAcknowledgement(packet.cmd, packet.messageId ?? 0, packet.reasonCode ?? 0)
        break
      case 'disconnect':
        this.#peerReason = packet.reasonCode ?? 0
        break
      default:
        break
    }
  }

  #resume(sessionPresent: boolean): void {
    this.#connected = true
    this.#record({ kind: 'connected', sessionPresent })
    if (!sessionPresent) {
      // What was on its way is lost with the session: another packet identifier would make it another message.
      this.#outgoing.clear()
      this.#incoming.clear()
      this.#granted.clear()
    }
    for (const [messageId, { message, packet, released }] of this.#outgoing) {
      if (released) this.#send({ cmd: 'pubrel', messageId })
      else {
        packet.dup = true
        this.#publishPacket(message, packet)
      }
    }
    const filters = (this.#options.subscriptions ?? []).filter(({ filter }) => !this.#granted.has(filter))
    if (filters.length === 0) return
    const messageId = this.#freePacketId()
    this.#subscribing = { messageId, filters }
    const subscriptions = filters.map(({ filter, qos }) => ({ topic: filter, qos }))
    this.#send({ cmd: 'subscribe', messageId, subscriptions })
  }

  #takeSuback(messageId: number, granted: readonly number[]): void {
    if (this.#subscribing?.messageId !== messageId) return
    this.#subscribing.filters.forEach(({ filter }, index) => {
      const qos = granted[index] ?? 0x80
      if (qos > 2) return
      this.#granted.add(filter)
      this.#record({ kind: 'subscribed', filter, qos: qos as QoS })
    })
    this.#subscribing = undefined
  }

  #takePublish({ topic, qos, retain, dup, payload, messageId = 0 }: IPublishPacket): void {
    const [message = ''] = payload.toString().split('|', 1)
    const again = qos === 2 && this.#incoming.has(messageId)
    this.#record({ kind: 'received', message, topic, qos, retain, dup, again })
    if (qos === 1) this.#send({ cmd: 'puback', messageId })
    if (qos !== 2) return
    this.#incoming.add(messageId)
    this.#send({ cmd: 'pubrec', messageId })
  }

  #takeAcknowledgement(step: 'puback' | 'pubrec' | 'pubcomp', messageId: number, reasonCode: number): void {
    const outgoing = this.#outgoing.get(messageId)
    if (outgoing === undefined) {
      if (step === 'pubrec') this.#send({ cmd: 'pubrel', messageId })
      return
    }
    this.#record({ kind: 'acknowledged', message: outgoing.message, step, reasonCode })
    if (step === 'pubrec' && reasonCode < 0x80) {
      outgoing.released = true
      this.#send({ cmd: 'pubrel', messageId })
    } else this.#outgoing.delete(messageId)
  }

  #publishPacket(message: string, packet: IPublishPacket): void {
    const { topic, qos, retain, dup, payload } = packet
    this.#record({ kind: 'publish', message, topic, qos, retain, dup, ...(payload === '' && { empty: true }) })
    this.#send(packet)
  }

  #freePacketId(): number {
    do this.#lastPacketId = (this.#lastPacketId % 65_535) + 1
    while (this.#outgoing.has(this.#lastPacketId))
    return this.#lastPacketId
  }

  #send(packet: Packet): void {
    if (this.#socket?.writable === true)
      this.#socket.write(generate(packet, { protocolVersion: this.#options.version }))
  }

  #record(happening: OwnHappening): void {
    this.#history.record({ ...happening, client: this.id, connection: this.#connection })
  }
}

type Recorded = Parameters<History['record']>[0]
type OwnHappening = Recorded extends infer One
  ? One extends { client: string }
    ? Omit<One, 'client' | 'connection'>
    : never
  : never

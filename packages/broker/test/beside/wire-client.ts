import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { generate, parser } from 'mqtt-packet'
import type { IConnectPacket, Packet } from 'mqtt-packet'

const sessionTakenOver = 0x8e
const shownProperties = [
  'serverKeepAlive',
  'maximumQoS',
  'retainAvailable',
  'topicAliasMaximum',
  'receiveMaximum',
] as const

/** A client that does just what it is told, and notes in words what it gets. It acknowledges unless it holds that back. */
export class WireClient {
  /** What has come since `take` was last called. */
  #events: string[] = []
  #answered = 0
  #pongs = 0
  #isClosed = false
  #isHolding = false
  readonly #held: Packet[] = []
  /** Called when something has come. */
  readonly #waiting = new Set<() => void>()
  readonly #aliases = new Map<number, string>()
  readonly #socket: Socket
  readonly #version: number
  #lastId = 0

  constructor(socketPath: string, version: number) {
    this.#version = version
    this.#socket = connect(socketPath)
    const parsing = parser({ protocolVersion: version })
    parsing.on('packet', packet => this.#take(packet))
    parsing.on('error', error => this.#events.push(`unreadable: ${error.message}`))
    this.#socket.on('data', chunk => {
      parsing.parse(chunk)
      this.#look()
    })
    // Bytes that the broker has not read when it closes make a reset of the end.
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.#isClosed = true
      this.#events.push('closed')
      this.#look()
    })
  }

  /** CONNECT; done when it is answered, and closed when it is refused. */
  async connect(options: Partial<IConnectPacket>): Promise<void> {
    const isBare = this.#version === 3
    this.#write({
      cmd: 'connect',
      protocolId: isBare ? 'MQIsdp' : 'MQTT',
      protocolVersion: this.#version as 3 | 4 | 5,
      clientId: '',
      keepalive: 60,
      clean: true,
      ...options,
    })
    await this.#until(() => this.#answered > 0)
    const isRefused = this.#events.some(event => /^connack [^0]/.test(event))
    if (isRefused) await this.closed()
  }

  /** Done when the broker has acknowledged it, or closed the connection. */
  async send(packet: Packet): Promise<void> {
    const before = this.#answered
    this.post(packet)
    if (packet.cmd !== 'publish' || packet.qos > 0) await this.#until(() => this.#answered > before)
  }

  /** Waits for nothing. */
  post(packet: Packet): void {
    const hasAnswer = packet.cmd !== 'publish' || packet.qos > 0
    this.#lastId += 1
    this.#write(hasAnswer ? { ...packet, messageId: this.#lastId } : packet)
  }

  /** DISCONNECT; done when the broker has closed. */
  async leave(reasonCode: number): Promise<void> {
    this.#write({ cmd: 'disconnect', ...(this.#version === 5 && { reasonCode }) })
    await this.closed()
  }

  async closed(): Promise<void> {
    await this.#until(() => this.#isClosed)
  }

  hold(): void {
    this.#isHolding = true
  }

  release(): void {
    this.#isHolding = false
    for (const packet of this.#held.splice(0)) this.#write(packet)
  }

  /** Once the broker has read all that was sent before. */
  async ping(): Promise<void> {
    const before = this.#pongs
    this.#write({ cmd: 'pingreq' })
    await this.#until(() => this.#pongs > before)
  }

  get eventCount(): number {
    return this.#events.length
  }

  /** What has come since the last call; in no order, since brokers have their own for retained messages. */
  take(): string[] {
    const events = this.#events.toSorted()
    this.#events = []
    return events
  }

  end(): void {
    this.#socket.destroy()
  }

  /** Also done when the connection has ended. */
  #until(isThere: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const look = (): void => {
        if (!isThere() && !this.#isClosed) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  #look(): void {
    for (const look of this.#waiting) look()
  }

  #write(packet: Packet): void {
    if (this.#isClosed) return
    const isNameless = packet.cmd === 'connect' && packet.clientId === ''
    const bytes = generate(isNameless ? { ...packet, clientId: '?' } : packet, { protocolVersion: this.#version })
    this.#socket.write(isNameless ? withoutIdentifier(bytes) : bytes)
  }

  #take(packet: Packet): void {
    switch (packet.cmd) {
      case 'pingresp':
        this.#pongs += 1
        return
      case 'publish':
        this.#events.push(this.#published(packet))
        if (packet.qos > 0) this.#acknowledge(packet.qos === 1 ? 'puback' : 'pubrec', packet.messageId)
        return
      case 'pubrel':
        this.#acknowledge('pubcomp', packet.messageId)
        return
      case 'pubrec':
        if ((packet.reasonCode ?? 0) < 0x80) {
          this.#write({ cmd: 'pubrel', messageId: packet.messageId ?? 0 })
          return
        }
        break
      default:
    }
    this.#answered += 1
    const event = shown(packet)
    if (event !== '') this.#events.push(event)
  }

  #acknowledge(cmd: 'puback' | 'pubrec' | 'pubcomp', messageId = 0): void {
    const packet = { cmd, messageId }
    if (this.#isHolding) this.#held.push(packet)
    else this.#write(packet)
  }

  #published({ topic, payload, qos, retain, properties }: Extract<Packet, { cmd: 'publish' }>): string {
    const alias = properties?.topicAlias
    if (alias !== undefined && topic !== '') this.#aliases.set(alias, topic)
    const name = topic === '' && alias !== undefined ? this.#aliases.get(alias) : topic
    return `publish ${name} '${payload.toString()}' QoS ${qos}${retain ? ' retained' : ''}`
  }
}

/** A short CONNECT of MQTT 3.1.1 or 5 without properties, whose identifier has one character: mqtt-packet would send none without. */
function withoutIdentifier(bytes: Buffer): Buffer {
  const [, remaining = 0] = bytes
  const end = bytes.indexOf('?') + 1
  const head = Buffer.from(bytes.subarray(0, end - 1))
  head[1] = remaining - 1
  head[end - 2] = 0
  return Buffer.concat([head, bytes.subarray(end)])
}

function shown(packet: Packet): string {
  switch (packet.cmd) {
    case 'connack': {
      const { properties = {}, reasonCode, returnCode, sessionPresent } = packet
      const values = shownProperties.flatMap(name => {
        const value = properties[name]
        return value === undefined ? [] : [`${name} ${String(value)}`]
      })
      const { assignedClientIdentifier: assigned } = properties
      if (assigned !== undefined) values.push(`assigned ${assigned.slice(0, 2)}…`)
      return [`connack ${reasonCode ?? returnCode}`, sessionPresent ? 'present' : 'new', ...values].join(' ')
    }
    case 'disconnect':
      // Mosquitto 2.0 tells some of those whose place is taken, and others not.
      return packet.reasonCode === sessionTakenOver ? '' : `disconnect ${packet.reasonCode ?? 0}`
    case 'suback':
    case 'unsuback':
      return `${packet.cmd} ${'granted' in packet ? JSON.stringify(packet.granted) : 'all'}`
    default:
      return `${packet.cmd} ${'reasonCode' in packet ? (packet.reasonCode ?? 0) : 0}`
  }
}

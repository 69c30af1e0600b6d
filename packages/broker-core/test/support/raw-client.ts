import { connect as openSocket } from 'node:net'
import type { Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import {
  FrameCutter,
  describeFrame,
  readAcknowledgement,
  readConnack,
  readGranted,
  readPublish,
  readReason,
} from './frame.ts'
import type {
  Acknowledgement,
  AcknowledgementType,
  Connack,
  Frame,
  Granted,
  PacketType,
  Publish,
  Reason,
} from './frame.ts'
import * as wire from './wire.ts'
import type { ConnectFields, FilterWish, PublishFields, Version } from './wire.ts'

/** ms of real time after which a test has waited in vain. */
const patience = 15_000

/** A client that sends and sees bytes on a real socket. Whatever arrives stays in order until it is asked for; nothing is
 * answered by itself. Its socket is destroyed when the test ends. */
export class RawClient {
  readonly socket: Socket
  /** What `send…` and `next…` speak; set by `connect`. */
  version: Version = 5
  clientId = ''
  connack: Connack = { sessionPresent: false, flags: 0, reasonCode: 0, properties: [] }
  readonly #cutter = new FrameCutter()
  readonly #frames: Frame[] = []
  #ended = false
  #wake: (() => void) | undefined
  #lastId = 0

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => {
      this.#frames.push(...this.#cutter.push(chunk))
      this.#wake?.()
    })
    // A reset is an end too; `closed` does not tell them apart.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#ended = true
      this.#wake?.()
    })
    onTestFinished(() => {
      socket.destroy()
    })
  }

  static async open(port: number): Promise<RawClient> {
    const socket = openSocket({ port, host: '127.0.0.1', noDelay: true })
    const client = new RawClient(socket)
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return client
  }

  /** Opens, sends CONNECT and takes the CONNACK, which must be a success. */
  static async connect(port: number, fields: ConnectFields = {}): Promise<RawClient> {
    const client = await RawClient.open(port)
    await client.connect(fields)
    if (client.connack.reasonCode !== 0) throw new Error(`CONNECT was refused with ${client.connack.reasonCode}`)
    return client
  }

  /** Sends CONNECT and takes the CONNACK, whatever it says. */
  async connect(fields: ConnectFields = {}): Promise<Connack> {
    this.version = fields.version ?? 5
    this.send(wire.connect(fields))
    this.connack = readConnack(await this.next('connack'), this.version)
    const assigned = this.connack.properties.find(([id]) => id === 0x12)?.[1]
    this.clientId = typeof assigned === 'string' ? assigned : String(fields.clientId ?? '')
    return this.connack
  }

  send(...chunks: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(chunks))
  }

  /** Sends PUBLISH in the client's version; at QoS 1 and 2 with an identifier of its own unless one is given. Returns the
   * identifier. Takes no acknowledgement. */
  publish(fields: PublishFields): number {
    const id = fields.id ?? (fields.qos === undefined || fields.qos === 0 ? 0 : this.#nextId())
    this.send(wire.publish({ version: this.version, ...fields, id }))
    return id
  }

  /** Publishes and takes every acknowledgement, to the end of the flow. */
  async publishDone(fields: PublishFields): Promise<void> {
    const id = this.publish(fields)
    if (fields.qos === 1) await this.nextAck('puback', id)
    else if (fields.qos === 2) {
      await this.nextAck('pubrec', id)
      this.send(wire.pubrel(id))
      await this.nextAck('pubcomp', id)
    } else await this.ping()
  }

  /** Sends SUBSCRIBE and takes the SUBACK, which must come before anything else. */
  async subscribe(...filters: readonly (FilterWish | string)[]): Promise<Granted> {
    return this.subscribeWith(filters)
  }

  /** The same with properties. A filter without options has QoS 0. */
  async subscribeWith(filters: readonly (FilterWish | string)[], properties: readonly number[] = []): Promise<Granted> {
    const id = this.#nextId()
    const wishes = filters.map((filter): FilterWish => (typeof filter === 'string' ? [filter, 0] : filter))
    this.send(wire.subscribe({ version: this.version, id, filters: wishes, properties }))
    const granted = await this.nextGranted('suback')
    if (granted.id !== id) throw new Error(`SUBACK for ${granted.id}, expected ${id}`)
    return granted
  }

  /** The next packet, which must be one of these. */
  async nextGranted(type: 'suback' | 'unsuback'): Promise<Granted> {
    return readGranted(await this.next(type), type, this.version)
  }

  async unsubscribe(...filters: readonly string[]): Promise<Granted> {
    const id = this.#nextId()
    this.send(wire.unsubscribe({ version: this.version, id, filters }))
    const granted = await this.nextGranted('unsuback')
    if (granted.id !== id) throw new Error(`UNSUBACK for ${granted.id}, expected ${id}`)
    return granted
  }

  /** The next whole packet, which must be of this type if one is named. Rejects when there is none within {@link patience},
   * or when the connection has ended. */
  async next(type?: PacketType): Promise<Frame> {
    await this.#until(() => this.#frames.length > 0 || this.#ended, type ?? 'a packet')
    const frame = this.#frames.shift()
    if (frame === undefined) throw new Error(`the connection ended, waiting for ${type ?? 'a packet'}`)
    if (type !== undefined && frame.type !== type) throw new Error(`expected ${type}, got ${describeFrame(frame)}`)
    return frame
  }

  async nextPublish(): Promise<Publish> {
    return readPublish(await this.next('publish'), this.version)
  }

  /** The next `count` packets, all PUBLISH. */
  async nextPublishes(count: number): Promise<readonly Publish[]> {
    const publishes: Publish[] = []
    while (publishes.length < count) publishes.push(await this.nextPublish())
    return publishes
  }

  /** The next packet must be this acknowledgement, and of this identifier if one is named. */
  async nextAck(type: AcknowledgementType, id?: number): Promise<Acknowledgement> {
    const acknowledgement = readAcknowledgement(await this.next(type), type, this.version)
    if (id !== undefined && acknowledgement.id !== id) {
      throw new Error(`expected ${type} of ${id}, got one of ${acknowledgement.id}`)
    }
    return acknowledgement
  }

  async nextDisconnect(): Promise<Reason> {
    return readReason(await this.next('disconnect'), 'disconnect')
  }

  /** Sends PINGREQ and takes PINGRESP, the next packet: all that was sent before has taken effect, and nothing else has come. */
  async ping(): Promise<void> {
    this.send(wire.pingreq)
    await this.next('pingresp')
  }

  /** Nothing is there and nothing is on its way: the answer to a PINGREQ is the next packet. What others do has to be done
   * before (await their acknowledgement or `ping`). */
  async expectNothing(): Promise<void> {
    await this.ping()
  }

  /** Waits for the end of the connection, from the broker's side; returns the packets that came before it. */
  async closed(): Promise<readonly Frame[]> {
    await this.#until(() => this.#ended, 'the end of the connection')
    const { pending } = this.#cutter
    if (pending.length > 0) throw new Error(`the connection ended within a packet: ${pending.toString('hex', 0, 64)}`)
    return this.#frames.splice(0)
  }

  /** The connection ends, and the last thing that comes is DISCONNECT with one of these codes ([MQTT5-3.14.4-1]); before
   * MQTT 5 just the end. */
  async closedWith(...reasonCodes: readonly number[]): Promise<void> {
    const frames = await this.closed()
    const last = frames.at(-1)
    if (this.version !== 5) {
      if (last?.type === 'disconnect') throw new Error(`MQTT 3 client got ${describeFrame(last)}`)
      return
    }
    if (last === undefined) throw new Error(`the connection ended without DISCONNECT`)
    const { reasonCode } = readReason(last, 'disconnect')
    if (!reasonCodes.includes(reasonCode)) {
      throw new Error(`DISCONNECT has 0x${reasonCode.toString(16)}: ${describeFrame(last)}`)
    }
  }

  /** Reads no more until `resume`. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  #nextId(): number {
    this.#lastId = (this.#lastId % 65_535) + 1
    return this.#lastId
  }

  async #until(isThere: () => boolean, what: string): Promise<void> {
    if (isThere()) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined
        const seen = this.#frames.map(frame => describeFrame(frame)).join(', ')
        const pending = this.#cutter.pending.toString('hex', 0, 64)
        reject(new Error(`no ${what} within ${patience} ms; unread: [${seen}], buffer: <${pending}>`))
      }, patience)
      this.#wake = () => {
        if (!isThere()) return
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }
}

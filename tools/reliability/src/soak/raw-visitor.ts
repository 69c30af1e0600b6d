import { once } from 'node:events'
import { acknowledgement, connect, disconnect, property, publish, subscribe, unsubscribe } from '../wire/bytes.ts'
import { FrameCutter, packetType } from '../wire/frames.ts'
import type { Frame } from '../wire/frames.ts'
import { MqttStream } from './transport.ts'
import { sessionExpiry } from './visitor.ts'
import type { Visit, Visitor } from './visitor.ts'

/** A client of bytes alone. */
export class RawVisitor implements Visitor {
  readonly #visit: Visit
  readonly #stream: MqttStream
  readonly #cutter = new FrameCutter()
  /** By type and packet identifier of what is awaited. */
  readonly #awaited = new Map<string, () => void>()
  #failed: ((error: Error) => void) | undefined
  #nextId = 0

  constructor(visit: Visit) {
    this.#visit = visit
    visit.tally.connections += 1
    this.#stream = new MqttStream(visit.transport, visit.ways)
    this.#stream.on('error', error => this.#failed?.(error))
    this.#stream.on('close', () => this.#failed?.(new Error('the connection was closed')))
    this.#stream.on('data', (chunk: Buffer) => {
      this.#cutter.push(chunk, frame => this.#receive(frame))
    })
  }

  get received(): number {
    return this.#stream.received.publishes
  }

  get receivedPackets(): number {
    return this.#stream.received.packets
  }

  async connect(): Promise<void> {
    const { version, clientId, cleanStart, tally } = this.#visit
    const properties = property.sessionExpiryInterval(cleanStart ? 0 : sessionExpiry)
    await this.#exchange(connect({ version, clientId, cleanStart, properties }), `${packetType.connack}`)
    tally.accepted += 1
  }

  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    const id = this.#id()
    const { version } = this.#visit
    await this.#exchange(subscribe({ version, id, filters: [filter], options: qos }), `${packetType.suback}/${id}`)
  }

  async unsubscribe(filter: string): Promise<void> {
    const id = this.#id()
    const { version } = this.#visit
    await this.#exchange(unsubscribe({ version, id, filters: [filter] }), `${packetType.unsuback}/${id}`)
  }

  async publish(topic: string, payload: Buffer, qos: 0 | 1 | 2): Promise<void> {
    const { version } = this.#visit
    if (qos === 0) return this.#send(publish({ version, topic, payload }))
    const id = this.#id()
    const end = qos === 1 ? packetType.puback : packetType.pubcomp
    await this.#exchange(publish({ version, topic, payload, qos, id }), `${end}/${id}`)
  }

  async leave(how: 'disconnect' | 'cut'): Promise<void> {
    this.#failed = undefined
    if (how === 'disconnect') {
      this.#send(disconnect)
      this.#stream.end()
    } else {
      this.#visit.tally.addCut(this.#visit)
      this.#stream.destroy()
    }
    if (!this.#stream.closed) await once(this.#stream, 'close')
    this.#visit.tally.add(this.#stream)
  }

  #id(): number {
    this.#nextId = (this.#nextId % 65_535) + 1
    return this.#nextId
  }

  #send(packet: Buffer): void {
    this.#stream.write(packet)
  }

  async #exchange(packet: Buffer, answer: string): Promise<void> {
    const answered = new Promise<void>((resolve, reject) => {
      this.#awaited.set(answer, resolve)
      this.#failed = reject
    })
    this.#send(packet)
    await answered
  }

  #receive({ type, flags, body }: Frame): void {
    if (type === packetType.connack) return this.#answered(`${type}`)
    if (type === packetType.publish) return this.#receivePublish((flags >> 1) & 3, body)
    const id = body.length < 2 ? 0 : body.readUInt16BE(0)
    if (type === packetType.pubrec) this.#send(acknowledgement(0x62, id))
    else if (type === packetType.pubrel) this.#send(acknowledgement(0x70, id))
    else this.#answered(`${type}/${id}`)
  }

  #receivePublish(qos: number, body: Buffer): void {
    if (qos > 0) this.#send(acknowledgement(qos === 1 ? 0x40 : 0x50, body.readUInt16BE(2 + body.readUInt16BE(0))))
  }

  #answered(answer: string): void {
    this.#awaited.get(answer)?.()
    this.#awaited.delete(answer)
  }
}

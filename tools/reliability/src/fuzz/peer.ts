import { acknowledgement, packet, u16 } from '../wire/bytes.ts'
import { FrameCutter, packetType } from '../wire/frames.ts'
import type { Frame } from '../wire/frames.ts'
import type { Finding, Manner } from './case.ts'
import type { Line } from './line.ts'

const auth = 15
/** Types of packets that only clients send. */
const clientTypes: ReadonlySet<number> = new Set([0, 1, 8, 10, 12])

/** Reads what the broker sends to one peer: says where that is against the protocol, and answers in its manner. */
export class Peer {
  readonly findings: Finding[] = []
  readonly #manner: Manner
  readonly #cutter = new FrameCutter()
  readonly #counts = new Map<number, number>()
  #line: Line | undefined
  /** 5: MQTT 5.0; 4: before that; undefined: CONNACK has not come. */
  #version: 4 | 5 | undefined

  constructor(manner: Manner) {
    this.#manner = manner
  }

  /** What it answers goes there. */
  speakOn(line: Line): void {
    this.#line = line
  }

  count(type: number): number {
    return this.#counts.get(type) ?? 0
  }

  take(chunk: Buffer): void {
    try {
      this.#cutter.push(chunk, frame => this.#receive(frame))
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error))
    }
  }

  #receive(frame: Frame): void {
    const { type } = frame
    this.#counts.set(type, this.count(type) + 1)
    if (clientTypes.has(type)) this.#complain(`a packet of type ${type}`)
    if (type === packetType.connack) this.#receiveConnack(frame)
    else if (this.#version === undefined && type !== auth) this.#complain(`a packet of type ${type} before CONNACK`)
    if (this.#version === 4 && type > packetType.pingresp) this.#complain(`a packet of type ${type} in MQTT 3`)
    this.#answer(frame)
  }

  #receiveConnack({ body }: Frame): void {
    if (this.#version !== undefined) this.#complain('a second CONNACK')
    this.#version = body.length === 2 ? 4 : 5
  }

  #answer({ type, flags, body }: Frame): void {
    if (this.#manner === 'silent') return
    if (type === packetType.publish) {
      const qos = (flags >> 1) & 3
      if (qos > 0) this.#acknowledge(qos === 1 ? 0x40 : 0x50, body.readUInt16BE(2 + body.readUInt16BE(0)))
    }
    if (type === packetType.pubrel) this.#acknowledge(0x70, body.readUInt16BE(0))
    if (type === packetType.pubrec) this.#acknowledge(0x62, body.readUInt16BE(0))
  }

  #acknowledge(first: number, id: number): void {
    if (this.#manner === 'refusing' && this.#version === 5) this.#line?.send(packet(first, u16(id), 0x80))
    else if (this.#manner === 'confused') this.#confuse(first, id)
    else this.#line?.send(acknowledgement(first, id))
  }

  #confuse(first: number, id: number): void {
    const wrong = [
      [acknowledgement(first, id + 1)],
      [acknowledgement(first, id), acknowledgement(first, id)],
      [acknowledgement(0x40, id)],
      [acknowledgement(0x50, id)],
      [acknowledgement(0x70, id)],
      [acknowledgement(0x62, id)],
    ]
    for (const answer of wrong[id % wrong.length] ?? []) this.#line?.send(answer)
  }

  #complain(message: string): void {
    this.findings.push({ check: 'wire', message: `the broker sent ${message}` })
  }
}

import type { Random } from '@x/chaos/random'
import { bytes, text, u16, u32, variableInteger } from '../wire/bytes.ts'

type Wire = 'flag' | 'u16' | 'u32' | 'variableInteger' | 'text' | 'binary' | 'pair'
type PacketName =
  | 'connect'
  | 'will'
  | 'publish'
  | 'subscribe'
  | 'unsubscribe'
  | 'acknowledgement'
  | 'disconnect'
  | 'auth'

interface PropertyRow {
  readonly wire: Wire
  /** Packets of a client that may have it. */
  readonly packets: readonly PacketName[]
}

/** MQTT 5.0 §2.2.2.2 */
const table: Readonly<Record<number, PropertyRow>> = {
  0x01: { wire: 'flag', packets: ['publish', 'will'] },
  0x02: { wire: 'u32', packets: ['publish', 'will'] },
  0x03: { wire: 'text', packets: ['publish', 'will'] },
  0x08: { wire: 'text', packets: ['publish', 'will'] },
  0x09: { wire: 'binary', packets: ['publish', 'will'] },
  0x0b: { wire: 'variableInteger', packets: ['subscribe'] },
  0x11: { wire: 'u32', packets: ['connect', 'disconnect'] },
  0x12: { wire: 'text', packets: [] },
  0x13: { wire: 'u16', packets: [] },
  0x15: { wire: 'text', packets: ['connect', 'auth'] },
  0x16: { wire: 'binary', packets: ['connect', 'auth'] },
  0x17: { wire: 'flag', packets: ['connect'] },
  0x18: { wire: 'u32', packets: ['will'] },
  0x19: { wire: 'flag', packets: ['connect'] },
  0x1a: { wire: 'text', packets: [] },
  0x1c: { wire: 'text', packets: [] },
  0x1f: { wire: 'text', packets: ['disconnect', 'acknowledgement', 'auth'] },
  0x21: { wire: 'u16', packets: ['connect'] },
  0x22: { wire: 'u16', packets: ['connect'] },
  0x23: { wire: 'u16', packets: ['publish'] },
  0x24: { wire: 'flag', packets: [] },
  0x25: { wire: 'flag', packets: [] },
  0x26: {
    wire: 'pair',
    packets: ['connect', 'will', 'publish', 'subscribe', 'unsubscribe', 'acknowledgement', 'disconnect', 'auth'],
  },
  0x27: { wire: 'u32', packets: ['connect'] },
  0x28: { wire: 'flag', packets: [] },
  0x29: { wire: 'flag', packets: [] },
  0x2a: { wire: 'flag', packets: [] },
}

const rows = Object.entries(table).map(([id, { wire, packets }]) => ({ id: Number(id), wire, packets }))
const numbers = [0, 1, 2, 5, 30, 127, 128, 65_535, 4_294_967_295] as const
const texts = ['', 'M', 'f/a', 'f/+', '#', 'é😀', 'x'.repeat(200)] as const

/** Properties for a packet: mostly those it may have, each once; now and then another one, or one twice. */
export function randomProperties(random: Random, packet: PacketName): Buffer {
  if (random.chance(0.5)) return Buffer.alloc(0)
  const allowed = rows.filter(({ packets }) => packets.includes(packet))
  const parts: Buffer[] = []
  const used = new Set<number>()
  for (let count = random.between(1, 4); count > 0; count--) {
    const { id, wire } = random.pick(random.chance(0.03) ? rows : allowed)
    if (used.has(id) && wire !== 'pair' && !random.chance(0.03)) continue
    used.add(id)
    parts.push(bytes(id, randomValue(random, wire)))
  }
  return Buffer.concat(parts)
}

function randomValue(random: Random, wire: Wire): Buffer {
  const number = random.chance(0.5) ? random.between(0, 60) : random.pick(numbers)
  const values: Readonly<Record<Wire, () => Buffer>> = {
    flag: () => Buffer.of(random.chance(0.95) ? random.between(0, 1) : number & 0xff),
    u16: () => u16(number & 0xffff),
    u32: () => u32(number),
    variableInteger: () => variableInteger(Math.min(number, 268_435_455)),
    text: () => text(random.pick(texts)),
    binary: () => text(random.pick(texts)),
    pair: () => bytes(text(random.pick(texts)), text(random.pick(texts))),
  }
  return values[wire]()
}

import type { Direction } from './direction.ts'

/** A look at what passes on one connection: where in the chunk the wanted thing begins, or -1. */
type Look = (chunk: Buffer) => number

/** A named place in the talk of broker and Redis, or of client and broker, where something can be held back. */
export interface Point {
  readonly name: string
  readonly link: 'redis' | 'clients'
  readonly watches: Direction
  /** The watched direction: the thing and all after it do not pass. The other one: the thing passes and is not answered. */
  readonly holds: Direction
  /** Makes a look for one connection, from its first byte on. */
  watch(): Look
}

const packetTypes = { connack: 2, puback: 4, pubrec: 5, pubcomp: 7, suback: 9 } as const
/** Redis runs the function, and the broker is not told. */
const unanswered = ['publish', 'settle', 'open', 'close', 'claim', 'due', 'lease', 'subscribe', 'spread'] as const
/** The broker has sent the call, and Redis never sees it. */
const unsent = ['publish', 'settle', 'close'] as const

export const points: readonly Point[] = [
  ...(Object.keys(packetTypes) as (keyof typeof packetTypes)[]).map((packet): Point => ({
    name: `before ${packet} passes`,
    link: 'clients',
    watches: 'down',
    holds: 'down',
    watch: () => packetLook(packetTypes[packet]),
  })),
  ...unanswered.map((call): Point => ({
    name: `before the answer to ${call} passes`,
    link: 'redis',
    watches: 'up',
    holds: 'down',
    watch: () => callLook(call),
  })),
  ...unsent.map((call): Point => ({
    name: `before ${call} reaches Redis`,
    link: 'redis',
    watches: 'up',
    holds: 'up',
    watch: () => callLook(call),
  })),
]

/** Where the next packet of that type begins, in the packets of one direction. MQTT 5.0 §2.1 */
export function packetLook(type: number): Look {
  /** Bytes of the packet at hand that are still to come; -1: its length isn't known yet. */
  let rest = 0
  let length = 0
  let shift = 0
  return chunk => {
    let found = -1
    for (let place = 0; place < chunk.length;) {
      if (rest === 0) {
        if (found < 0 && (chunk[place] as number) >> 4 === type) found = place
        rest = -1
        length = 0
        shift = 0
        place += 1
      } else if (rest < 0) {
        const byte = chunk[place] as number
        length |= (byte & 0x7f) << shift
        shift += 7
        place += 1
        if (byte < 0x80) rest = length
      } else {
        const passed = Math.min(rest, chunk.length - place)
        rest -= passed
        place += passed
      }
    }
    return found
  }
}

/** Where a call of that function begins; one that is torn over two chunks is missed, and the next one is found. */
export function callLook(name: string): Look {
  const pattern = Buffer.from(`_${name}\r\n`)
  return chunk => {
    const at = chunk.indexOf(pattern)
    return at < 0 ? -1 : Math.max(0, chunk.lastIndexOf('*', at))
  }
}

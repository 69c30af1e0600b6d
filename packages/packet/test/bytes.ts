import type { Packet } from '../src/index.ts'

/** A byte, or a string for its UTF-8. */
export type Part = number | string

/** The bytes of a fixture; an array is a row, the bytes of one field. */
export function bytes(...rows: (Part | readonly Part[] | Uint8Array)[]): Buffer {
  const parts = rows.flatMap(row => (typeof row === 'object' ? Array.from<Part>(row) : row))
  return Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'utf8') : Buffer.of(part))))
}

/** A user property of ASCII characters in wire form. */
export function userProperty(name: string, value: string): Part[] {
  return [0x26, 0, name.length, name, 0, value.length, value]
}

const addedByDecoding = new Set(['length', 'retain', 'qos', 'dup', 'topic', 'payload'])

/** A packet without what decoding adds to any packet, which fixtures do not repeat. */
export function essence(packet: Packet): object {
  const isAdded = (field: string): boolean => {
    return packet.cmd === 'publish' ? field === 'length' : addedByDecoding.has(field)
  }
  return Object.fromEntries(Object.entries(packet).filter(([field]) => !isAdded(field)))
}

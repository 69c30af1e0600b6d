import type { Packet } from '../src/index.ts'

/** The bytes of a fixture: numbers are bytes, strings their UTF-8. */
export function bytes(...parts: (number | string)[]): Buffer {
  return Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'utf8') : Buffer.of(part))))
}

/** A packet without what decoding adds to any packet, which fixtures do not repeat. */
export function essence(packet: Packet): object {
  const { length, ...rest } = packet
  if (rest.cmd === 'publish') return rest
  const { retain, qos, dup, topic, payload, ...essential } = rest
  return essential
}

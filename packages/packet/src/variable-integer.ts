import { PacketError, tooShort } from './packet-error.ts'

/** The largest variable byte integer (MQTT 5.0 §1.5.5). */
export const MAXIMUM_VARIABLE_INTEGER = 268_435_455

/** Bytes that `value` takes as a variable byte integer, 1 to 4. */
export function variableIntegerSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  return value < 0x20_0000 ? 3 : 4
}

/** Reads a variable byte integer that must end before `end`; how many bytes it took is {@link variableIntegerSize} of it.
 * @throws PacketError `VARIABLE_INTEGER` when it is longer than 4 bytes or than it need be [MQTT5-1.5.5-1],
 * `PACKET_TOO_SHORT` when it reaches `end`. */
export function readVariableInteger(source: Uint8Array, position: number, end: number, frameStart: number): number {
  if (position < end) {
    const first = source[position] as number
    if (first < 0x80) return first
  }
  return readLongVariableInteger(source, position, end, frameStart)
}

function readLongVariableInteger(source: Uint8Array, start: number, end: number, frameStart: number): number {
  let value = 0
  for (let index = 0; index < 4; index++) {
    if (start + index >= end) throw tooShort('variable byte integer', start - frameStart)
    const byte = source[start + index] as number
    value |= (byte & 0x7f) << (7 * index)
    if (byte >= 0x80) continue
    if (byte === 0 && index > 0) break
    return value
  }
  throw new PacketError('VARIABLE_INTEGER', {
    message: 'Variable byte integer takes more bytes than it needs, or more than 4',
    offset: start - frameStart,
  })
}

/** Offset behind the fixed header of the frame at `frameStart`, whose length field is complete and valid. */
export function bodyOffset(source: Uint8Array, frameStart: number): number {
  let position = frameStart + 1
  while ((source[position] as number) >= 0x80) position++
  return position + 1
}

/** Writes `value` (0 to {@link MAXIMUM_VARIABLE_INTEGER}) and returns the offset behind it. */
export function writeVariableInteger(target: Uint8Array, offset: number, value: number): number {
  let rest = value
  let position = offset
  while (rest >= 0x80) {
    target[position++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[position++] = rest
  return position
}

import { PacketError } from './packet-error.ts'

/** Checks that the bytes are a UTF-8 Encoded String (MQTT 5.0 §1.5.4) and tells whether all of them are ASCII.
 * @throws PacketError `UTF8_INVALID` for surrogates, overlong forms, code points above U+10FFFF and cut sequences
 * [MQTT5-1.5.4-1], `NUL_CHARACTER` for U+0000 [MQTT5-1.5.4-2]. Offsets count from `frameStart`. */
export function checkUtf8(source: Uint8Array, start: number, end: number, frameStart: number): boolean {
  for (let position = start; position < end; position++) {
    const byte = source[position] as number
    if (byte >= 0x80) {
      checkUtf8Sequences(source, position, end, frameStart)
      return false
    }
    if (byte === 0) throw nulCharacter(position - frameStart)
  }
  return true
}

function checkUtf8Sequences(source: Uint8Array, start: number, end: number, frameStart: number): void {
  let position = start
  while (position < end) {
    const byte = source[position] as number
    if (byte === 0) throw nulCharacter(position - frameStart)
    if (byte < 0x80) {
      position++
      continue
    }
    const size = sequenceSize(source, position, end)
    if (size === 0) throw utf8Invalid(position - frameStart)
    position += size
  }
}

/** Bytes of the well-formed sequence at `position`, whose first byte is not ASCII; 0 when it is ill-formed.
 * The limits for the second byte are those of the Unicode Standard's table of well-formed byte sequences. */
function sequenceSize(source: Uint8Array, position: number, end: number): number {
  const first = source[position] as number
  if (first < 0xc2 || first > 0xf4) return 0
  const size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  if (position + size > end) return 0
  const second = source[position + 1] as number
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < least || second > most) return 0
  for (let index = 2; index < size; index++) {
    if (((source[position + index] as number) & 0xc0) !== 0x80) return 0
  }
  return size
}

function nulCharacter(offset: number): PacketError {
  return new PacketError('NUL_CHARACTER', { message: 'String contains the character U+0000', offset })
}

function utf8Invalid(offset: number): PacketError {
  return new PacketError('UTF8_INVALID', { message: 'String is not well-formed UTF-8', offset })
}

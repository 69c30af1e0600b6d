import { expect, test } from 'vitest'
import { Decoder, PacketError, packetErrorTable } from '../src/index.ts'
import { malformedRows } from './malformed.ts'

const rows = malformedRows.flatMap(row => row.versions.map(version => ({ ...row, version })))

function refusalOf(row: (typeof rows)[number], chunks: Iterable<Buffer>): object {
  const decoder = new Decoder({ protocolVersion: row.version, maximumPacketSize: 1000 })
  try {
    for (const chunk of chunks) for (const packet of decoder.push(chunk)) return packet
  } catch (error) {
    if (error instanceof PacketError) return { code: error.code, reasonCode: error.reasonCode, offset: error.offset }
    throw error
  }
  return { code: 'none: more bytes are expected' }
}

test.each(rows)('refuses $title, version $version, with $code', row => {
  const expected = { code: row.code, reasonCode: row.reasonCode, offset: row.offset }
  expect(refusalOf(row, [row.stream])).toEqual(expected)
})

test.each(rows)('refuses $title, version $version, alike when it comes byte by byte', row => {
  const expected = { code: row.code, reasonCode: row.reasonCode, offset: row.offset }
  const single = Array.from(row.stream, byte => Buffer.of(byte))
  expect(refusalOf(row, single)).toEqual(expected)
})

test('the table has every code that bytes can cause', () => {
  const callersFaults = [
    'READER_NOT_DRAINED',
    'TOO_MANY_FILTERS',
    'TOO_MANY_USER_PROPERTIES',
    'UNDECODABLE',
    'UNENCODABLE',
  ]
  const caused = new Set([...malformedRows.map(row => row.code), 'PROPERTY_REPEATED'])
  expect([...caused, ...callersFaults].toSorted()).toEqual(Object.keys(packetErrorTable).toSorted())
})

test.each([
  { stream: [0x36, 0], message: 'Packet must not have both QoS bits set to 1' },
  { stream: [0x80, 0], message: 'Invalid header flag bits, must be 0x2 for subscribe packet' },
  { stream: [0xe1, 0], message: 'Invalid header flag bits, must be 0x0 for disconnect packet' },
  { stream: [0x10, 7, 0, 4, 0x48, 0x54, 0x54, 0x50, 4], message: 'Invalid protocolId' },
  { stream: [0x10, 7, 0, 4, 0x4d, 0x51, 0x54, 0x54, 7], message: 'Invalid protocol version' },
])('says "$message"', ({ stream, message }) => {
  const decoder = new Decoder()
  expect(() => [...decoder.push(Buffer.from(stream))]).toThrow(message)
})

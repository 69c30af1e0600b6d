import { expect, test } from 'vitest'
import { AckFrame, packetHeader, writeAck } from '../src/index.ts'
import { bytes } from './bytes.ts'

test('one cursor reads acknowledgements one after the other', () => {
  const source = bytes(
    [0x50, 3, 1, 2, 0x97], // PUBREC, packet identifier 258, quota exceeded
    [0x40, 2, 0, 7], // PUBACK, packet identifier 7
  )
  const ack = new AckFrame()
  ack.read(source, 0x50, 2, 5, 5)
  expect(ack).toMatchObject({ messageId: 258, reasonCode: 0x97 })
  ack.read(source, 0x40, 7, 9, 5)
  expect(ack).toMatchObject({ messageId: 7, reasonCode: 0 })
})

test('a long reason string is checked and passed over', () => {
  const source = bytes(
    [0x40, 0x8a, 0x01], // PUBACK, 138 bytes remain
    [0, 7, 0x10], // packet identifier 7, no matching subscribers
    [0x85, 0x01], // 133 bytes of properties
    [0x1f, 0, 130, 'r'.repeat(130)], // reason string
    0xc0, // next packet
  )
  const ack = new AckFrame()
  ack.read(source, 0x40, 3, 141, 5)
  expect(ack).toMatchObject({ messageId: 7, reasonCode: 0x10 })
  // One byte less: the offset counts a length field of two bytes.
  expect(() => {
    ack.read(source, 0x40, 3, 140, 5)
  }).toThrow(expect.objectContaining({ code: 'PACKET_TOO_SHORT', offset: 6 }))
})

test.each([
  { header: packetHeader.PUBACK, version: 4, reasonCode: 0, expected: [0x40, 2, 1, 2] },
  { header: packetHeader.PUBREC, version: 5, reasonCode: 0x97, expected: [0x50, 3, 1, 2, 0x97] },
  { header: packetHeader.PUBREL, version: 5, reasonCode: 0, expected: [0x62, 2, 1, 2] },
  { header: packetHeader.PUBCOMP, version: 3, reasonCode: 0x92, expected: [0x70, 2, 1, 2] },
] as const)('writes $header with reason code $reasonCode in version $version', row => {
  const target = Buffer.alloc(8)
  const end = writeAck(target, 1, row.header, 258, row.reasonCode, row.version)
  expect(target.subarray(1, end)).toEqual(Buffer.from(row.expected))
})

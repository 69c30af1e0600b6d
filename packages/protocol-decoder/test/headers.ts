/** Headers of PROXY protocol version 2, put together by hand. */
const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

export function inet(source: string, destination: string, sourcePort: number, destinationPort: number): Buffer {
  const ends = Buffer.from([...`${source}.${destination}`.split('.').map(Number), 0, 0, 0, 0])
  ends.writeUInt16BE(sourcePort, 8)
  ends.writeUInt16BE(destinationPort, 10)
  return ends
}

/** 2001:db8::SOURCE and 2001:db8::DESTINATION */
export function inet6(source: number, destination: number, sourcePort: number, destinationPort: number): Buffer {
  const ends = Buffer.alloc(36)
  for (const [index, last] of [source, destination].entries()) {
    ends.writeUInt32BE(0x2001_0db8, 16 * index)
    ends.writeUInt8(last, 16 * index + 15)
  }
  ends.writeUInt16BE(sourcePort, 32)
  ends.writeUInt16BE(destinationPort, 34)
  return ends
}

export function tlv(type: number, value: Buffer): Buffer {
  const head = Buffer.from([type, 0, 0])
  head.writeUInt16BE(value.length, 1)
  return Buffer.concat([head, value])
}

/** PP2_TYPE_SSL of a client that showed a certificate, which was verified. */
export function ssl(...subvalues: readonly Buffer[]): Buffer {
  return tlv(0x20, Buffer.concat([Buffer.from([0x07, 0, 0, 0, 0]), ...subvalues]))
}

export function version2({
  command = 0x21,
  family = 0x11,
  ends = inet('192.0.2.1', '198.51.100.2', 56_324, 1883),
  tlvs = [],
}: {
  command?: number
  family?: number
  ends?: Buffer
  tlvs?: readonly Buffer[]
} = {}): Buffer {
  const body = Buffer.concat([ends, ...tlvs])
  const head = Buffer.concat([signature, Buffer.from([command, family, 0, 0])])
  head.writeUInt16BE(body.length, 14)
  return Buffer.concat([head, body])
}

export function withChecksum(tlvs: readonly Buffer[]): Buffer {
  const header = version2({ tlvs: [...tlvs, tlv(3, Buffer.alloc(4))] })
  header.writeUInt32BE(castagnoli(header), header.length - 4)
  return header
}

/** Bit by bit, as RFC 9260 defines it. */
function castagnoli(bytes: Buffer): number {
  let value = 0xffff_ffff
  for (const byte of bytes) {
    value ^= byte
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f6_3b78 : value >>> 1
  }
  return (value ^ 0xffff_ffff) >>> 0
}

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DecodeError, parseProxyHeader } from '../src/index.ts'
import type { ProxyHeader } from '../src/index.ts'
import { inet, inet6, ssl, tlv, version2, withChecksum } from './headers.ts'

function parsed(bytes: Buffer): ProxyHeader {
  const header = parseProxyHeader(bytes)
  if (typeof header !== 'object') throw new TypeError(`no header but ${header}`)
  return header
}

test('version 1 over IPv4', () => {
  const line = 'PROXY TCP4 192.0.2.1 198.51.100.2 56324 1883\r\n'
  expect(parsed(Buffer.from(`${line}rest`))).toEqual({
    version: 1,
    source: { address: '192.0.2.1', port: 56_324 },
    destination: { address: '198.51.100.2', port: 1883 },
    tlvs: [],
    length: line.length,
  })
})

test('version 1 over IPv6, as long as it can be', () => {
  const longest = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'
  const line = `PROXY TCP6 ${longest} ${longest} 65535 65535\r\n`
  expect(parsed(Buffer.from(line))).toMatchObject({ source: { address: longest, port: 65_535 }, length: line.length })
})

test.for(['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n'])(
  'version 1 of an unknown protocol: %j',
  line => {
    expect(parsed(Buffer.from(line))).toMatchObject({ source: undefined, destination: undefined, length: line.length })
  },
)

test.for([
  'PROXY \r\n',
  'PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n',
  'PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n',
  'PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n',
  'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n',
  'PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n',
  'PROXY TCP4 ::1 192.0.2.2 1 2\r\n',
  'PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n',
  'PROXY TCP6 192.0.2.1 ::1 1 2\r\n',
  'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
  'PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n',
  'PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n',
  'PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n',
  'PROXY TCP4 192.0.2.1 192.0.2.2 1e3 2\r\n',
  'PROXY TCP4 192.0.2.1 192.0.2.2 1.0 2\r\n',
  'PROXY TCP4 192.0.2.1 192.0.2.2  2\r\n',
])('version 1 that is wrong is refused: %j', line => {
  expect(() => parseProxyHeader(Buffer.from(line))).toThrow(
    expect.objectContaining({ name: 'DecodeError', code: 'PROXY_HEADER_INVALID' }),
  )
})

test('version 1 without an end within 107 bytes is refused, and before that waited for', () => {
  const line = Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`)
  expect(parseProxyHeader(line.subarray(0, 106))).toBe('incomplete')
  expect(() => parseProxyHeader(line.subarray(0, 107))).toThrow(
    expect.objectContaining({ code: 'PROXY_HEADER_TOO_LARGE' }),
  )
})

test('version 2 over IPv4 and IPv6', () => {
  expect(parsed(version2({ ends: inet('192.0.2.1', '198.51.100.2', 56_324, 1883) }))).toEqual({
    version: 2,
    source: { address: '192.0.2.1', port: 56_324 },
    destination: { address: '198.51.100.2', port: 1883 },
    tlvs: [],
    length: 28,
  })
  expect(parsed(version2({ family: 0x21, ends: inet6(1, 2, 3, 4) }))).toMatchObject({
    source: { address: '2001:db8::1', port: 3 },
    destination: { address: '2001:db8::2', port: 4 },
    length: 52,
  })
})

test('version 2 keeps its additional values, in their order', () => {
  const header = version2({
    tlvs: [tlv(0x02, Buffer.from('mqtt.example.org')), tlv(0xe0, Buffer.from([1, 2])), tlv(0x04, Buffer.alloc(0))],
  })
  expect(parsed(header).tlvs).toEqual([
    { type: 0x02, value: Buffer.from('mqtt.example.org') },
    { type: 0xe0, value: Buffer.from([1, 2]) },
    { type: 0x04, value: Buffer.alloc(0) },
  ])
})

test('what is kept of a header does not hold on to the bytes behind it', () => {
  const chunk = Buffer.concat([version2({ tlvs: [tlv(1, Buffer.from('x'))] }), Buffer.alloc(60_000)])
  expect(parsed(chunk).tlvs[0]?.value.buffer).not.toBe(chunk.buffer)
})

test.for<[string, Parameters<typeof version2>[0]]>([
  ['LOCAL', { command: 0x20 }],
  ['an unspecified family', { family: 0, ends: Buffer.alloc(0) }],
  ['datagrams', { family: 0x12 }],
  ['Unix sockets', { family: 0x31, ends: Buffer.alloc(216) }],
])('version 2 for %s has no ends', ([, parts]) => {
  expect(parsed(version2(parts))).toMatchObject({ source: undefined, destination: undefined })
})

test('version 2 with a checksum (CRC-32C) is checked', () => {
  const header = withChecksum([tlv(0x05, Buffer.from('id'))])
  expect(parsed(header).tlvs.map(({ type }) => type)).toEqual([0x05, 0x03])
  const broken = Buffer.from(header)
  broken.writeUInt16BE(broken.readUInt16BE(24) ^ 1, 24)
  expect(() => parseProxyHeader(broken)).toThrow('checksum that does not fit')
})

test.for<[string, Buffer]>([
  ['version 1 in binary', version2({ command: 0x11 })],
  ['an unknown command', version2({ command: 0x22 })],
  ['an unknown family', version2({ family: 0x41 })],
  ['an unknown transport', version2({ family: 0x13 })],
  ['addresses that are cut', version2({ ends: Buffer.alloc(11) })],
  ['a value that is cut in its head', version2({ tlvs: [Buffer.from([1, 0])] })],
  ['a value longer than the header', version2({ tlvs: [Buffer.from([1, 0, 9, 1])] })],
  ['a checksum of three bytes', version2({ tlvs: [tlv(3, Buffer.alloc(3))] })],
  ['a checksum of five bytes', version2({ tlvs: [tlv(3, Buffer.alloc(5))] })],
  ['a second value longer than the header', version2({ tlvs: [tlv(1, Buffer.alloc(2)), Buffer.from([2, 0, 1])] })],
  ['an identifier of 129 bytes', version2({ tlvs: [tlv(5, Buffer.alloc(129))] })],
  ['TLS without a result', version2({ tlvs: [tlv(0x20, Buffer.from([7, 0, 0, 0]))] })],
  ['an empty TLS value', version2({ tlvs: [tlv(0x20, Buffer.alloc(0))] })],
  ['a TLS sub-value that overruns', version2({ tlvs: [ssl(Buffer.from([0x22, 0, 2, 0x61]))] })],
  [
    'a second TLS sub-value that overruns',
    version2({ tlvs: [ssl(tlv(0x21, Buffer.from('x')), Buffer.from([0x22, 0xff, 0xff]))] }),
  ],
  [
    'a TLS sub-value that overruns into the next value',
    version2({ tlvs: [ssl(Buffer.from([0x22, 0, 4])), tlv(1, Buffer.from('x'))] }),
  ],
  [
    'a TLS sub-value that is cut in its head',
    version2({ tlvs: [ssl(tlv(0x22, Buffer.from('x')), Buffer.from([0x23]))] }),
  ],
  ['a Common Name that is no UTF-8', version2({ tlvs: [ssl(tlv(0x22, Buffer.from([0x61, 0xff])))] })],
  ['a Common Name with a NUL', version2({ tlvs: [ssl(tlv(0x22, Buffer.from('root\0x')))] })],
  ['two Common Names', version2({ tlvs: [ssl(tlv(0x22, Buffer.from('a')), tlv(0x22, Buffer.from('b')))] })],
  ['two TLS values', version2({ tlvs: [ssl(), ssl()] })],
])('version 2 with %s is refused', ([, header]) => {
  expect(() => parseProxyHeader(header)).toThrow(expect.objectContaining({ code: 'PROXY_HEADER_INVALID' }))
})

test('version 2 beyond the limit is refused before it has come', () => {
  const header = version2({ tlvs: [tlv(0xe0, Buffer.alloc(100))] })
  expect(parseProxyHeader(header, header.length)).toMatchObject({ length: header.length })
  expect(() => parseProxyHeader(header.subarray(0, 16), header.length - 1)).toThrow(
    new DecodeError(
      'PROXY_HEADER_TOO_LARGE',
      `PROXY header of ${header.length} bytes, the limit is ${header.length - 1}`,
    ),
  )
})

test('every beginning of a header is waited for, and nothing else is', () => {
  for (const header of [
    Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'),
    version2({ tlvs: [tlv(1, Buffer.from('a'))] }),
  ]) {
    for (let end = 0; end < header.length; end += 1)
      expect(parseProxyHeader(header.subarray(0, end))).toBe('incomplete')
  }
  for (const other of ['\u0010\u000C', 'PUT / HTTP/1.1', 'PROXY\r', '\r\n\r\n\0\r\nQUIZ', '\u0016\u0003\u0001']) {
    expect(parseProxyHeader(Buffer.from(other, 'latin1'))).toBeUndefined()
  }
})

test('any bytes behind a signature are a header, incomplete or refused with a DecodeError', () => {
  const signatures = [Buffer.from('PROXY '), Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')]
  fc.assert(
    fc.property(fc.constantFrom(...signatures), fc.uint8Array({ maxLength: 400 }), (signature, bytes) => {
      try {
        const header = parseProxyHeader(Buffer.concat([signature, bytes]))
        expect(header).toBeDefined()
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError)
      }
    }),
    { seed: 7, numRuns: 5000 },
  )
})

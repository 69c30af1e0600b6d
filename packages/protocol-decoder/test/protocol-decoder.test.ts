import { expect, test } from 'vitest'
import { AddressList, protocolDecoder } from '../src/index.ts'
import { tlv, version2 } from './headers.ts'

const rest = Buffer.from([0x10, 0x0c])
const socket = { remoteAddress: '::ffff:10.0.0.7', remotePort: 5555, localAddress: '::ffff:10.0.0.1', localPort: 1883 }
const line = Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 1883\r\n')

function client(changes: object = {}, broker: object = {}): Parameters<typeof protocolDecoder>[0] {
  return { conn: socket, broker: { trustProxy: true, trustedProxies: [], ...broker }, ...changes }
}

test('a header names the client and is taken away', () => {
  expect(protocolDecoder(client(), Buffer.concat([line, rest]))).toEqual({
    ipAddress: '192.0.2.1',
    port: 56_324,
    ipFamily: 4,
    serverIpAddress: '198.51.100.2',
    serverPort: 1883,
    isWebsocket: false,
    isTls: false,
    isProxy: 1,
    data: rest,
  })
})

test('a header may come in pieces, and only the first bytes are looked at', () => {
  const one = client()
  const header = Buffer.concat([version2(), rest])
  for (const byte of header.subarray(0, -2)) {
    expect(protocolDecoder(one, Buffer.of(byte))?.data).toEqual(Buffer.alloc(0))
  }
  const last = protocolDecoder(one, header.subarray(-2))
  expect(last).toBeUndefined()
  expect(protocolDecoder(one, line)).toBeUndefined()
})

test('the last piece brings the details', () => {
  const one = client()
  protocolDecoder(one, line.subarray(0, 10))
  expect(protocolDecoder(one, Buffer.concat([line.subarray(10), rest]))).toMatchObject({
    ipAddress: '192.0.2.1',
    data: rest,
  })
})

test('without a header the socket names the client', () => {
  expect(protocolDecoder(client(), rest)).toEqual({
    ipAddress: '10.0.0.7',
    port: 5555,
    ipFamily: 4,
    serverIpAddress: '10.0.0.1',
    serverPort: 1883,
    isWebsocket: false,
    isTls: false,
    isProxy: 0,
    data: rest,
  })
})

test('without trustProxy nothing is looked at', () => {
  expect(protocolDecoder(client({}, { trustProxy: false }), line)).toBeUndefined()
})

test('a header from an address that is not trusted is refused', () => {
  const notTrusted = { trustedProxies: ['10.0.0.8', '192.168.0.0/16'] }
  expect(() => protocolDecoder(client({}, notTrusted), line)).toThrow(
    expect.objectContaining({
      code: 'PROXY_NOT_TRUSTED',
      message: 'PROXY header from ::ffff:10.0.0.7, which is none of the trusted proxies',
    }),
  )
  expect(protocolDecoder(client({}, notTrusted), rest)?.isProxy).toBe(0)
  expect(protocolDecoder(client({}, { trustedProxies: ['10.0.0.0/29'] }), line)?.isProxy).toBe(1)
})

test('TLS that ended at the proxy is told, and the Common Name of a verified certificate', () => {
  const details = Buffer.concat([
    Buffer.from([0x07, 0, 0, 0, 0]),
    tlv(0x21, Buffer.from('TLSv1.3')),
    tlv(0x22, Buffer.from('sensor-7')),
  ])
  const header = version2({ tlvs: [tlv(0x20, details)] })
  expect(protocolDecoder(client(), header)).toMatchObject({
    isTls: true,
    isProxy: 2,
    certificateCommonName: 'sensor-7',
  })
  details[4] = 1
  const refused = protocolDecoder(client(), version2({ tlvs: [tlv(0x20, details)] }))
  expect(refused?.isTls).toBe(true)
  expect(refused).not.toHaveProperty('certificateCommonName')
})

test.for<[string, Record<string, string>, string]>([
  ['X-Forwarded-For', { 'x-forwarded-for': '203.0.113.9' }, '203.0.113.9'],
  ['a forged entry before the real one', { 'x-forwarded-for': '1.2.3.4, 203.0.113.9' }, '203.0.113.9'],
  ['trusted proxies in between', { 'x-forwarded-for': '203.0.113.9, 10.0.0.9, 10.0.0.8' }, '203.0.113.9'],
  ['a port', { 'x-forwarded-for': '203.0.113.9:4711' }, '203.0.113.9'],
  ['IPv6 in brackets', { 'x-forwarded-for': '[2001:db8::1]:4711' }, '2001:db8::1'],
  ['X-Real-IP', { 'x-real-ip': '203.0.113.9' }, '203.0.113.9'],
  ['X-Real-IP in brackets', { 'x-real-ip': '[2001:db8::1]' }, '2001:db8::1'],
  ['nobody but trusted proxies: the farthest', { 'x-forwarded-for': '10.0.0.9, 10.0.0.8' }, '10.0.0.9'],
  ['the proxy before an entry that names nobody', { 'x-forwarded-for': '6.6.6.6, unknown, 10.0.0.9' }, '10.0.0.9'],
])('%s names the client of a WebSocket', ([, headers, address]) => {
  const request = { headers, socket }
  const details = protocolDecoder(client({ req: request }, { trustedProxies: ['10.0.0.0/8'] }), rest)
  expect(details).toMatchObject({ ipAddress: address, isWebsocket: true, isProxy: 3, data: rest })
  expect(details).not.toHaveProperty('port')
})

test('X-Forwarded-For from an address that is not trusted is refused', () => {
  const request = { headers: { 'x-forwarded-for': '203.0.113.9' }, socket }
  expect(() => protocolDecoder(client({ req: request }, { trustedProxies: ['10.9.9.9'] }), rest)).toThrow(
    expect.objectContaining({ code: 'PROXY_NOT_TRUSTED' }),
  )
})

test('X-Forwarded-For without any address leaves the proxy’s', () => {
  const request = { headers: { 'x-forwarded-for': 'unknown' }, socket }
  expect(protocolDecoder(client({ req: request }), rest)).toMatchObject({ ipAddress: '10.0.0.7', isProxy: 3 })
})

// Entries before one that names nobody were written by nobody who is trusted.
test.for([
  { 'x-forwarded-for': '6.6.6.6, unknown' },
  { 'x-forwarded-for': '6.6.6.6, _hidden' },
  { 'x-forwarded-for': '6.6.6.6,' },
  { 'x-forwarded-for': '6.6.6.6, [6.6.6.6x' },
  { 'x-forwarded-for': '[6.6.6.6]' },
  { 'x-forwarded-for': '[2001:db8::1' },
  { 'x-forwarded-for': '[2001:db8::1]x' },
  { 'x-forwarded-for': '[2001:db8::1]:x' },
  { 'x-forwarded-for': '6.6.6.6:x' },
  { 'x-forwarded-for': '6.6.6.6:' },
  { 'x-forwarded-for': '6.6.6.6:65536' },
  { 'x-forwarded-for': 'fe80::1%eth0' },
  { 'x-forwarded-for': '6.6.6.6, unknown', 'x-real-ip': '6.6.6.6' },
  { 'x-real-ip': '6.6.6.6, 203.0.113.9' },
  { 'x-real-ip': 'unknown' },
])('%j names nobody: the proxy stays', headers => {
  const request = { headers, socket }
  const details = protocolDecoder(client({ req: request }, { trustedProxies: ['10.0.0.0/8'] }), rest)
  expect(details).toMatchObject({ ipAddress: '10.0.0.7', port: 5555, isProxy: 3 })
})

test('Forwarded is not read: a proxy that does not set it passes on what the client wrote', () => {
  const request = { headers: { forwarded: 'for=6.6.6.6' }, socket }
  const details = protocolDecoder(client({ req: request }, { trustedProxies: ['10.0.0.0/8'] }), rest)
  expect(details).toMatchObject({ ipAddress: '10.0.0.7', port: 5555, isProxy: 0 })
})

test.for([0x00, 0x01, 0x06])('a Common Name beside the flags %i, which speak of no certificate, is no proof', flags => {
  const value = Buffer.concat([Buffer.from([flags, 0, 0, 0, 0]), tlv(0x22, Buffer.from('sensor-7'))])
  const details = protocolDecoder(client(), version2({ tlvs: [tlv(0x20, value)] }))
  expect(details).not.toHaveProperty('certificateCommonName')
})

test('an address list knows addresses and networks of both families', () => {
  const list = new AddressList(['192.0.2.1', '10.0.0.0/8', '2001:db8::/32', '::1'])
  for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '10.255.0.1', '2001:db8:1::1', '::1']) {
    expect([address, list.has(address)]).toEqual([address, true])
  }
  for (const address of ['192.0.2.2', '11.0.0.1', '2001:db9::1', 'localhost', '', undefined]) {
    expect([address, list.has(address)]).toEqual([address, false])
  }
})

test.for(['localhost', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::/129', '10.0.0.0/-1', '', '10.0.0.0/a'])(
  'an address list refuses %j',
  entry => {
    expect(() => new AddressList([entry])).toThrow(RangeError)
  },
)

import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, describe, expect, test } from 'vitest'
import { sysTopics } from '../src/index.ts'
import type { AuthenticateHook, Client, ListenOptions, Protocol } from '../src/index.ts'
import { Authority } from './certificates.ts'
import { startCommand } from './started-command.ts'
import { connackFrame, connectFrame, exchange, nextClient, openSocket, openWay, readAll } from './ways-in.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const authority = new Authority()
afterAll(() => authority.remove())
const all: readonly Protocol[] = ['mqtt', 'mqtts', 'ws', 'wss']

describe.skipIf(!authority.works)('with openssl', () => {
  const server = authority.sign('localhost')
  const { ca } = authority

  test('one port takes MQTT, TLS and both kinds of WebSocket, and says what it is to a browser', async () => {
    const { port } = await openWay({ protocols: all, tls: server })
    const clients = await Promise.all(
      all.map(scheme => exchange(`${scheme}://localhost:${port}/mqtt`, { ca, clientId: scheme })),
    )
    expect(clients).toHaveLength(4)
    const page = await fetch(`http://127.0.0.1:${port}/`)
    expect([page.status, await page.text()]).toEqual([200, 'An MQTT broker listens here: mqtt, mqtts, ws, wss.\n'])
    const refused = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'x' })
    expect(refused.status).toBe(405)
  })

  test('the first bytes may come one by one', async () => {
    const { port } = await openWay({ protocols: all, tls: server })
    const socket = openSocket({ port, host: '127.0.0.1', noDelay: true })
    const answer = once(socket, 'data')
    for (const byte of connectFrame('slowly')) {
      socket.write(Buffer.of(byte))
      await new Promise(setImmediate)
    }
    expect((await answer)[0]).toEqual(connackFrame)
  })

  test.for<[string, string]>([
    ['v1', 'PROXY TCP4 203.0.113.9 198.51.100.2 4711 1883\r\n'],
    [
      'v2',
      '\r\n\r\n\0\r\nQUIT\n\u0021\u0011\0\u000C\u00CB\0\u0071\u0009\u00C6\u0033\u0064\u0002\u0012\u0067\u0007\u005B',
    ],
  ])('a PROXY header, %s, may stand before all of them', async ([version, header]) => {
    const { broker, port } = await openWay(
      { protocols: all, tls: server },
      { trustProxy: true, trustedProxies: ['127.0.0.0/8'] },
    )
    const bytes = Buffer.from(header, 'latin1')
    const whole = openSocket({ port, host: '127.0.0.1' })
    const first = nextClient(broker)
    whole.write(Buffer.concat([bytes, connectFrame('plain')]))
    const expected = {
      ipAddress: '203.0.113.9',
      port: 4711,
      serverIpAddress: '198.51.100.2',
      isProxy: version === 'v1' ? 1 : 2,
    }
    expect((await first).connDetails).toMatchObject({ ...expected, isTls: false, isWebsocket: false })

    const raw = openSocket({ port, host: '127.0.0.1' })
    await once(raw, 'connect')
    for (const byte of bytes) raw.write(Buffer.of(byte))
    const secure = connectTls({ socket: raw, ca, servername: 'localhost' })
    await once(secure, 'secureConnect')
    const second = nextClient(broker)
    secure.write(connectFrame('secure'))
    expect((await second).connDetails).toMatchObject({ ...expected, isTls: true, isWebsocket: false })

    const web = openSocket({ port, host: '127.0.0.1' })
    web.write(
      Buffer.concat([
        bytes,
        Buffer.from(
          'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n',
        ),
      ]),
    )
    await once(web, 'data')
    const third = nextClient(broker)
    const frame = connectFrame('web')
    web.write(Buffer.concat([Buffer.from([0x82, 0x80 | frame.length, 0, 0, 0, 0]), frame]))
    expect((await third).connDetails).toMatchObject({ ...expected, isTls: false, isWebsocket: true })
    expect((await exchange(`mqtt://127.0.0.1:${port}`)).connected).toBe(true)
  })

  test('what is spoken on the port is only what was asked for', async () => {
    const { port, refusals, broker } = await openWay({ protocols: ['mqtts', 'ws'], tls: server })
    const refused = once(broker, 'connectionRefused')
    const socket = openSocket({ port, host: '127.0.0.1' })
    const received = readAll(socket)
    socket.write(connectFrame('plain'))
    await refused
    expect(await received).toBe('')
    expect(refusals).toMatchObject([{ code: 'PROTOCOL_UNKNOWN', message: 'MQTT came where mqtts, ws is spoken' }])
  })
})

test('a Unix socket takes clients, and is gone afterwards', async () => {
  const directory = temporaryFolder()
  const socketPath = join(directory, 'mqtt.sock')
  const { listening } = await openWay({ socketPath })
  expect(listening).toMatchObject({ url: `mqtt+unix://${socketPath}`, port: undefined, name: `mqtt:${socketPath}` })
  const socket = openSocket({ path: socketPath })
  socket.write(connectFrame('unix'))
  expect((await once(socket, 'data'))[0]).toEqual(connackFrame)
})

test('a Unix socket that a killed process left is taken over, one in use and another file are not', async () => {
  const directory = temporaryFolder()
  const socketPath = join(directory, 'mqtt.sock')
  const killed = startCommand(['--listen', `mqtt+unix:${socketPath}`])
  await killed.line(/listening on/)
  await killed.stop('SIGKILL')
  expect(existsSync(socketPath)).toBe(true)
  const { broker } = await openWay({ socketPath })
  await expect(broker.listen({ socketPath })).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  const file = join(directory, 'file')
  writeFileSync(file, 'precious')
  await expect(broker.listen({ socketPath: file })).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  expect(readFileSync(file, 'utf8')).toBe('precious')
})

test('several addresses share the port that was found free', async () => {
  const { listening, port } = await openWay({ host: ['127.0.0.1', '127.0.0.2'] })
  expect(listening.addresses.map(({ url }) => url)).toEqual([`mqtt://127.0.0.1:${port}`, `mqtt://127.0.0.2:${port}`])
  await exchange(`mqtt://127.0.0.2:${port}`)
})

test('an address that cannot be had leaves none of the others open', async () => {
  const { broker, port } = await openWay({ host: '127.0.0.2' })
  await expect(broker.listen({ port, host: ['127.0.0.3', '127.0.0.2'] })).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
  })
  const socket = openSocket({ port, host: '127.0.0.3' })
  expect(((await once(socket, 'error')) as [NodeJS.ErrnoException])[0].code).toBe('ECONNREFUSED')
})

test('a listener may be closed alone: its clients stay', async () => {
  const { broker, listening, port } = await openWay()
  const client = await exchange(`mqtt://127.0.0.1:${port}`)
  listening.close()
  const socket = openSocket({ port, host: '127.0.0.1' })
  await once(socket, 'error')
  await client.publishAsync('still', 'there', { qos: 1 })
  expect(broker.listenerConnections).toEqual([])
})

test('each listener has a name, rules and an authentication of its own', async () => {
  const seen: string[] = []
  const { broker, port } = await openWay(
    { name: 'public' },
    {
      authenticate: (client: Client) => {
        seen.push(`broker ${client.listener}`)
        return false
      },
    },
  )
  const inside = await broker.listen({
    name: 'inside',
    port: 0,
    host: '127.0.0.1',
    authenticate: async (client: Client) => {
      seen.push(`own ${client.listener}`)
      return true
    },
  })
  const open = await broker.listen({ port: 0, host: '127.0.0.1', authenticate: null })
  await expect(exchange(`mqtt://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 5 })
  await exchange(inside.url)
  await exchange(open.url)
  expect(seen).toEqual(['broker public', 'own inside'])
  // One that is refused has its CONNACK before its connection has ended.
  await expect
    .poll(() => broker.listenerConnections)
    .toEqual([
      { name: 'public', connections: 0 },
      { name: 'inside', connections: 1 },
      { name: 'mqtt:0', connections: 1 },
    ])
})

test('$SYS shows the connections of each listener by its name', async () => {
  const { port } = await openWay({ name: 'public' }, { plugins: [sysTopics({ interval: 100 })] })
  const client = await exchange(`mqtt://127.0.0.1:${port}`)
  const shown = new Promise<string>(resolve => {
    client.on('message', (topic, payload) => {
      if (topic === '$SYS/broker/listeners/public/connections' && payload.toString() !== '0')
        resolve(payload.toString())
    })
  })
  await client.subscribeAsync('$SYS/broker/listeners/#')
  expect(await shown).toBe('1')
})

test('beyond maximumConnections more are closed at once, until one goes', async () => {
  const { broker, port, refusals } = await openWay({ maximumConnections: 2 })
  const url = `mqtt://127.0.0.1:${port}`
  const first = await exchange(url)
  await exchange(url)
  expect(await readAll(openSocket({ port, host: '127.0.0.1' }))).toBe('')
  expect(refusals).toMatchObject([
    { code: 'TOO_MANY_CONNECTIONS', message: '2 connections are open, the limit maximumConnections is 2' },
  ])
  const gone = once(broker, 'clientDisconnect')
  await first.endAsync()
  await gone
  await expect.poll(() => broker.listenerConnections[0]?.connections).toBe(1)
  await exchange(url)
})

test('beyond maximumConnectionRate more are closed at once', async () => {
  const { port, refusals } = await openWay({ maximumConnectionRate: 1 })
  const sockets = Array.from({ length: 5 }, () => openSocket({ port, host: '127.0.0.1' }))
  await expect.poll(() => refusals.length).toBe(4)
  expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['CONNECTION_RATE_EXCEEDED']))
  expect(sockets.filter(socket => !socket.destroyed).length).toBeGreaterThanOrEqual(1)
})

test.for<[string, object, boolean]>([
  ['denied', { deny: ['127.0.0.0/8'] }, false],
  ['not allowed', { allow: ['10.0.0.0/8', '::1'] }, false],
  ['allowed', { allow: ['127.0.0.1'] }, true],
  ['allowed, but denied', { allow: ['127.0.0.0/8'], deny: ['127.0.0.1'] }, false],
])('an address that is %s', async ([, rules, comesIn]) => {
  const { port, refusals } = await openWay(rules)
  if (comesIn) {
    await exchange(`mqtt://127.0.0.1:${port}`)
    return
  }
  expect(await readAll(openSocket({ port, host: '127.0.0.1' }))).toBe('')
  expect(refusals).toMatchObject([{ code: 'ADDRESS_DENIED', origin: { remoteAddress: '127.0.0.1' } }])
})

test('behind a proxy the client’s address is the one that counts', async () => {
  const { port, refusals } = await openWay({
    deny: ['203.0.113.0/24'],
    trustProxy: true,
    trustedProxies: ['127.0.0.1'],
  })
  const denied = openSocket({ port, host: '127.0.0.1' })
  denied.write('PROXY TCP4 203.0.113.9 198.51.100.2 4711 1883\r\n')
  denied.write(connectFrame('denied'))
  expect(await readAll(denied)).toBe('')
  expect(refusals).toMatchObject([
    { code: 'ADDRESS_DENIED', origin: { remoteAddress: '203.0.113.9', remotePort: 4711 } },
  ])
  const allowed = openSocket({ port, host: '127.0.0.1' })
  allowed.write('PROXY TCP4 192.0.2.9 198.51.100.2 4711 1883\r\n')
  allowed.write(connectFrame('allowed'))
  expect((await once(allowed, 'data'))[0]).toEqual(connackFrame)
})

test('X-Forwarded-For of a trusted proxy names the client of a WebSocket', async () => {
  const { broker, port } = await openWay({ websocket: true, trustProxy: true, trustedProxies: ['127.0.0.1'] })
  const ready = nextClient(broker)
  await exchange(`ws://127.0.0.1:${port}`, { wsOptions: { headers: { 'X-Forwarded-For': '203.0.113.9' } } })
  expect((await ready).connDetails).toMatchObject({ ipAddress: '203.0.113.9', isWebsocket: true, isProxy: 3 })
})

/** A PROXY header of version 2 that comes from 192.0.2.5, with what the proxy says of TLS. */
function proxyHeader(tls: readonly number[] = []): Buffer {
  const addresses = [192, 0, 2, 5, 127, 0, 0, 1, 0x18, 0x83, 0x07, 0x5b]
  const value = tls.length === 0 ? [] : [0x20, 0, tls.length, ...tls]
  const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
  return Buffer.from([...signature, 0x21, 0x11, 0, addresses.length + value.length, ...addresses, ...value])
}

const withTls = [0x01, 0, 0, 0, 0]
/** Verified, with the Common Name `ada`. */
const withCertificate = [0x05, 0, 0, 0, 0, 0x22, 0, 3, 0x61, 0x64, 0x61]
const unverified = [0x05, 0, 0, 0, 1]

test.for<[ListenOptions['proxyRequires'], Buffer[], Buffer[]]>([
  ['header', [Buffer.alloc(0)], [proxyHeader(), proxyHeader(withTls), Buffer.from('PROXY UNKNOWN\r\n')]],
  ['tls', [Buffer.alloc(0), proxyHeader()], [proxyHeader(withTls), proxyHeader(unverified)]],
  [
    'certificate',
    [Buffer.alloc(0), proxyHeader(), proxyHeader(withTls), proxyHeader(unverified)],
    [proxyHeader(withCertificate)],
  ],
])('proxyRequires %s closes connections without it', async ([proxyRequires, refused, taken]) => {
  const { port, refusals } = await openWay({
    trustProxy: true,
    trustedProxies: [],
    ...(proxyRequires && { proxyRequires }),
  })
  const came = async (header: Buffer): Promise<Buffer | string> => {
    const socket = openSocket({ port, host: '127.0.0.1' })
    socket.write(Buffer.concat([header, connectFrame('c')]))
    return readAll(socket)
  }
  for (const header of refused) expect(await came(header)).toBe('')
  for (const { code } of refusals) expect(['PROXY_HEADER_MISSING', 'PROXY_REQUIREMENT_UNMET']).toContain(code)
  expect(refusals).toHaveLength(refused.length)
  for (const header of taken) {
    const socket = openSocket({ port, host: '127.0.0.1' })
    socket.write(Buffer.concat([header, connectFrame('c')]))
    expect((await once(socket, 'data'))[0]).toEqual(connackFrame)
  }
})

test('with proxyIdentityAsUsername the name in the certificate is the user name', async () => {
  const names: (string | undefined)[] = []
  const authenticate: AuthenticateHook = (_client, username) => {
    names.push(username)
    return true
  }
  const { port } = await openWay(
    { trustProxy: true, trustedProxies: [], proxyIdentityAsUsername: true },
    { authenticate },
  )
  for (const header of [proxyHeader(withCertificate), proxyHeader(withTls)]) {
    const socket = openSocket({ port, host: '127.0.0.1' })
    socket.write(Buffer.concat([header, connectFrame('c')]))
    await once(socket, 'data')
  }
  expect(names).toEqual(['ada'])
})

test('a header from an address that is not trusted closes the connection', async () => {
  const { port, refusals } = await openWay({
    protocols: ['mqtt', 'ws'],
    trustProxy: true,
    trustedProxies: ['10.0.0.1'],
  })
  const socket = openSocket({ port, host: '127.0.0.1' })
  socket.write('PROXY TCP4 203.0.113.9 198.51.100.2 4711 1883\r\n')
  expect(await readAll(socket)).toBe('')
  await expect(
    exchange(`ws://127.0.0.1:${port}`, { wsOptions: { headers: { 'X-Forwarded-For': '203.0.113.9' } } }),
  ).rejects.toThrow()
  expect(refusals.map(({ code }) => code)).toEqual(['PROXY_NOT_TRUSTED', 'PROXY_NOT_TRUSTED'])
  await exchange(`mqtt://127.0.0.1:${port}`)
})

test('without trustProxy a PROXY header is no MQTT, and X-Forwarded-For means nothing', async () => {
  const { broker, port, refusals } = await openWay({ protocols: ['mqtt', 'ws'] })
  const ready = nextClient(broker)
  await exchange(`ws://127.0.0.1:${port}`, { wsOptions: { headers: { 'X-Forwarded-For': '203.0.113.9' } } })
  expect((await ready).connDetails).toMatchObject({ ipAddress: '127.0.0.1', isProxy: 0 })
  const socket = openSocket({ port, host: '127.0.0.1' })
  socket.write('PROXY TCP4 203.0.113.9 198.51.100.2 4711 1883\r\n\r\n')
  await readAll(socket)
  expect(refusals).toMatchObject([{ code: 'HTTP_INVALID' }])
})

test.for<[object, string]>([
  [{ prot: 1883 }, 'option prot of listen is unknown'],
  [{ name: 'a+b' }, 'option name is "a+b", it must have 1 to 256 characters, and no + or #'],
  [{ port: '45495' }, "option port is '45495', it must be a whole number from 0 to 65535"],
  [{ port: 70_000 }, 'option port is 70000, it must be a whole number from 0 to 65535'],
  [{ protocols: [] }, 'option protocols is [], it must hold some of mqtt, mqtts, ws, wss'],
  [{ protocols: ['http'] }, 'option protocols is ["http"], it must hold some of mqtt, mqtts, ws, wss'],
  [{ protocols: ['mqtts'] }, 'option tls is missing: mqtts need a key and a certificate'],
  [{ protocols: ['mqtt'], tls: {} }, 'option tls is given, but protocols (mqtt) has neither mqtts nor wss'],
  [{ protocols: ['ws'], websocket: true }, 'options protocols and websocket say the same'],
  [{ path: '/mqtt' }, 'option path is for WebSocket'],
  [{ strictSubprotocol: false }, 'option strictSubprotocol is for WebSocket'],
  [{ websocket: true, path: 'mqtt' }, `option path is "mqtt", it must begin with '/'`],
  [{ socketPath: '/tmp/x', port: 1 }, 'option socketPath takes the place of port and host'],
  [{ host: [] }, 'option host is [], it must name at least one address'],
  [{ allow: ['localhost'] }, "'localhost' is neither an address nor a network such as 10.0.0.0/8"],
  [{ trustProxy: true, trustedProxies: ['10.0.0.0/99'] }, "'10.0.0.0/99' is neither an address nor a network"],
  [{ proxyRequires: 'tls' }, 'options proxyRequires and proxyIdentityAsUsername need trustProxy'],
  [{ maximumConnections: 0 }, 'option maximumConnections is 0, it must be a whole number from 1 to 100000000'],
  [{ maximumConnectionRate: -1 }, 'option maximumConnectionRate is -1'],
  [{ connectTimeout: 0 }, 'option connectTimeout of mqtt:1883 is 0'],
  [{ authenticate: 'yes' }, 'option authenticate of mqtt:1883 is a string, it must be a function'],
  [{ tls: { cert: 'none', key: 'none' } }, 'PEM'],
])('listen refuses %j', async ([options, message]) => {
  const { broker } = await openWay()
  await expect(broker.listen(options)).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining(message) as string,
  })
})

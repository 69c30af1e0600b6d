import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import type { PeerCertificate } from 'node:tls'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { AuthenticateHook, Client } from '../src/index.ts'
import { Authority } from './certificates.ts'
import { mosquittoMissing } from './peers/mosquitto.ts'
import { StartedProcess, listeningUrl, startCommand } from './started-command.ts'
import { connackFrame, connectFrame, exchange, nextClient, openWay } from './ways-in.ts'

const authority = new Authority()
afterAll(() => authority.remove())

describe.skipIf(!authority.works)('with openssl', () => {
  const server = authority.sign('localhost')
  const { ca } = authority

  /** Common Name of the certificate that a client sees. */
  async function shownCertificate(port: number, servername: string): Promise<string> {
    const socket = connectTls({ port, host: '127.0.0.1', ca, servername, rejectUnauthorized: false })
    onTestFinished(() => {
      socket.destroy()
    })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate() as PeerCertificate & { subject: { CN: string } }
    return subject.CN
  }

  test.for(['mqtts', 'wss'] as const)('MQTT.js over %s', async scheme => {
    const { port, listening } = await openWay({ tls: server, ...(scheme === 'wss' && { websocket: true }) })
    expect(listening.url).toMatch(new RegExp(`^${scheme}://127\\.0\\.0\\.1:${port}`))
    for (const protocolVersion of [4, 5] as const) {
      await exchange(`${scheme}://localhost:${port}/mqtt`, { ca, protocolVersion })
    }
  })

  test('large messages go through TLS whole, in both directions', async () => {
    const { port } = await openWay({ tls: server })
    const client = await exchange(`mqtts://localhost:${port}`, { ca })
    const payload = Buffer.alloc(3_000_000, 'x')
    await client.subscribeAsync('large')
    const received = new Promise<Buffer>(resolve => {
      client.on('message', (topic, message) => topic === 'large' && resolve(message))
    })
    await client.publishAsync('large', payload, { qos: 1 })
    expect((await received).equals(payload)).toBe(true)
  })

  test('each server name has its certificate', async () => {
    const other = authority.sign('other.example.org')
    const wild = authority.sign('wild.example.net')
    const servers = { 'other.example.org': other, '*.example.net': wild }
    const { port } = await openWay({ tls: { ...server, servers } })
    expect(await shownCertificate(port, 'localhost')).toBe('localhost')
    expect(await shownCertificate(port, 'other.example.org')).toBe('other.example.org')
    expect(await shownCertificate(port, 'a.example.net')).toBe('wild.example.net')
    expect(await shownCertificate(port, 'unknown.example.com')).toBe('localhost')
  })

  test('certificates are exchanged without dropping a connection', async () => {
    const { port, listening } = await openWay({
      tls: { ...server, servers: { 'a.example.org': authority.sign('a1') } },
    })
    const client = await exchange(`mqtts://localhost:${port}`, { ca })
    listening.reloadTls({ ...authority.sign('renewed'), servers: { 'a.example.org': authority.sign('a2') } })
    expect(await shownCertificate(port, 'localhost')).toBe('renewed')
    expect(await shownCertificate(port, 'a.example.org')).toBe('a2')
    await client.publishAsync('still', 'there', { qos: 1 })
  })

  test('a certificate that cannot be read leaves the old one', async () => {
    const { port, listening } = await openWay({ tls: server })
    const bad = { code: 'OPTION_INVALID' }
    expect(() => listening.reloadTls({ cert: 'no certificate' })).toThrow(expect.objectContaining(bad))
    expect(() => listening.reloadTls({ cert: authority.sign('x').cert })).toThrow(expect.objectContaining(bad))
    expect(() => listening.reloadTls({ servers: { x: { cert: 'none' } } })).toThrow(expect.objectContaining(bad))
    expect(await shownCertificate(port, 'localhost')).toBe('localhost')
  })

  const seen: AuthenticateHook = (client: Client, username) => {
    names.push(`${username} ${client.identity} ${String(client.certificate?.subject.CN)}`)
    return true
  }
  const names: string[] = []

  test.for(['mqtts', 'wss'] as const)('a certificate is the identity over %s', async scheme => {
    names.length = 0
    const tls = { ...server, ca, requestCert: true, identityAsUsername: true }
    const { broker, port } = await openWay(
      { tls, ...(scheme === 'wss' && { websocket: true }) },
      { authenticate: seen },
    )
    const ready = nextClient(broker)
    const { cert, key } = authority.sign('sensor-7')
    await exchange(`${scheme}://localhost:${port}`, { ca, cert, key, username: 'somebody', password: 'else' })
    expect((await ready).certificate?.subject.CN).toBe('sensor-7')
    expect(names).toEqual(['sensor-7 sensor-7 sensor-7'])
  })

  test('with identityAsUsername subject the whole subject is the user name', async () => {
    const tls = { ...server, ca, requestCert: true, identityAsUsername: 'subject' as const }
    const subjects: (string | undefined)[] = []
    const authenticate: AuthenticateHook = (_client, username) => {
      subjects.push(username)
      return true
    }
    const { port } = await openWay({ tls }, { authenticate })
    for (const subject of ['/C=GB/O=Works/OU=a, b/CN=ada', '/CN=Zoë']) {
      const { cert, key } = authority.sign('ada', 2, subject)
      await exchange(`mqtts://localhost:${port}`, { ca, cert, key, username: 'eve' })
    }
    expect(subjects).toEqual(['CN=ada,OU=a\\, b,O=Works,C=GB', String.raw`CN=Zo\C3\AB`])
  })

  test('with identityAsUsername alternativeName the first name beside the subject is the user name', async () => {
    const tls = { ...server, ca, requestCert: true, identityAsUsername: 'alternativeName' as const }
    const seenNames: (string | undefined)[] = []
    const authenticate: AuthenticateHook = (_client, username) => {
      seenNames.push(username)
      return true
    }
    const { port } = await openWay({ tls }, { authenticate })
    const { cert, key } = authority.sign('ada.example', 2, '/CN=other')
    await exchange(`mqtts://localhost:${port}`, { ca, cert, key, username: 'eve' })
    expect(seenNames).toEqual(['ada.example'])
  })

  test('with identityAsUsername a client without a certificate is refused', async () => {
    const tls = { ...server, ca, requestCert: true, rejectUnauthorized: false, identityAsUsername: true }
    const { port } = await openWay({ tls })
    await expect(exchange(`mqtts://localhost:${port}`, { ca, username: 'x' })).rejects.toMatchObject({ code: 5 })
    await expect(
      exchange(`mqtts://localhost:${port}`, { ca, username: 'x', protocolVersion: 5 }),
    ).rejects.toMatchObject({
      code: 0x87,
    })
  })

  test.for<[string, () => object, RegExp]>([
    ['no certificate', () => ({}), /CERTIFICATE_REFUSED|TLS_FAILED/],
    ['an expired certificate', () => authority.sign('late', -1), /CERTIFICATE_REFUSED/],
    ["another authority's", () => new Authority().sign('stranger'), /CERTIFICATE_REFUSED/],
  ])('where one is required, %s is refused, with the address', async ([, certificate, code]) => {
    const { broker, port, refusals } = await openWay({ tls: { ...server, ca, requestCert: true } })
    const refused = once(broker, 'connectionRefused')
    const { cert, key } = certificate() as { cert?: Buffer; key?: Buffer }
    const socket = connectTls({ port, host: '127.0.0.1', ca, ...(cert && { cert, key }) })
    onTestFinished(() => {
      socket.destroy()
    })
    socket.on('error', () => undefined)
    await refused
    expect(refusals).toMatchObject([{ origin: { listener: 'mqtts:0', remoteAddress: '127.0.0.1' } }])
    expect(refusals[0]?.code).toMatch(code)
    expect(broker.counters).toMatchObject({ connectionsRefused: 1, connectionsOpened: 0 })
  })

  test('the reason why a certificate is refused is told', async () => {
    const { broker, port, refusals } = await openWay({ tls: { ...server, ca, requestCert: true } })
    const refused = once(broker, 'connectionRefused')
    const { cert, key } = authority.sign('late', -1)
    const socket = connectTls({ port, host: '127.0.0.1', ca, cert, key })
    socket.on('error', () => undefined)
    await refused
    expect(refusals[0]?.message).toBe("the client's certificate: CERT_HAS_EXPIRED")
  })

  test.for<[offered: string[], chosen: string | false]>([
    [['mqtt'], 'mqtt'],
    [['http/1.1', 'mqtt'], 'mqtt'],
    [[], false],
  ])('of the protocols %j of ALPN %j is chosen', async ([offered, chosen]) => {
    const { port } = await openWay({ tls: server })
    const socket = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: offered })
    onTestFinished(() => {
      socket.destroy()
    })
    await once(socket, 'secureConnect')
    expect(socket.alpnProtocol).toBe(chosen)
    socket.write(connectFrame('alpn'))
    expect((await once(socket, 'data'))[0]).toEqual(connackFrame)
  })

  test('openssl s_client accepts the certificate, and what it sends is MQTT', async () => {
    const { broker, port } = await openWay({ tls: server })
    const parameters = `s_client -connect 127.0.0.1:${port} -CAfile ${authority.caFile} -alpn mqtt -servername localhost -brief`
    const client = new StartedProcess('openssl', parameters.split(' '))
    onTestFinished(() => client.stop())
    const ready = nextClient(broker)
    client.write(connectFrame('openssl').toString('latin1'))
    expect((await ready).id).toBe('openssl')
    await expect.poll(() => client.stderr).toContain('Verification: OK')
  })

  test('a client that renegotiates over and over is refused, others stay', async () => {
    const { broker, port } = await openWay({ tls: { ...server, maxVersion: 'TLSv1.2' } })
    const other = await exchange(`mqtts://localhost:${port}`, { ca })
    const socket = connectTls({ port, host: '127.0.0.1', ca, servername: 'localhost' })
    await once(socket, 'secureConnect')
    const refused = once(broker, 'connectionError') as Promise<[Client, Error]>
    socket.on('error', () => undefined)
    const again = (): void => void (socket.destroyed || socket.renegotiate({}, again))
    again()
    expect((await refused)[1].message).toContain('renegotiation')
    await other.publishAsync('still', 'there', { qos: 1 })
  })

  test('mosquitto_pub and mosquitto_sub with --cafile, --cert and --psk', async context => {
    const missing = mosquittoMissing()
    if (missing !== undefined) context.skip(missing)
    const pskCallback = (_socket: unknown, identity: string): Buffer | null =>
      identity === 'gateway' ? Buffer.from('00112233445566778899aabbccddeeff', 'hex') : null
    names.length = 0
    const { port } = await openWay(
      { tls: { ...server, ca, requestCert: true, rejectUnauthorized: false, identityAsUsername: true } },
      { authenticate: seen },
    )
    const psk = await openWay({ tls: { pskCallback, identityAsUsername: true } }, { authenticate: seen })
    const { certFile, keyFile } = authority.sign('camera')
    const certified = ['--cafile', authority.caFile, '--cert', certFile, '--key', keyFile, '-p', `${port}`]
    const shared = ['--psk', '00112233445566778899aabbccddeeff', '--psk-identity', 'gateway', '-p', `${psk.port}`]
    for (const way of [certified, shared]) {
      const common = ['-h', 'localhost', '-t', 'x', ...way]
      const subscriber = new StartedProcess('stdbuf', ['-oL', 'mosquitto_sub', '-C', '1', '-d', ...common])
      onTestFinished(() => subscriber.stop())
      await subscriber.line(/SUBACK/)
      const publisher = new StartedProcess('mosquitto_pub', ['-m', 'hello', '-q', '1', ...common])
      expect(await publisher.exited).toMatchObject({ code: 0 })
      await subscriber.line(/^hello$/)
    }
    expect(new Set(names)).toEqual(new Set(['camera camera camera', 'gateway gateway undefined']))
    const wrongKey = `-h localhost -t x -m x -p ${psk.port} --psk ffff2233445566778899aabbccddeeff --psk-identity gateway`
    const wrong = new StartedProcess('mosquitto_pub', wrongKey.split(' '))
    expect((await wrong.exited).code).not.toBe(0)
  })

  test('the command serves TLS by files, and reads them again on SIGHUP', async () => {
    const cert = join(authority.directory, 'served.pem')
    const key = join(authority.directory, 'served.key')
    const use = (name: string): void => {
      const made = authority.sign(name)
      writeFileSync(cert, made.cert)
      writeFileSync(key, made.key)
    }
    use('first')
    const command = startCommand(['--port', '0', '--host', '127.0.0.1', '--tls-cert', cert, '--tls-key', key])
    onTestFinished(() => command.stop())
    const url = await listeningUrl(command)
    expect(url).toMatch(/^mqtts:/)
    const port = Number(new URL(url).port)
    expect(await shownCertificate(port, 'localhost')).toBe('first')
    use('second')
    command.signal('SIGHUP')
    await command.line(/are read again/)
    expect(await shownCertificate(port, 'localhost')).toBe('second')
    writeFileSync(cert, 'broken')
    command.signal('SIGHUP')
    await command.line(/nothing has changed/)
    expect(await shownCertificate(port, 'localhost')).toBe('second')
  })

  test.for<[string, string[]]>([
    ['a file that is not there', ['--tls-cert', '/nowhere/cert.pem', '--tls-key', '/nowhere/key.pem']],
    ['a file that is no certificate', ['--tls-cert', authority.directory, '--tls-key', authority.directory]],
  ])('the command refuses %s and names it', async ([, files]) => {
    const command = startCommand(['--port', '0', ...files])
    expect(await command.exited).toMatchObject({ code: 1 })
    expect(command.stderr).toContain(files[1])
  })
})

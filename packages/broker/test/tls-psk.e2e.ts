import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Client } from '../src/index.ts'
import { Authority } from './certificates.ts'
import { mosquittoMissing } from './peers/mosquitto.ts'
import { StartedProcess } from './started-command.ts'
import { nextClient, openWay } from './ways-in.ts'
import type { Way } from './ways-in.ts'

const authority = new Authority()
afterAll(() => authority.remove())

const key = '00112233445566778899aabbccddeeff'
const identity = 'gateway'
const pskCallback = (_socket: unknown, name: string): Buffer | null =>
  name === identity ? Buffer.from(key, 'hex') : null

/** CONNECT of MQTT 3.1.1: characters only, as the client's input is text. */
const connect = '\x10\x0d\0\x04MQTT\x04\x02\0<\0\x01c'

/** What `openssl s_client` says until it is a client of the broker. */
async function connected({ broker, port }: Way, parameters: readonly string[]): Promise<string> {
  const ready = nextClient(broker)
  const client = new StartedProcess('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...parameters])
  onTestFinished(() => client.stop())
  await client.line(/^(New|Reused), /)
  client.write(connect)
  await ready
  return client.lines.join('\n')
}

describe.skipIf(!authority.works)('pre-shared keys', () => {
  const certificate = authority.sign('localhost')

  test.for<[string, object]>([
    ['alone', {}],
    ['beside a certificate', certificate],
    ['beside certificates of further names', { ...certificate, servers: { 'a.example.org': certificate } }],
  ])('are for TLS 1.2 and 1.3, %s', async ([, tls]) => {
    const names: unknown[] = []
    const way = await openWay(
      { tls: { ...tls, pskCallback, identityAsUsername: true } },
      { authenticate: (_client, username) => names.push(username) > 0 },
    )
    const shared = ['-psk_identity', identity, '-psk', key, '-servername', 'a.example.org']
    expect(await connected(way, ['-tls1_2', '-cipher', 'PSK', ...shared])).toMatch(/TLSv1\.2, Cipher is \S*PSK/)
    // Without -cipher it offers a certificate's suites as well.
    expect(await connected(way, ['-tls1_2', ...shared])).toMatch(/TLSv1\.2, Cipher is \S*PSK/)
    expect(await connected(way, ['-tls1_3', ...shared])).toMatch(/TLSv1\.3, Cipher is/)
    expect(names).toEqual([identity, identity, identity])
  })

  test('a client without a key gets the certificate, of the suites that it would get without keys', async () => {
    const way = await openWay({ tls: { ...certificate, pskCallback } })
    for (const version of ['-tls1_2', '-tls1_3']) {
      const said = await connected(way, [version, '-CAfile', authority.caFile])
      expect(said).toContain('Verification: OK')
      expect(said).not.toMatch(/Cipher is \S*PSK/)
    }
  })

  test.for(['-tls1_2', '-tls1_3'])('a wrong key is refused, %s', async version => {
    const { port, refusals } = await openWay({ tls: { pskCallback } })
    const wrong = new StartedProcess('openssl', [
      's_client',
      '-connect',
      `127.0.0.1:${port}`,
      version,
      '-psk_identity',
      identity,
      '-psk',
      'ff'.repeat(16),
    ])
    expect((await wrong.exited).code).not.toBe(0)
    await expect.poll(() => refusals).toMatchObject([{ code: 'TLS_FAILED' }])
  })

  test.for(['TLSv1.2', 'TLSv1.3'])('mosquitto_pub and mosquitto_sub of %s', async (version, context) => {
    const missing = mosquittoMissing()
    if (missing !== undefined) context.skip(missing)
    // --tls-version is the least.
    const configuration = join(authority.directory, `${version}.cnf`)
    const lines = ['openssl_conf = a', '[a]', 'ssl_conf = b', '[b]', 'system_default = c', '[c]']
    writeFileSync(configuration, [...lines, `MaxProtocol = ${version}`, ''].join('\n'))
    const environment = { OPENSSL_CONF: configuration }
    const { broker, port } = await openWay({ tls: { pskCallback } })
    const spoken: (string | null)[] = []
    broker.on('clientReady', ({ conn }: Client) => spoken.push((conn as TLSSocket).getProtocol()))
    const common = ['-h', 'localhost', '-p', `${port}`, '-t', 'x', '--psk', key, '--psk-identity', identity]
    const subscribing = ['-oL', 'mosquitto_sub', '-C', '1', '-d', ...common]
    const subscriber = new StartedProcess('stdbuf', subscribing, environment)
    onTestFinished(() => subscriber.stop())
    await subscriber.line(/SUBACK/)
    const publisher = new StartedProcess('mosquitto_pub', ['-m', 'hello', ...common], environment)
    expect(await publisher.exited).toMatchObject({ code: 0 })
    await subscriber.line(/^hello$/)
    expect(spoken).toEqual([version, version])
  })
})

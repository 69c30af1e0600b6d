import { hostname } from 'node:os'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../src/config/load-config.ts'
import { prepare } from '../src/config/prepare.ts'
import type { Prepared } from '../src/config/prepare.ts'
import { Authority } from './certificates.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

function prepared(text: string, name = 'x.yaml'): Prepared {
  const directory = temporaryFolder()
  const file = join(directory, name)
  writeFileSync(file, text)
  return prepare(loadConfig({ file, environment: {}, flags: { store: { memory: true } } }).config)
}

const options = {
  name: 'house',
  addresses: ['mqtt://a', 'ws://b'],
  returnToFirst: true,
  connections: 2,
  topics: [{ filter: 'a', direction: 'both', qos: 2, localPrefix: 'l/', remotePrefix: 'r/' }],
  protocolVersion: 4,
  clientId: 'c',
  localClientId: 'l',
  username: 'u',
  password: 'p',
  clean: true,
  localClean: false,
  sessionExpiryInterval: 4_294_967_295,
  keepAlive: 5,
  connectTimeout: 100,
  reconnectDelay: { least: 1, greatest: 2, stable: 3 },
  startType: 'once',
  notifications: 'local',
  notificationTopic: 't',
  attemptUnsubscribe: false,
  outgoingRetain: false,
  maximumPacketSize: 20,
  receiveMaximum: 1,
  topicAliasMaximum: 0,
  tryPrivate: false,
  bindAddress: '::1',
  detectLoops: false,
  remoteId: 'r',
}

test('every option of a bridge can stand in a file', () => {
  expect(prepared(JSON.stringify({ bridges: [options] }), 'x.json').bridges).toEqual([options])
})

test('TOML and the environment have bridges, too', () => {
  const toml = '[[bridges]]\nname = "b"\naddresses = "mqtt://h"\n[[bridges.topics]]\nfilter = "#"\n'
  const expected = [{ name: 'b', addresses: 'mqtt://h', topics: [{ filter: '#' }] }]
  expect(prepared(toml, 'x.toml').bridges).toEqual(expected)
  const environment = { X_BROKER_BRIDGES: '[{ name: b, addresses: "mqtt://h", topics: [{ filter: "#" }] }]' }
  expect(loadConfig({ file: undefined, environment, flags: {} }).config.bridges).toEqual(expected)
})

test('TLS is read from its files, and a pre-shared key is one for TLS 1.2', () => {
  const authority = new Authority()
  onTestFinished(() => authority.remove())
  const { cert, key, certFile, keyFile } = authority.sign('localhost')
  const bridge = (name: string, tls: object): object => ({
    ...options,
    name,
    localClientId: name,
    addresses: 'mqtts://h',
    tls,
  })
  const files = { ca: certFile, cert: certFile, key: keyFile, alpn: 'mqtt', serverName: 's', insecure: true }
  const keys = { pskIdentity: 'me', pskKey: '0aFF' }
  const [byFiles, byKey] = prepared(JSON.stringify({ bridges: [bridge('a', files), bridge('b', keys)] })).bridges
  expect(byFiles?.tls).toMatchObject({ ALPNProtocols: ['mqtt'], servername: 's' })
  expect(byFiles?.tls).toMatchObject({ ca: cert, cert, key })
  expect(byFiles?.tls?.rejectUnauthorized).toBe(undefined)
  expect(byFiles?.tls?.checkServerIdentity?.('other', {} as never)).toBe(undefined)
  expect(byKey?.tls?.pskCallback?.(null)).toEqual({ identity: 'me', psk: Buffer.of(0x0a, 0xff) })
  expect(byKey?.tls?.maxVersion).toBe('TLSv1.2')
})

const topics = 'topics: [{ filter: a }]'

test.for<[bridges: string, problem: string]>([
  ['[{ name: a, addresses: "mqtt://h" }]', 'x.yaml:1: bridges[0].topics is missing, it must be a list'],
  [`[{ name: a, addresses: h, ${topics} }]`, "bridges[0]: option addresses has 'h', it must be a URL"],
  [
    '[{ name: a, addresses: "mqtt://h", topics: [{ filter: a, localPrefix: + }] }]',
    "bridges[0]: topics[0].localPrefix is '+': a prefix is taken literally",
  ],
  [
    '[{ name: a, addresses: "mqtt://h", topics: [{ filter: a, qos: 3 }] }]',
    'bridges[0].topics[0].qos is 3, it must be one of 0, 1, 2',
  ],
  [
    `[{ name: a, addresses: "mqtt://h", ${topics}, notifications: maybe }]`,
    "bridges[0].notifications is 'maybe', it must be one of true, false, local",
  ],
  [
    `[{ name: a, addresses: "mqtt://h", ${topics} }, { name: a, addresses: "mqtt://h", ${topics} }]`,
    "bridges[1].name is 'a', which another bridge has",
  ],
  [
    `[{ name: a, addresses: "mqtt://h", ${topics} }, { name: b, clientId: ${hostname()}.a, addresses: "mqtt://h", ${topics} }]`,
    `bridges[1].localClientId is 'local.${hostname()}.a', which another bridge has`,
  ],
  [
    `[{ name: a, addresses: "mqtt://h", ${topics}, tls: {} }]`,
    'bridges[0].tls is given, but no address is mqtts or wss',
  ],
  [
    `[{ name: a, addresses: "mqtts://h", ${topics}, tls: { pskIdentity: i } }]`,
    'bridges[0].tls.pskIdentity and pskKey must be given together',
  ],
  [
    `[{ name: a, addresses: "mqtts://h", ${topics}, tls: { pskIdentity: i, pskKey: abc } }]`,
    'bridges[0].tls.pskKey must be hexadecimal digits, two for each byte',
  ],
  [
    `[{ name: a, addresses: "mqtts://h", ${topics}, tls: { ca: /nowhere/ca } }]`,
    'bridges[0].tls.ca /nowhere/ca: there is no such file',
  ],
])('bridges: %s: %s', ([bridges, problem]) => {
  expect(() => prepared(`bridges: ${bridges}\n`)).toThrow(problem)
})

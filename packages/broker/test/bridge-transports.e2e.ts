import { once } from 'node:events'
import { connectAsync } from 'mqtt'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { createBroker } from '../src/index.ts'
import type { BrokerOptions, ListenOptions } from '../src/index.ts'
import { Authority } from './certificates.ts'
import { openWay } from './ways-in.ts'

type Bridging = NonNullable<BrokerOptions['bridges']>[number]

const authority = new Authority()
afterAll(() => authority.remove())
const server = authority.sign('localhost')

const ways: readonly [string, ListenOptions, string, Bridging['tls']][] = [
  ['ws', { protocols: ['ws'] }, 'ws', undefined],
  ['mqtts', { protocols: ['mqtts'], tls: { cert: server.cert, key: server.key } }, 'mqtts', { ca: authority.ca }],
  ['wss', { protocols: ['wss'], tls: { cert: server.cert, key: server.key } }, 'wss', { ca: authority.ca }],
]

test.each(ways)('a bridge goes over %s', async (_name, listen, protocol, tls) => {
  const { broker: remote, port } = await openWay(listen)
  const local = createBroker({
    bridges: [
      {
        name: 'house',
        addresses: `${protocol}://localhost:${port}`,
        topics: [{ filter: 'a/#', direction: 'both', qos: 2 }],
        ...(tls !== undefined && { tls }),
      },
    ],
  })
  onTestFinished(() => local.close())
  const subscribed = once(remote, 'subscribe')
  const { url } = await local.listen({ port: 0, host: '127.0.0.1' })
  await subscribed
  const client = await connectAsync(url)
  onTestFinished(() => client.endAsync(true))
  await client.subscribeAsync('a/there', { qos: 2 })
  const arrived = new Promise<string>(resolve => {
    client.once('message', (_topic, payload) => resolve(payload.toString()))
  })
  const received = new Promise<string>(resolve => {
    void remote.subscribe('a/here', packet => resolve(packet.payload.toString()))
  })
  await client.publishAsync('a/here', 'out', { qos: 2 })
  expect(await received).toBe('out')
  await remote.publish({ topic: 'a/there', payload: 'in', qos: 2 })
  expect(await arrived).toBe('in')
})

test('a certificate of another authority is refused, with the reason', async () => {
  const { port } = await openWay({ protocols: ['mqtts'], tls: { cert: server.cert, key: server.key } })
  const local = createBroker({
    bridges: [{ name: 'house', addresses: `mqtts://localhost:${port}`, topics: [{ filter: 'a' }] }],
  })
  onTestFinished(() => local.close())
  const [error] = (await once(local, 'error')) as [Error & { code: string }]
  expect(error.code).toBe('BRIDGE_UNREACHABLE')
  expect(error.message).toMatch(/^bridge house: mqtts:\/\/localhost:\d+ can't be reached: .*certificate/)
})

test.each([
  [{}, 'option bridges is an empty object, it must be a list of objects with the options of @x/bridge'],
  [[{ name: 'house', addresses: 'mqtt://b', topics: [] }], 'option topics is an empty list'],
])('bridges that can not be are refused when the broker is made', (bridges, message) => {
  expect(() => createBroker({ bridges: bridges as unknown as Bridging[] })).toThrow(message)
})

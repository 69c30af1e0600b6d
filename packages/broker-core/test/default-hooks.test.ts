import { once } from 'node:events'
import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'
import type { Broker, HookOptions } from '../src/index.ts'

eachVersion(({ version, test: versionTest }) => {
  versionTest('a hook that wraps what was there where none was set changes nothing', async () => {
    const server = await startBroker()
    const { broker } = server
    const { preConnect, authenticate, authorizePublish, authorizeSubscribe, authorizeForward, published } = broker
    const called: string[] = []
    broker.preConnect = (client, packet, done) => {
      called.push('preConnect')
      return preConnect.call(broker, client, packet, done)
    }
    broker.authenticate = (client, username, password, done) => {
      called.push('authenticate')
      return authenticate.call(broker, client, username, password, done)
    }
    broker.authorizePublish = (client, packet, done) => {
      called.push('authorizePublish')
      return authorizePublish.call(broker, client, packet, done)
    }
    broker.authorizeSubscribe = (client, subscription, done) => {
      called.push('authorizeSubscribe')
      return authorizeSubscribe.call(broker, client, subscription, done)
    }
    broker.authorizeForward = (client, packet) => {
      called.push('authorizeForward')
      return authorizeForward.call(broker, client, packet)
    }
    broker.published = (packet, client, done) => {
      if (client !== null) called.push('published')
      return published.call(broker, packet, client, done)
    }
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe('a')
    client.publish({ topic: 'a', payload: 'x' })
    expect((await client.nextPublish()).payload).toBe('x')
    expect(called).toEqual([
      'preConnect',
      'authenticate',
      'authorizeSubscribe',
      'authorizePublish',
      'authorizeForward',
      'published',
    ])
  })
})

type AnyHook = (...values: unknown[]) => unknown

const wrappers: Readonly<Record<string, (broker: Broker, before: AnyHook) => AnyHook>> = {
  'rest parameters':
    (broker, before) =>
    (...values) =>
      before.apply(broker, values),
  arguments: (broker, before) =>
    function wrapper() {
      // oxlint-disable-next-line prefer-rest-params -- as programs write it
      return before.apply(broker, [...arguments])
    },
}
const wrapped = [
  'preConnect',
  'authenticate',
  'authorizePublish',
  'authorizeSubscribe',
  'authorizeForward',
  'published',
] as const

for (const [kind, wrap] of Object.entries(wrappers)) {
  test(`a wrapper with ${kind} changes nothing, whatever was there before`, async () => {
    const calls: HookOptions = {
      preConnect: (_client, _packet, done) => void setImmediate(done, null, true),
      authenticate: (_client, username, _password, done) => void setImmediate(done, null, username === 'ann'),
      authorizePublish: (_client, { topic }, done) => void setImmediate(done, topic === 'no' ? new Error('no') : null),
      authorizeSubscribe: (_client, subscription, done) => void setImmediate(done, null, subscription),
      authorizeForward: (_client, packet) => packet,
      published: (_packet, _client, done) => void setImmediate(done),
    }
    for (const options of [{}, calls]) {
      const server = await startBroker(options)
      for (const name of wrapped)
        Object.assign(server.broker, { [name]: wrap(server.broker, server.broker[name] as AnyHook) })
      const client = await server.connect({ clientId: 'c', username: 'ann' })
      await client.subscribe(['#', 1])
      const accepted = client.publish({ topic: 'a', qos: 1 })
      expect(await client.nextPublish()).toMatchObject({ topic: 'a' })
      await client.nextAck('puback', accepted)
      const refused = options === calls ? 'no' : '$SYS/no'
      const id = client.publish({ topic: refused, qos: 1 })
      expect((await client.nextAck('puback', id)).reasonCode).toBe(0x87)
      if (options !== calls) continue
      const stranger = await server.open()
      expect(await stranger.connect({ clientId: 's', username: 'bob' })).toMatchObject({ reasonCode: 0x87 })
    }
  })
}

test('what authorizePublish holds where none is set keeps clients from $SYS/', async () => {
  const server = await startBroker()
  const { authorizePublish } = server.broker
  server.broker.authorizePublish = (client, packet, done) => authorizePublish.call(server.broker, client, packet, done)
  const client = await server.connect({ version: 5, clientId: 'c' })
  client.publish({ topic: '$SYS/x', qos: 1 })
  const [, error] = (await once(server.broker, 'clientError')) as [unknown, Error]
  expect(error.message).toBe('$SYS/ topic is reserved')
})

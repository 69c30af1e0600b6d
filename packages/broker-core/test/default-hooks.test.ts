import { once } from 'node:events'
import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'

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

test('what authorizePublish holds where none is set keeps clients from $SYS/', async () => {
  const server = await startBroker()
  const { authorizePublish } = server.broker
  server.broker.authorizePublish = (client, packet, done) => authorizePublish.call(server.broker, client, packet, done)
  const client = await server.connect({ version: 5, clientId: 'c' })
  client.publish({ topic: '$SYS/x', qos: 1 })
  const [, error] = (await once(server.broker, 'clientError')) as [unknown, Error]
  expect(error.message).toBe('$SYS/ topic is reserved')
})

import { once } from 'node:events'
import { MqttClient } from 'mqtt'
import type { IClientOptions } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { createBroker } from '../src/index.ts'
import type { Broker, BrokerOptions } from '../src/index.ts'

async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const broker = createBroker(options)
  onTestFinished(() => broker.close())
  await broker.ready
  return broker
}

/** The client's next event of this name. */
function next(client: MqttClient, name: 'close' | 'connect' | 'message'): Promise<void> {
  return new Promise(resolve => {
    client.once(name, () => resolve())
  })
}

function connectLocally(broker: Broker, options: IClientOptions = {}): MqttClient {
  const client = new MqttClient(() => broker.openLocalStream('inside'), { reconnectPeriod: 0, ...options })
  client.on('error', () => undefined)
  onTestFinished(() => {
    client.end(true)
  })
  return client
}

test.for([4, 5] as const)(
  'a client within the process exchanges messages of every QoS, with version %i',
  async version => {
    const broker = await startBroker()
    const client = connectLocally(broker, { protocolVersion: version })
    await next(client, 'connect')
    const seen: string[] = []
    client.on('message', (topic, payload, { qos }) => seen.push(`${topic} ${payload.toString()} ${qos}`))
    await client.subscribeAsync('a/#', { qos: 2 })
    for (const qos of [0, 1, 2] as const) await client.publishAsync('a/b', `${qos}`, { qos })
    await client.publishAsync('a/large', 'x'.repeat(300_000), { qos: 1 })
    await expect.poll(() => seen.length).toBe(4)
    expect(seen.slice(0, 3)).toEqual(['a/b 0 0', 'a/b 1 1', 'a/b 2 2'])
    expect(broker.clients[client.options.clientId ?? '']?.listener).toBe('inside')
  },
)

test('no hook is asked about it, and no right by topic', async () => {
  const asked: string[] = []
  const deny = (name: string): (() => never) => {
    return () => {
      asked.push(name)
      throw new Error('no')
    }
  }
  const broker = await startBroker({
    preConnect: deny('preConnect'),
    authenticate: deny('authenticate'),
    authorizePublish: deny('authorizePublish'),
    authorizeSubscribe: deny('authorizeSubscribe'),
    authorizeForward: deny('authorizeForward'),
    topicAccess: { mayPublish: () => false, mayReceive: () => false },
  })
  const client = connectLocally(broker)
  await next(client, 'connect')
  const message = next(client, 'message')
  await client.subscribeAsync('$SYS/a', { qos: 1 })
  await client.publishAsync('$SYS/a', 'x', { qos: 1 })
  await message
  expect(asked).toEqual([])
})

test('a client that ends it leaves, and the broker that closes ends it', async () => {
  const broker = await startBroker()
  const first = connectLocally(broker, { clientId: 'first' })
  const second = connectLocally(broker, { clientId: 'second' })
  await Promise.all([next(first, 'connect'), next(second, 'connect')])
  const left = once(broker, 'clientDisconnect')
  await first.endAsync()
  expect((await left)[1]).toBe('disconnect')
  const closed = next(second, 'close')
  await broker.close()
  await closed
})

test('a stream without a name is refused', async () => {
  const broker = await startBroker()
  expect(() => broker.openLocalStream('')).toThrow('option name is')
})

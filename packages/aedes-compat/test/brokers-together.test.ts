import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createBroker } from '@x/broker'
import { Aedes } from 'aedes'
import aedesRedis from 'aedes-persistence-redis'
import { Redis } from 'ioredis'
import { connect } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import mqemitterRedis from 'mqemitter-redis'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { clientEvent } from '../../broker/test/client-event.ts'
import { redisMissing, startRedis } from './redis-server.ts'
import type { RedisServer } from './redis-server.ts'

type Make = (options?: unknown) => object
type Kind = 'this broker' | 'Aedes'

let server: RedisServer | undefined
const ends: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
  await server?.flush()
})
afterAll(() => server?.stop())

interface Node {
  connect(clientId: string, options?: IClientOptions): Promise<MqttClient & { messages: string[] }>
}

/** A broker that shares Redis, for messages and for what is stored, with the others. */
async function startNode(kind: Kind): Promise<Node> {
  server ??= await startRedis()
  const connection = new Redis({ port: server.port, host: '127.0.0.1' })
  const options = {
    // Its ready check and its subscriptions get in each other's way.
    mq: (mqemitterRedis as Make)({ port: server.port, host: '127.0.0.1', enableReadyCheck: false }),
    persistence: (aedesRedis as Make)({ conn: connection }),
  }
  const broker = kind === 'Aedes' ? await Aedes.createBroker(options) : createBroker(options)
  if ('ready' in broker) await broker.ready
  const close = (done: () => void): unknown => broker.close(done)
  const listener = createServer(broker.handle as never)
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  ends.push(
    () => connection.disconnect(),
    () => void listener.close(),
    () => new Promise<void>(close),
  )
  const { port } = listener.address() as AddressInfo
  return {
    async connect(clientId, more) {
      const client = connect(`mqtt://127.0.0.1:${port}`, { clientId, reconnectPeriod: 0, ...more })
      ends.push(() => void client.end(true))
      client.on('error', () => undefined)
      const messages: string[] = []
      client.on('message', (topic, payload) => messages.push(`${topic} ${payload.toString()}`))
      await clientEvent(client, 'connect')
      return Object.assign(client, { messages })
    },
  }
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition).toBe(true)
}

describe.skipIf(redisMissing !== undefined).each([
  ['this broker', 'this broker'],
  ['this broker', 'Aedes'],
  ['Aedes', 'this broker'],
] as const)('%s and %s on one Redis', (first, second) => {
  test('messages go from one to the other, at every QoS', async () => {
    const [here, there] = [await startNode(first), await startNode(second)]
    const reader = await there.connect('reader')
    await reader.subscribeAsync('house/+/light', { qos: 2 })
    const writer = await here.connect('writer')
    for (const qos of [0, 1, 2] as const) await writer.publishAsync(`house/${qos}/light`, 'on', { qos })
    await until(() => reader.messages.length >= 3)
    expect(reader.messages).toEqual(['house/0/light on', 'house/1/light on', 'house/2/light on'])
  })

  test('what is queued and retained at one is got at the other', async () => {
    const [here, there] = [await startNode(first), await startNode(second)]
    const away = await here.connect('away', { clean: false })
    await away.subscribeAsync('news', { qos: 1 })
    await away.endAsync()
    const writer = await here.connect('writer')
    await writer.publishAsync('news', 'one', { qos: 1 })
    await writer.publishAsync('state', 'on', { qos: 1, retain: true })
    const back = await there.connect('away', { clean: false })
    await until(() => back.messages.includes('news one'))
    await back.subscribeAsync('state')
    await until(() => back.messages.includes('state on'))
  })

  test('a lasting session that is connected at one gets what is published at the other', async () => {
    const [here, there] = [await startNode(first), await startNode(second)]
    const reader = await there.connect('lasting', { clean: false })
    await reader.subscribeAsync('news', { qos: 1 })
    const writer = await here.connect('writer')
    for (const text of ['one', 'two', 'three']) await writer.publishAsync('news', text, { qos: 1 })
    await until(() => reader.messages.length >= 3)
    expect(reader.messages).toEqual(['news one', 'news two', 'news three'])
  })

  test('a client that connects to one is thrown out of the other', async () => {
    const [here, there] = [await startNode(first), await startNode(second)]
    const before = await here.connect('wanderer')
    const thrownOut = clientEvent(before, 'close')
    await there.connect('wanderer')
    await thrownOut
  })
})

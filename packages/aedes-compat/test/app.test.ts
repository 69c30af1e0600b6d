import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Aedes } from 'aedes'
import aedesMemory from 'aedes-persistence'
import { connect } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { Aedes as OurAedes } from '@x/broker'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientEvent } from '../../broker/test/client-event.ts'
import { startApp } from './fixtures/app.ts'
import type { App } from './fixtures/app.ts'

/** The same program over both, with only the import of the class differing. */
const classes = [
  ['aedes', Aedes],
  ['@x/broker', OurAedes as unknown as typeof Aedes],
] as const

interface Running extends App {
  /** A client whose messages are all in `messages`, from the first one on. */
  connect(clientId: string, options?: IClientOptions): Promise<MqttClient & { messages: string[] }>
}

async function run(Class: typeof Aedes, options = {}): Promise<Running> {
  const app = await startApp(Class, options)
  const server = createServer(app.broker.handle as never)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const clients: MqttClient[] = []
  onTestFinished(async () => {
    for (const client of clients) client.end(true)
    await app.close()
    server.close()
  })
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    ...app,
    connect: async (clientId, more) => {
      const user = { username: 'ann', password: 'secret', reconnectPeriod: 0 }
      const messages: string[] = []
      const client = connect(url, { clientId, ...user, ...more })
      clients.push(client)
      client.on('message', (topic, payload) => messages.push(`${topic} ${payload.toString()}`))
      await new Promise<void>((resolve, reject) => {
        client.once('connect', () => resolve())
        client.once('error', reject)
      })
      return Object.assign(client, { messages })
    },
  }
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition).toBe(true)
}

describe.each(classes)('an application written for Aedes 1.2, on %s', (_name, Class) => {
  test('lets in whom it knows, and tells others why not', async () => {
    const app = await run(Class)
    const ann = await app.connect('ann')
    expect(ann.connected).toBe(true)
    await expect(app.connect('eve', { password: 'guess' })).rejects.toMatchObject({ code: 4 })
    await until(() => app.log.includes('error eve who are you'))
    expect(app.log).toContain('client ann')
    expect(app.log).not.toContain('client eve')
  })

  test('says hello to each client', async () => {
    const app = await run(Class)
    const client = await app.connect('ann')
    await until(() => client.messages.includes('welcome/ann hello'))
  })

  test('changes and refuses what is published', async () => {
    const app = await run(Class)
    const [reader, writer] = [await app.connect('reader'), await app.connect('writer')]
    await reader.subscribeAsync(['stamp', 'locked'])
    await writer.publishAsync('stamp', 'made', { qos: 1 })
    await until(() => reader.messages.includes('stamp made by writer'))
    writer.publish('locked', 'x', { qos: 0 })
    await clientEvent(writer, 'close')
    await until(() => app.log.includes('error writer locked'))
    await until(() => app.log.includes('left writer'))
  })

  test('changes and denies single subscriptions', async () => {
    const app = await run(Class)
    const client = await app.connect('ann')
    // MQTT.js takes a denied one for the failure of all; what counts is what the broker has granted.
    await client.subscribeAsync({ secret: { qos: 1 }, cheap: { qos: 1 }, open: { qos: 1 } }).catch(() => undefined)
    await until(() => app.log.some(line => line.startsWith('subscribe')))
    // Aedes tells the QoS that was asked for, this broker the one that was granted.
    const told = app.log.find(line => line.startsWith('subscribe'))
    expect(told).toMatch(/^subscribe ann secret=128,cheap=[01],open=1$/)
    for (const topic of ['secret', 'cheap', 'open']) await client.publishAsync(topic, 'x', { qos: 1 })
    await until(() => client.messages.includes('open x'))
    expect(client.messages).toContain('cheap x')
    expect(client.messages).not.toContain('secret x')
    await client.unsubscribeAsync('open')
    await until(() => app.log.includes('unsubscribe ann open'))
  })

  test('keeps messages from single clients', async () => {
    const app = await run(Class)
    const [kid, adult] = [await app.connect('kid'), await app.connect('adult')]
    for (const client of [kid, adult]) await client.subscribeAsync(['adults', 'all'])
    await adult.publishAsync('adults', '1', { qos: 1 })
    await adult.publishAsync('all', '2', { qos: 1 })
    await until(() => [kid, adult].every(({ messages }) => messages.includes('all 2')))
    expect(adult.messages).toContain('adults 1')
    expect(kid.messages).not.toContain('adults 1')
  })

  test('hears of clients on $SYS and of messages by topic, and is told when they are published', async () => {
    const app = await run(Class)
    const client = await app.connect('ann')
    await client.publishAsync('orders/1', 'tea', { qos: 1 })
    await until(() => app.log.includes('published orders/1 by ann'))
    expect(app.log).toContain('presence ann')
    expect(app.log).toContain('order tea')
  })

  test('publishes by itself, retained too', async () => {
    const app = await run(Class)
    await new Promise<void>((resolve, reject) => {
      const packet = { cmd: 'publish', topic: 'state', payload: 'on', qos: 1, retain: true, dup: false } as const
      app.broker.publish(packet, error => (error ? reject(error) : resolve()))
    })
    const client = await app.connect('ann')
    await client.subscribeAsync('state')
    await until(() => client.messages.includes('state on'))
  })

  test('keeps the queue of a client that is away, in a store of its own', async () => {
    const app = await run(Class, { persistence: (aedesMemory as unknown as () => object)() })
    const away = await app.connect('away', { clean: false })
    await away.subscribeAsync('news', { qos: 1 })
    await away.endAsync()
    await until(() => app.log.includes('left away'))
    const writer = await app.connect('writer')
    await writer.publishAsync('news', 'while away', { qos: 1 })
    const back = await app.connect('away', { clean: false })
    await until(() => back.messages.includes('news while away'))
  })

  test('closes all clients, and then is closed', async () => {
    const app = await run(Class)
    const client = await app.connect('ann')
    const gone = clientEvent(client, 'close')
    const closed = once(app.broker, 'closed')
    await app.close()
    await Promise.all([gone, closed])
    expect(app.broker.connectedClients).toBe(0)
    expect(app.broker.closed).toBe(true)
  })
})

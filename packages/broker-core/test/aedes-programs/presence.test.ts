import { expect, test } from 'vitest'
import type { EmitterHost, Message } from '@x/contract'
import type { Broker } from '../../src/index.ts'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import { disconnect } from '../support/wire.ts'

// What brokers say of themselves and their clients under $SYS/<id>/, one test for each topic.

/** Topics behind `$SYS/b/` with their payloads, in order. */
async function overheard(broker: Broker): Promise<string[]> {
  const seen: string[] = []
  await broker.subscribe('$SYS/b/#', packet => void seen.push(`${packet.topic.slice(7)} ${packet.payload.toString()}`))
  return seen
}

test('$SYS/<id>/birth: when the broker opens', async () => {
  const births: string[] = []
  await startBroker({
    id: 'b',
    published: packet => void births.push(`${packet.topic} ${packet.payload.toString()}`),
  })
  expect(births).toEqual(['$SYS/b/birth b'])
})

test('$SYS/<id>/heartbeat: reaches the event publish with client null', async () => {
  const { broker, pass } = await startBrokerWithClock({ id: 'b', heartbeatInterval: 1000 })
  const events: unknown[] = []
  broker.on('publish', (packet, client) => events.push([packet.topic, client]))
  await pass(1500)
  expect(events).toEqual([['$SYS/b/heartbeat', null]])
})

test('$SYS/<id>/new/clients, disconnect/clients: who comes and goes, whatever its name', async () => {
  const server = await startBroker({ id: 'b' })
  const seen = await overheard(server.broker)
  for (const clientId of ['c', '__proto__']) {
    const client = await server.connect({ clientId })
    const left = server.gone(clientId)
    client.send(disconnect())
    await left
  }
  expect(seen).toEqual([
    'new/clients c',
    'disconnect/clients c',
    'new/clients __proto__',
    'disconnect/clients __proto__',
  ])
})

test('$SYS/<id>/new/subscribes, new/unsubscribes: in JSON; the latter also when a session ends with its connection', async () => {
  const server = await startBroker({ id: 'b' })
  const client = await server.connect({ version: 4, clientId: 'c' })
  const seen = await overheard(server.broker)
  await client.subscribe(['a', 1], ['b', 0])
  await client.unsubscribe('a')
  const left = server.gone('c')
  client.send(disconnect())
  await left
  const said = seen.map(line => {
    const [topic = '', ...payload] = line.split(' ')
    return topic === 'disconnect/clients' ? topic : [topic, JSON.parse(payload.join(' ')) as unknown]
  })
  expect(said).toEqual([
    [
      'new/subscribes',
      {
        clientId: 'c',
        subs: [expect.objectContaining({ topic: 'a', qos: 1 }), expect.objectContaining({ topic: 'b', qos: 0 })],
      },
    ],
    ['new/unsubscribes', { clientId: 'c', subs: ['a'] }],
    ['new/unsubscribes', { clientId: 'c', subs: ['b'] }],
    'disconnect/clients',
  ])
})

test('clients may read $SYS, and may not write to it', async () => {
  const server = await startBroker({ id: 'b' })
  const watcher = await server.connect({ clientId: 'w' })
  await watcher.subscribe('$SYS/b/new/clients')
  await server.connect({ clientId: 'c' })
  expect(await watcher.nextPublish()).toMatchObject({ topic: '$SYS/b/new/clients', payload: 'c' })
  watcher.publish({ topic: '$SYS/b/new/clients', payload: 'x', qos: 1 })
  expect((await watcher.nextAck('puback')).reasonCode).toBe(0x87)
})

/** The end of an emitter that a broker sees, and what it sent. */
function emitterEnd(): {
  readonly emitter: NonNullable<Parameters<typeof startBroker>[0]>['emitter'] & object
  readonly sent: Message[]
  host(): EmitterHost
} {
  const sent: Message[] = []
  let opened: EmitterHost | undefined
  return {
    sent,
    host() {
      if (opened === undefined) throw new Error('not open')
      return opened
    },
    emitter: {
      open: host => {
        opened = host
      },
      close: () => undefined,
      addRoute: () => undefined,
      removeRoute: () => undefined,
      takesTurn: () => true,
      reaches: () => true,
      publish: message => void sent.push(message),
      announce: () => undefined,
    },
  }
}

test('other brokers are told; their heartbeats are in brokers until three are missing', async () => {
  const { emitter, sent, host } = emitterEnd()
  const { broker, pass } = await startBrokerWithClock({ id: 'b', heartbeatInterval: 1000, emitter })
  expect(sent.map(({ topic }) => topic)).toEqual(['$SYS/b/birth'])
  const heartbeat = (id: string): void => {
    void host().deliver({
      topic: `$SYS/${id}/heartbeat`,
      payload: Buffer.from(id),
      qos: 0,
      retain: false,
      properties: undefined,
      expiresAt: undefined,
      publisher: undefined,
      brokerId: id,
      brokerCounter: 1,
    })
  }
  heartbeat('other')
  heartbeat('__proto__')
  await new Promise(setImmediate)
  expect(Object.keys(broker.brokers).toSorted()).toEqual(['__proto__', 'other'])
  await pass(2500)
  heartbeat('other')
  await pass(2000)
  expect(Object.keys(broker.brokers)).toEqual(['other'])
  await pass(3000)
  expect(Object.keys(broker.brokers)).toEqual([])
})

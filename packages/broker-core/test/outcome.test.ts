import { expect, test } from 'vitest'
import type { Broker, Client } from '../src/index.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'

// What the broker's methods return may be left alone: a failure is an 'error' then, and ends no process.

const no = new Error('no')

function refuse(): never {
  throw no
}

async function start(): Promise<TestBroker & { inside: Client }> {
  const server = await startBroker({ published: packet => (packet.topic === 'refused' ? refuse() : undefined) })
  await server.broker.subscribe('broken', refuse)
  await server.connect({ clientId: 'c' })
  return { ...server, inside: server.broker.client('c') as Client }
}

const failures: Readonly<Record<string, (broker: Broker, client: Client) => unknown>> = {
  'publish, when the hook published fails': broker => broker.publish({ topic: 'refused' }),
  'publish, when an in-process subscriber fails': broker => broker.publish({ topic: 'broken' }),
  'publish without a topic': broker => broker.publish({ topic: '' }),
  'publish without a packet': broker => broker.publish(undefined as never),
  'subscribe without a function': broker => broker.subscribe('a', undefined as never),
  'subscribe to a wrong filter': broker => broker.subscribe('a#', refuse),
  'unsubscribe without a function': broker => broker.unsubscribe('a', undefined as never),
  'client.publish to a wrong topic': (_broker, client) => client.publish({ topic: 'a/#' }),
  'client.subscribe to a wrong filter': (_broker, client) => client.subscribe({ topic: 'a#', qos: 0 }),
  'client.subscribe to null': (_broker, client) => client.subscribe(null as never),
  'client.unsubscribe from a wrong filter': (_broker, client) => client.unsubscribe('a#'),
  'mq.emit without a topic': ({ mq }) => mq.emit({ topic: '' }),
  'mq.emit, when an in-process subscriber fails': ({ mq }) => mq.emit({ topic: 'broken' }),
  'mq.on with a wrong filter': ({ mq }) => mq.on('a#', refuse),
  'mq.removeListener with a wrong filter': ({ mq }) => mq.removeListener('a#', refuse),
}

for (const [what, fail] of Object.entries(failures)) {
  test(`${what}: nobody waits for it, so it becomes an error event`, async () => {
    const watched = watchProcess()
    const { broker, errors, inside } = await start()
    fail(broker, inside)
    await watched.expectCalm()
    expect(errors.splice(0)).toHaveLength(1)
    expect(broker.connectedClients).toBe(1)
  })
}

test('who asks for the outcome is told, and nobody else', async () => {
  const watched = watchProcess()
  const { broker, errors } = await start()
  await expect(broker.publish({ topic: 'refused' })).rejects.toBe(no)
  const told: unknown[] = []
  void broker.publish({ topic: 'refused' }).catch((error: unknown) => told.push(error))
  broker.publish({ topic: 'refused' }).then(undefined, (error: unknown) => told.push(error))
  await Promise.allSettled([broker.publish({ topic: 'refused' })])
  broker.publish({ topic: 'refused' }, error => told.push(error))
  await watched.expectCalm()
  expect(told).toEqual([no, no, no])
  expect(errors).toEqual([])
})

test('an outcome that is asked for late is still the same', async () => {
  const watched = watchProcess()
  const { broker, errors } = await start()
  const outcome = broker.publish({ topic: 'refused' })
  await watched.expectCalm()
  expect(errors.splice(0)).toEqual([no])
  await expect(outcome).rejects.toBe(no)
  expect(outcome).toBeInstanceOf(Promise)
  expect(outcome.catch(() => undefined).constructor).toBe(Promise)
})

for (const wrong of [
  undefined,
  null,
  7,
  {},
  [7],
  [null],
  { topic: 7 },
  { subscriptions: 7 },
  [{ topic: ['a'] }],
  true,
]) {
  test(`a client is not subscribed to, nor unsubscribed from, ${JSON.stringify(wrong)}`, async () => {
    const { inside } = await start()
    const refusal = { code: expect.stringMatching(/^(?:PACKET_INVALID|FILTER_EMPTY)$/) }
    await expect(inside.subscribe(wrong as never)).rejects.toMatchObject(refusal)
    await expect(inside.unsubscribe(wrong as never)).rejects.toMatchObject(refusal)
    expect(Object.keys(inside.subscriptions)).toEqual([])
  })

  test(`the program does not subscribe to, nor unsubscribe from, ${JSON.stringify(wrong)}`, async () => {
    const { broker } = await start()
    const refusal = { code: expect.stringMatching(/^(?:PACKET_INVALID|FILTER_EMPTY)$/) }
    await expect(broker.subscribe(wrong as never, refuse)).rejects.toMatchObject(refusal)
    await expect(broker.unsubscribe(wrong as never, refuse)).rejects.toMatchObject(refusal)
  })
}

test('a client is subscribed to all of a list or to nothing', async () => {
  const { inside } = await start()
  await expect(inside.subscribe([{ topic: 'a' }, { topic: 'a#' }])).rejects.toMatchObject({
    code: 'FILTER_WILDCARD_MISPLACED',
  })
  await expect(inside.subscribe({ topic: 'a', qos: 3 as 2 })).rejects.toMatchObject({ code: 'PACKET_INVALID' })
  expect(Object.keys(inside.subscriptions)).toEqual([])
})

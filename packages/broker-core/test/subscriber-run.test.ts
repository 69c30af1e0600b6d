import { expect, test } from 'vitest'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

// ── Functions that publish and wait ───────────────────────────────────────────────────────────────────────────────────

test('functions that publish and wait do not wait for each other’s slots', async () => {
  const { broker } = await startBroker({ concurrency: 2 })
  const logged: string[] = []
  await broker.subscribe('log/#', async packet => {
    await turn()
    logged.push(packet.payload.toString())
  })
  await broker.subscribe('cmd', async packet => {
    await turn()
    await broker.publish({ topic: 'log/x', payload: packet.payload })
  })
  await Promise.all(['1', '2', '3'].map(payload => broker.publish({ topic: 'cmd', payload })))
  expect(logged).toEqual(['1', '2', '3'])
})

test('clients whose messages run such functions are acknowledged', async () => {
  const server = await startBroker({ concurrency: 1 })
  await server.broker.subscribe('log', (_packet, done) => void setImmediate(done))
  await server.broker.subscribe('cmd', async () => {
    await turn()
    await server.broker.publish({ topic: 'log', qos: 1 })
  })
  const clients = await Promise.all(['a', 'b', 'c'].map(clientId => server.connect({ clientId })))
  await Promise.all(clients.map(client => client.publishDone({ topic: 'cmd', qos: 1 })))
})

test('chains of functions, by publish, by callback and by mq, come to their end', async () => {
  const { broker } = await startBroker({ concurrency: 1 })
  await broker.subscribe('a', async () => {
    await turn()
    await broker.publish({ topic: 'b' })
  })
  await broker.subscribe('b', (_packet, done) => {
    setImmediate(() => broker.publish({ topic: 'c' }, () => done()))
  })
  broker.mq.on('c', (_packet, done) => {
    broker.mq.emit({ topic: 'd' }, () => done())
  })
  let ends = 0
  await broker.subscribe('d', async () => {
    await turn()
    ends += 1
  })
  await Promise.all(Array.from({ length: 5 }, () => broker.publish({ topic: 'a' })))
  expect(ends).toBe(5)
  expect(broker.mq).toMatchObject({ current: 0, length: 0 })
})

test('so do chains that begin when no function has run for some turns', async () => {
  const { broker } = await startBroker({ concurrency: 1 })
  const ended: string[] = []
  await broker.subscribe('a', async ({ payload }) => {
    await turn()
    await broker.publish({ topic: 'b', payload })
  })
  await broker.subscribe('b', async ({ payload }) => {
    await turn()
    ended.push(payload.toString())
  })
  for (const payload of ['1', '2', '3']) {
    await broker.publish({ topic: 'a', payload })
    for (let turns = 0; turns < 3; turns += 1) await turn()
  }
  expect(ended).toEqual(['1', '2', '3'])
})

test('hooks that publish and wait do not wait for slots that their messages hold', async () => {
  const server = await startBroker({ concurrency: 1 })
  const { broker } = server
  broker.authorizePublish = async (_client, { topic }) => {
    await broker.publish({ topic: `asked/${topic}` })
  }
  broker.published = async ({ topic }) => {
    if (topic === 'a') await broker.publish({ topic: 'done' })
  }
  await broker.subscribe('#', async () => turn())
  const client = await server.connect({ clientId: 'c' })
  for (let count = 0; count < 5; count += 1) client.publish({ topic: 'a', qos: 1, id: count + 1 })
  for (let count = 0; count < 5; count += 1) await client.nextAck('puback', count + 1)
})

test('a circle of functions ends at maximumNesting, and other messages are served', async () => {
  const { broker } = await startBroker({ concurrency: 2, maximumNesting: 10 })
  let runs = 0
  await broker.subscribe('a', async () => {
    runs += 1
    await turn()
    await broker.publish({ topic: 'a' })
  })
  await expect(broker.publish({ topic: 'a' })).rejects.toMatchObject({
    code: 'NESTED_TOO_DEEP',
    message: expect.stringContaining('the limit is maximumNesting of 10'),
  })
  expect(runs).toBe(11)
  expect(broker.mq).toMatchObject({ current: 0, length: 0 })
})

test('a circle that a client has set going is reported, and the client is acknowledged', async () => {
  const server = await startBroker({ maximumNesting: 3 })
  await server.broker.subscribe('a', async () => server.broker.publish({ topic: 'a' }))
  const client = await server.connect({ clientId: 'c' })
  await client.publishDone({ topic: 'a', qos: 1 })
  await turn()
  expect(server.errors).toMatchObject([{ code: 'NESTED_TOO_DEEP' }])
  server.errors.length = 0
})

test('functions that publish two messages each do not run without end at once', async () => {
  const { broker } = await startBroker({ concurrency: 1, maximumNesting: 12 })
  let [running, most] = [0, 0]
  await broker.subscribe('a', async () => {
    running += 1
    most = Math.max(most, running)
    await turn()
    await Promise.allSettled([broker.publish({ topic: 'a' }), broker.publish({ topic: 'a' })])
    running -= 1
  })
  void broker.publish({ topic: 'a' })
  for (let turns = 0; turns < 50; turns += 1) await turn()
  expect(most).toBeLessThanOrEqual(101)
  broker.mq.removeAllListeners('a')
})

test('a function that publishes again and again, each time after it was done, is in no circle', async () => {
  const { broker } = await startBroker({ maximumNesting: 2 })
  let runs = 0
  await new Promise<void>(resolve => {
    void broker.subscribe('tick', () => {
      runs += 1
      if (runs === 50) resolve()
      else setImmediate(() => void broker.publish({ topic: 'tick' }))
    })
    void broker.publish({ topic: 'tick' })
  })
  expect(runs).toBe(50)
})

test('functions that go round in a circle without waiting keep nobody from being served', async () => {
  const server = await startBroker()
  let runs = 0
  const again = (): void => {
    runs += 1
    // The last one comes when the broker is closed.
    server.broker.publish({ topic: 'a' }).catch(() => undefined)
  }
  await server.broker.subscribe('a', again)
  const client = await server.connect({ clientId: 'c' })
  client.publish({ topic: 'a' })
  for (let pings = 0; pings < 3; pings += 1) await client.ping()
  expect(runs).toBeGreaterThan(1)
  await server.broker.unsubscribe('a', again)
})

test('more messages than one turn takes reach a function in their order', async () => {
  const { broker } = await startBroker()
  const seen: number[] = []
  await broker.subscribe('a', packet => void seen.push(Number(packet.payload.toString())))
  const count = 12_000
  await Promise.all(Array.from({ length: count }, (_, index) => broker.publish({ topic: 'a', payload: `${index}` })))
  expect(seen).toEqual(Array.from({ length: count }, (_, index) => index))
})

// ── Functions that never end ──────────────────────────────────────────────────────────────────────────────────────────

const hookTimeout = 5000

test.for([
  ['never calls back', (_packet: unknown, done: () => void) => void done],
  ['never settles', () => new Promise(() => undefined)],
] as const)('a function that %s fails after hookTimeout: publishers go on, its slot is free', async ([, deliver]) => {
  const server = await startBrokerWithClock({ concurrency: 1, hookTimeout })
  await server.broker.subscribe('stuck', deliver)
  let served = 0
  await server.broker.subscribe('fine', () => {
    served += 1
  })
  const [client, other] = await Promise.all(['c', 'o'].map(clientId => server.connect({ clientId })))
  if (client === undefined || other === undefined) throw new Error('no clients')
  client.publish({ topic: 'stuck', qos: 1, id: 1 })
  await client.expectNothing()
  // It waits behind the other, and as long.
  other.publish({ topic: 'stuck', qos: 1, id: 1 })
  await other.expectNothing()
  await server.pass(hookTimeout + 1000)
  await Promise.all([client.nextAck('puback', 1), other.nextAck('puback', 1)])
  expect(server.errors.map(error => error.message)).toEqual([
    "a function subscribed to 'stuck' did not finish within hookTimeout of 5000 ms",
    "a function subscribed to 'stuck' had no turn within hookTimeout of 5000 ms",
  ])
  expect(server.errors).toMatchObject([{ code: 'SUBSCRIBER_TIMEOUT' }, { code: 'SUBSCRIBER_TIMEOUT' }])
  server.errors.length = 0
  await other.publishDone({ topic: 'fine', qos: 1 })
  expect(served).toBe(1)
  expect(server.broker.mq).toMatchObject({ current: 0, length: 0 })
})

test('what a function says after its time is of no interest', async () => {
  const watched = watchProcess()
  const server = await startBrokerWithClock({ concurrency: 1, hookTimeout })
  const late: (() => void)[] = []
  await server.broker.subscribe('a', (_packet, done) => void late.push(done))
  await server.broker.subscribe(
    'b',
    () => new Promise((_resolve, reject) => void late.push(() => reject(new Error('late')))),
  )
  const published = ['a', 'b'].map(topic => server.broker.publish({ topic }))
  const outcomes = Promise.allSettled(published)
  await turn()
  await server.pass(hookTimeout + 1000)
  expect(await outcomes).toMatchObject(
    published.map(() => ({ status: 'rejected', reason: { code: 'SUBSCRIBER_TIMEOUT' } })),
  )
  for (const say of late) say()
  await watched.expectCalm()
  expect(server.broker.mq).toMatchObject({ current: 0, length: 0 })
})

test('hookTimeout 0: a function may take for ever', async () => {
  const server = await startBrokerWithClock({ hookTimeout: 0 })
  const open: (() => void)[] = []
  await server.broker.subscribe('a', (_packet, done) => void open.push(done))
  const client = await server.connect({ clientId: 'c' })
  client.publish({ topic: 'a', qos: 1, id: 1 })
  while (open.length === 0) await turn()
  await server.pass(60_000)
  await client.expectNothing()
  for (const done of open) done()
  await client.nextAck('puback', 1)
})

test('a function that declares a callback and rejects is over', async () => {
  const { broker } = await startBroker({ hookTimeout: 0 })
  await broker.subscribe('a', async (_packet, done) => {
    void done
    await turn()
    throw new Error('broken')
  })
  await expect(broker.publish({ topic: 'a' })).rejects.toThrow('broken')
  expect(broker.mq).toMatchObject({ current: 0, length: 0 })
})

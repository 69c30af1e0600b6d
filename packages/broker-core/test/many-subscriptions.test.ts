import { expect, test, vi } from 'vitest'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { startBroker } from './support/start-broker.ts'
import { connect, puback, subscribe, unsubscribe } from './support/wire.ts'

const filters = Array.from({ length: 60_000 }, (_, index) => `f/${index}`)

test('others are served while a SUBSCRIBE, UNSUBSCRIBE or CONNECT with many subscriptions is at work', async () => {
  const server = await startBroker()
  const other = await server.connect({ clientId: 'other' })
  const lasting = { clientId: 'c', cleanStart: false, properties: [0x11, 0, 0, 0, 9] } as const
  const client = await server.connect(lasting)
  /** PINGREQs of the other client that are answered while this is. */
  const served = async (work: Promise<unknown>): Promise<number> => {
    let isDone = false
    const done = work.then(() => {
      isDone = true
    })
    let count = 0
    while (!isDone) {
      await Promise.race([other.ping(), done])
      count += 1
    }
    return count
  }
  client.send(subscribe({ filters: filters.map(filter => [filter, 1] as const) }))
  expect(await served(client.next('suback'))).toBeGreaterThan(3)
  await server.drop(client)
  expect((await server.broker.counts()).subscriptions).toBe(filters.length)
  const resumed = server.connect(lasting)
  expect(await served(resumed)).toBeGreaterThan(3)
  await server.broker.publish({ topic: 'f/59999' })
  expect((await (await resumed).nextPublish()).topic).toBe('f/59999')
  ;(await resumed).send(unsubscribe({ filters }))
  expect(await served((await resumed).next('unsuback'))).toBeGreaterThan(3)
  expect((await server.broker.counts()).subscriptions).toBe(0)
})

test('a resumed session is asked about in slices, and a client that leaves meanwhile leaves nothing', async () => {
  const asked: string[] = []
  const server = await startBroker({
    authorizeSubscribe: (_client, subscription) => {
      asked.push(subscription.topic)
      return subscription.topic.endsWith('7') && asked.length > 20_000 ? null : subscription
    },
  })
  const lasting = { clientId: 'c', cleanStart: false, properties: [0x11, 0, 0, 0, 9] } as const
  const client = await server.connect(lasting)
  const some = filters.slice(0, 20_000)
  await client.subscribe(...some)
  await server.drop(client)
  const hasty = await server.open()
  hasty.send(connect(lasting))
  while (asked.length < 21_000) await new Promise(setImmediate)
  hasty.socket.resetAndDestroy()
  const next = await server.connect(lasting)
  expect((await server.broker.counts()).subscriptions).toBe(18_000)
  for (const topic of ['f/7', 'f/8']) await server.broker.publish({ topic })
  expect((await next.nextPublish()).topic).toBe('f/8')
  await next.expectNothing()
})

test('a message for many groups whose one member is full costs a claim for each, not for each acknowledgement of each', async () => {
  const persistence = new MemoryPersistence()
  const claim = vi.spyOn(persistence, 'claim')
  const server = await startBroker({ persistence, maximumInflight: 4 })
  const client = await server.connect({ clientId: 'c' })
  const count = 400
  await client.subscribe(...Array.from({ length: count }, (_, index) => [`$share/g${index}/t`, 1] as const))
  claim.mockClear()
  await server.broker.publish({ topic: 't', qos: 1 })
  for (let index = 0; index < count; index += 1) {
    const { id } = await client.nextPublish()
    client.send(puback(id ?? 0))
  }
  await client.ping()
  expect(claim.mock.calls.length).toBeLessThan(3 * count)
  await client.expectNothing()
})

test('a message that waits in a group of full members goes to the first one that has room, whichever it is', async () => {
  const server = await startBroker({ maximumInflight: 1 })
  const [first, second] = [await server.connect({ clientId: '1' }), await server.connect({ clientId: '2' })]
  for (const client of [first, second]) await client.subscribe(['$share/g/t', 1], ['$share/h/t', 1])
  for (let index = 0; index < 3; index += 1) await server.broker.publish({ topic: 't', qos: 1, payload: `${index}` })
  await first.nextPublish()
  const got = await second.nextPublish()
  // Three messages for two groups: four of six wait.
  for (let index = 0, id = got.id; index < 4; index += 1) {
    second.send(puback(id ?? 0))
    id = (await second.nextPublish()).id
  }
  await first.expectNothing()
})

test('a client whose many filters match gets one copy, and its publisher shares the event loop', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  let wild = ['']
  for (let level = 0; level < 12; level += 1) wild = wild.flatMap(text => [`${text}+/`, `${text}x/`])
  await client.subscribe(...wild.map(text => [`${text}#`, 0] as const))
  const topic = 'x/'.repeat(12)
  const publisher = await server.connect({ clientId: 'p' })
  for (let index = 0; index < 50; index += 1) publisher.publish({ topic: `${topic}${index}`, qos: 0 })
  const topics = (await client.nextPublishes(50)).map(message => message.topic)
  expect(topics).toEqual(Array.from({ length: 50 }, (_, index) => `${topic}${index}`))
  await client.expectNothing()
  expect(server.broker.counters.turnsYielded).toBeGreaterThan(3)
})

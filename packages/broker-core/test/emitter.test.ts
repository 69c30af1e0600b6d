import type { Emitter, EmitterHost, Message, Persistence, PersistenceSupports } from '@x/contract'
import { expect, test } from 'vitest'
import type { BrokerOptions } from '../src/index.ts'
import { DelayedPersistence } from './support/delayed-persistence.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { property } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'

/** Other brokers, played by the test. */
class TestEmitter implements Emitter {
  host: EmitterHost | undefined
  /** `+` or `-`, the highest QoS, the filter. */
  readonly calls: string[] = []
  readonly published: Message[] = []
  takesTurns = true
  reached = true
  adding: () => void | Promise<void> = () => undefined
  standing: () => void | Promise<void> = () => undefined
  publishing: (message: Message) => void | Promise<void> = () => undefined

  open(host: EmitterHost): void {
    this.host = host
  }
  close(): void {}
  addRoute(filter: string, maximumQoS: 0 | 2 = 2): void | Promise<void> {
    if (this.host === undefined) throw new Error('not open')
    this.calls.push(`+${maximumQoS} ${filter}`)
    return this.adding()
  }
  removeRoute(filter: string, maximumQoS: 0 | 2 = 2): void {
    this.calls.push(`-${maximumQoS} ${filter}`)
  }
  routesStand(): void | Promise<void> {
    return this.standing()
  }
  takesTurn(): boolean {
    return this.takesTurns
  }
  reaches(): boolean {
    return this.reached
  }
  publish(message: Message): void | Promise<void> {
    this.published.push(message)
    return this.publishing(message)
  }
  announce(): void {}
  /** Calls about filters other than the broker's own. */
  get routes(): string[] {
    return this.calls.filter(call => !call.includes('$SYS'))
  }
}

/** A store that other brokers open as well. */
class SharedPersistence extends MemoryPersistence {
  override readonly supports: PersistenceSupports = { durable: false, shared: true, sharedSubscriptions: true }
}

async function start(
  persistence: Persistence = new MemoryPersistence(),
  emitter = new TestEmitter(),
): Promise<TestBroker & { emitter: TestEmitter }> {
  return Object.assign(await startBroker({ persistence, emitter }), { emitter })
}

function messageOf(qos: 0 | 1 | 2, text: string, topic = 'a'): Message {
  return {
    topic,
    payload: Buffer.from(text),
    qos,
    retain: false,
    properties: undefined,
    expiresAt: undefined,
    publisher: 'far',
    brokerId: 'other',
    brokerCounter: 1,
  }
}

const lasting = { cleanStart: false, properties: property.sessionExpiryInterval(100) }

for (const [name, persistence] of [
  ['in memory', () => new MemoryPersistence()],
  ['that answers later', () => new DelayedPersistence(new MemoryPersistence(), 3)],
] as const) {
  test(`messages of a client go to other brokers together, and are acknowledged in order; store ${name}`, async () => {
    const { emitter, connect } = await start(persistence())
    const client = await connect({ clientId: 'x' })
    emitter.published.length = 0
    const others: (() => void)[] = []
    emitter.publishing = () => new Promise<void>(resolve => void others.push(resolve))
    const ids = [1, 2, 3, 4, 5]
    for (const id of ids) client.publish({ topic: 'a', qos: 1, id, payload: `${id}` })
    while (others.length < ids.length) await new Promise(setImmediate)
    expect(emitter.published.map(({ payload }) => payload.toString())).toEqual(ids.map(String))
    for (const answer of others.slice(1).toReversed()) answer()
    await client.expectNothing()
    others[0]?.()
    for (const id of ids) await client.nextAck('puback', id)
    // One that no other broker can take, and one behind it.
    const failing: (() => void)[] = []
    emitter.publishing = async ({ payload, topic }) => {
      if (topic !== 'a') return
      if (payload.toString() === '6') throw new Error('out of reach')
      await new Promise<void>(resolve => void failing.push(resolve))
    }
    for (const id of [5, 6, 7]) client.publish({ topic: 'a', qos: 1, id, payload: `${id}` })
    while (failing.length < 2) await new Promise(setImmediate)
    failing[1]?.()
    await client.expectNothing()
    failing[0]?.()
    const acknowledged = (await client.closed()).filter(({ type }) => type === 'puback')
    expect(acknowledged).toHaveLength(1)
  })
}

test('SUBACK waits until the other brokers know the filter; so does one that asks for it meanwhile', async () => {
  const { emitter, connect } = await start()
  const known: (() => void)[] = []
  emitter.adding = () => new Promise<void>(resolve => void known.push(resolve))
  const clients = [await connect({ clientId: 'x' }), await connect({ clientId: 'y' })]
  const granted = clients.map(async client => client.subscribe(['a', 1]))
  let answers = 0
  for (const answer of granted) void answer.then(() => (answers += 1))
  while (known.length === 0) await new Promise(setImmediate)
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
  expect([known.length, answers]).toEqual([1, 0])
  for (const know of known) know()
  await Promise.all(granted)
  expect(emitter.routes).toEqual(['+2 a'])
})

test('SUBACK for a filter that is there waits while the others may have forgotten it, and is refused when they can’t be asked', async () => {
  const { emitter, connect, gone } = await start()
  const clients = await Promise.all(['x', 'y', 'z'].map(async clientId => connect({ clientId })))
  const [first, second, third] = clients
  await first?.subscribe(['a', 1])
  const standing: (() => void)[] = []
  emitter.standing = () => new Promise<void>(resolve => void standing.push(resolve))
  let answers = 0
  const granted = second?.subscribe(['a', 1]).then(() => (answers += 1))
  while (standing.length === 0) await new Promise(setImmediate)
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
  expect(answers).toBe(0)
  for (const stands of standing) stands()
  await granted
  emitter.standing = async () => Promise.reject(new Error('no'))
  const left = gone('z')
  await expect(third?.subscribe(['a', 1])).rejects.toThrow()
  await left
  expect(emitter.routes).toEqual(['+2 a'])
})

test('a filter that the others can’t be told of is not granted, and asked for again the next time', async () => {
  const { emitter, connect, gone } = await start()
  emitter.adding = async () => Promise.reject(new Error('no'))
  const first = await connect({ clientId: 'x' })
  const left = gone('x')
  await expect(first.subscribe(['a', 1])).rejects.toThrow()
  await left
  emitter.adding = () => undefined
  const second = await connect({ clientId: 'y' })
  expect((await second.subscribe(['a', 1])).reasonCodes).toEqual([1])
  expect(emitter.routes).toEqual(['+2 a', '+2 a'])
})

test('asks for QoS 0 alone where a store of all brokers brings the rest', async () => {
  for (const [persistence, qos] of [
    [new SharedPersistence(), 0],
    [new MemoryPersistence(), 2],
  ] as const) {
    const { emitter, connect, drop } = await start(persistence)
    const stored = await connect({ clientId: 'x', ...lasting })
    await stored.subscribe(['a', 1])
    expect(emitter.routes).toEqual([`+${qos} a`])
    const clean = await connect({ clientId: 'y' })
    await clean.subscribe(['a', 1], ['b', 0])
    await drop(stored)
    await drop(clean)
    expect(emitter.routes.toSorted()).toEqual(
      qos === 0 ? ['+0 a', '+2 a', '+2 b', '-0 a', '-2 a', '-2 b'] : ['+2 a', '+2 b', '-2 a', '-2 b'],
    )
  }
})

test('asks for everything for a stored session of QoS 0, whose messages the store does not bring', async () => {
  const { emitter, connect, drop } = await start(new SharedPersistence())
  const client = await connect({ clientId: 'x', ...lasting })
  for (const qos of [0, 0, 1, 0]) await client.subscribe(['a', qos])
  await drop(client)
  expect(emitter.routes).toEqual(['+2 a', '+0 a', '-2 a', '+2 a', '-0 a', '-2 a'])
})

test('what the program subscribes to before the broker is ready is known to the others afterwards', async () => {
  const emitter = new TestEmitter()
  const server = startBroker({ emitter, persistence: new MemoryPersistence() })
  const { broker } = await server
  await broker.subscribe('early', () => undefined)
  expect(emitter.routes).toEqual(['+2 early'])
  expect(emitter.calls.some(call => call.endsWith('/heartbeat'))).toBe(true)
})

test('a message of another broker reaches a stored session once: by the broker’s own store, not by one that all share', async () => {
  for (const [persistence, expected] of [
    [new SharedPersistence(), ['zero']],
    [new MemoryPersistence(), ['one', 'zero']],
  ] as const) {
    const { emitter, connect } = await start(persistence)
    const client = await connect({ clientId: 'x', ...lasting })
    await client.subscribe(['a', 1])
    await emitter.host?.deliver(messageOf(1, 'one'), [])
    await emitter.host?.deliver(messageOf(0, 'zero'), [])
    const texts: string[] = []
    while (texts.length < expected.length) texts.push((await client.nextPublish()).payload)
    expect(texts).toEqual(expected)
  }
})

test('what a broker says about itself stays with it where others have its store, and what all say by the same topics is for its own clients', async () => {
  const persistence = new SharedPersistence()
  const { emitter, connect, broker } = await start(persistence)
  const say = async (topic: string, payload: string): Promise<void> =>
    broker.publish({ topic, payload, qos: 0, retain: true })
  await say('$SYS/broker/uptime', '1')
  await say('$SYS/one/uptime', '2')
  await say('$SYS/one/gone', '3')
  await say('$SYS/one/gone', '')
  await say('state', '4')
  expect(emitter.published.map(({ topic }) => topic).filter(topic => topic.includes('uptime'))).toEqual([
    '$SYS/one/uptime',
  ])
  expect(persistence.counts()).toMatchObject({ retainedMessages: 1 })
  const client = await connect({ clientId: 'x' })
  await client.subscribe('$SYS/+/uptime')
  const texts = [await client.nextPublish(), await client.nextPublish()].map(({ payload }) => payload)
  expect(texts.sort()).toEqual(['1', '2'])
  await client.subscribe('$SYS/one/gone', 'state')
  expect(await client.nextPublish()).toMatchObject({ topic: 'state' })
  await client.expectNothing()
})

test('what another broker retains is not retained in a store of this one’s own', async () => {
  const { emitter, persistence } = await start()
  await emitter.host?.deliver({ ...messageOf(1, 'kept'), retain: true }, [])
  expect([...(await persistence.retained('#'))]).toEqual([])
})

test('a shared group serves a QoS 0 message when it is its turn, or when another broker says so', async () => {
  const { emitter, connect, broker } = await start()
  const client = await connect({ clientId: 'x' })
  await client.subscribe(['$share/g/a', 0])
  expect(emitter.routes).toContain('+0 $share/g/a')
  emitter.takesTurns = false
  await broker.publish({ topic: 'a', qos: 0, payload: 'theirs' })
  emitter.takesTurns = true
  await broker.publish({ topic: 'a', qos: 0, payload: 'ours' })
  expect(emitter.published.filter(({ topic }) => topic === 'a')).toHaveLength(2)
  await emitter.host?.deliver(messageOf(0, 'for another group'), ['$share/h/a'])
  await emitter.host?.deliver(messageOf(0, 'for nobody'), [])
  await emitter.host?.deliver(messageOf(0, 'for us'), ['$share/g/a'])
  await emitter.host?.deliver(messageOf(0, 'for all'))
  const texts: string[] = []
  for (let count = 0; count < 3; count += 1) texts.push((await client.nextPublish()).payload)
  expect(texts).toEqual(['ours', 'for us', 'for all'])
})

test('a full emitter is told to 5.0 publishers with 0x97, and the packet identifier of QoS 2 is free again', async () => {
  const { emitter, connect } = await start()
  const client = await connect({ clientId: 'x', ...lasting })
  emitter.publishing = async () => Promise.reject(Object.assign(new Error('full'), { code: 'QUOTA_EXCEEDED' }))
  client.publish({ topic: 'a', qos: 1, id: 1, payload: 'one' })
  expect(await client.nextAck('puback')).toMatchObject({ id: 1, reasonCode: 0x97 })
  client.publish({ topic: 'a', qos: 2, id: 2, payload: 'two' })
  expect(await client.nextAck('pubrec')).toMatchObject({ id: 2, reasonCode: 0x97 })
  emitter.publishing = () => undefined
  const before = emitter.published.length
  client.publish({ topic: 'a', qos: 2, id: 2, payload: 'again' })
  await client.nextAck('pubrec', 2)
  expect(emitter.published.length).toBe(before + 1)
})

test('a publisher is told that nobody subscribes only when no other broker does, and rows of messages stay here then', async () => {
  const { emitter, connect } = await start()
  const client = await connect({ clientId: 'x' })
  await client.subscribe(['here', 0])
  emitter.reached = false
  client.publish({ topic: 'a', qos: 1, id: 1 })
  expect((await client.nextAck('puback', 1)).reasonCode).toBe(0x10)
  client.publish({ topic: 'here', qos: 0, payload: 'row' })
  expect((await client.nextPublish()).payload).toBe('row')
  const before = emitter.published.length
  emitter.reached = true
  client.publish({ topic: 'a', qos: 1, id: 2 })
  expect((await client.nextAck('puback', 2)).reasonCode).toBe(0)
  client.publish({ topic: 'here', qos: 0, payload: 'one' })
  await client.nextPublish()
  expect(emitter.published.slice(before).map(({ topic }) => topic)).toEqual(['a', 'here'])
})

test('a broker that the emitter knows to be gone is gone at once', async () => {
  const { emitter, broker } = await start()
  await emitter.host?.deliver(messageOf(0, 'other', '$SYS/other/heartbeat'), [])
  expect(Object.keys(broker.brokers)).toEqual(['other'])
  emitter.host?.presence('other', false)
  expect(Object.keys(broker.brokers)).toEqual([])
})

const waysBack: readonly (readonly [how: string, hooks: Partial<BrokerOptions>])[] = [
  ['', {}],
  [' and which of them are still allowed', { authorizeSubscribe: (_client, wish) => wish }],
]
for (const [how, hooks] of waysBack) {
  test(`CONNACK of a session that goes on waits until the other brokers know its filters${how}, and refuses when they can’t be told`, async () => {
    const emitter = new TestEmitter()
    const { connect, open, drop } = await startBroker({ persistence: new MemoryPersistence(), emitter, ...hooks })
    const first = await connect({ clientId: 'x', ...lasting })
    await first.subscribe(['a', 1], ['$share/g/b', 1])
    await drop(first)
    const known: (() => void)[] = []
    emitter.adding = () => new Promise<void>(resolve => void known.push(resolve))
    const second = await open()
    let answered = false
    const connack = second.connect({ clientId: 'x', ...lasting }).then(answer => {
      answered = true
      return answer
    })
    while (known.length < 3) await new Promise(setImmediate)
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    expect(answered).toBe(false)
    for (const know of known) know()
    expect(await connack).toMatchObject({ reasonCode: 0, sessionPresent: true })
    await drop(second)
    emitter.adding = async () => Promise.reject(new Error('no'))
    expect(await (await open()).connect({ clientId: 'x', ...lasting })).toMatchObject({ reasonCode: 0x88 })
    emitter.adding = () => undefined
    expect(await (await open()).connect({ clientId: 'x', ...lasting })).toMatchObject({ sessionPresent: true })
    expect(emitter.routes.slice(-3).toSorted()).toEqual(['+0 $share/g/b', '+2 a', '+2 b'])
  })
}

test('a client that is still connecting is not closed when another broker says that it is there: this comes later', async () => {
  const store = new DelayedPersistence(new MemoryPersistence(), 3)
  const { emitter, open } = await start(store)
  store.hold('openSession')
  const client = await open()
  const connack = client.connect({ clientId: 'x' })
  while (store.held('openSession') === 0) await new Promise(setImmediate)
  emitter.host?.takenOver('x')
  store.letGo('openSession')
  expect(await connack).toMatchObject({ reasonCode: 0 })
  await client.ping()
  emitter.host?.takenOver('x')
  await client.closedWith(0x8e)
})

for (const version of [4, 5] as const) {
  test(`a QoS 2 message that another broker could not get is published when its client sends it again; version ${version}`, async () => {
    const { emitter, connect } = await start()
    const fields = version === 5 ? lasting : { version, cleanStart: false }
    const client = await connect({ clientId: 'x', ...fields })
    emitter.publishing = async ({ topic }) => (topic === 'a' ? Promise.reject(new Error('out of reach')) : undefined)
    client.publish({ topic: 'a', qos: 2, id: 1, payload: 'one' })
    expect((await client.closed()).some(({ type }) => type === 'pubrec')).toBe(false)
    emitter.publishing = () => undefined
    const again = await connect({ clientId: 'x', ...fields })
    again.publish({ topic: 'a', qos: 2, id: 1, dup: true, payload: 'one' })
    await again.nextAck('pubrec', 1)
    expect(emitter.published.filter(({ topic }) => topic === 'a')).toHaveLength(2)
  })
}

test('a QoS 2 message that is still on its way to other brokers is not acknowledged to its client’s next connection before, and sent once', async () => {
  const { emitter, connect, drop } = await start()
  const sent: (() => void)[] = []
  emitter.publishing = ({ topic }) =>
    topic === 'a' ? new Promise<void>(resolve => void sent.push(resolve)) : undefined
  let client = await connect({ clientId: 'x', ...lasting })
  client.publish({ topic: 'a', qos: 2, id: 1, payload: 'one' })
  while (sent.length < 1) await new Promise(setImmediate)
  for (let time = 0; time < 2; time += 1) {
    await drop(client)
    client = await connect({ clientId: 'x', ...lasting })
    client.publish({ topic: 'a', qos: 2, id: 1, dup: true, payload: 'one' })
    await client.expectNothing()
  }
  sent[0]?.()
  await client.nextAck('pubrec', 1)
  expect(sent).toHaveLength(1)
  await drop(client)
  client = await connect({ clientId: 'x', ...lasting })
  client.publish({ topic: 'a', qos: 2, id: 1, dup: true, payload: 'one' })
  await client.nextAck('pubrec', 1)
})

test('one that then can’t be brought to other brokers is published again', async () => {
  const { emitter, connect, drop } = await start()
  const sent: (() => void)[] = []
  emitter.publishing = ({ topic }) =>
    topic === 'a' ? new Promise<void>((_, reject) => void sent.push(() => reject(new Error('no')))) : undefined
  const first = await connect({ clientId: 'x', ...lasting })
  first.publish({ topic: 'a', qos: 2, id: 1, payload: 'one' })
  while (sent.length < 1) await new Promise(setImmediate)
  await drop(first)
  const second = await connect({ clientId: 'x', ...lasting })
  second.publish({ topic: 'a', qos: 2, id: 1, dup: true, payload: 'one' })
  await second.ping()
  sent[0]?.()
  await second.closedWith(0x80)
  emitter.publishing = () => undefined
  const third = await connect({ clientId: 'x', ...lasting })
  const before = emitter.published.length
  third.publish({ topic: 'a', qos: 2, id: 1, dup: true, payload: 'one' })
  await third.nextAck('pubrec', 1)
  expect(emitter.published).toHaveLength(before + 1)
})

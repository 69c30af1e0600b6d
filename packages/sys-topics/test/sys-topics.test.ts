import { createBroker } from '@x/broker'
import type { Broker } from '@x/broker'
import { ManualClock } from '@x/contract/testing'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { sysTopics } from '../src/index.ts'
import type { SysTopicsOptions } from '../src/index.ts'

interface Running {
  readonly broker: Broker
  readonly url: string
  /** Newest value of each topic. */
  readonly values: Map<string, string>
  /** How often each was published. */
  readonly counts: Map<string, number>
  /** Moves the clock, and waits until the statistics of that moment are out. */
  pass(milliseconds: number): Promise<void>
}

async function start(options: SysTopicsOptions = {}): Promise<Running> {
  const clock = new ManualClock()
  const broker = createBroker({ id: 'b', clock, plugins: [sysTopics({ interval: 1000, clock, ...options })] })
  onTestFinished(() => broker.close())
  const values = new Map<string, string>()
  const counts = new Map<string, number>()
  await broker.subscribe('$SYS/#', packet => {
    values.set(packet.topic, packet.payload.toString())
    counts.set(packet.topic, (counts.get(packet.topic) ?? 0) + 1)
  })
  const { url } = await broker.listen({ port: 0, host: '127.0.0.1' })
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  }
  await settled()
  return {
    broker,
    url,
    values,
    counts,
    async pass(milliseconds) {
      for (let left = milliseconds; left > 0; left -= 250) clock.advance(Math.min(250, left))
      await settled()
    },
  }
}

test('clients, messages, subscriptions and what is retained are counted', async () => {
  const { broker, url, values, pass } = await start()
  const lasting = await connectAsync(url, { clientId: 'lasting', clean: false })
  await lasting.subscribeAsync('news', { qos: 1 })
  await lasting.endAsync()
  const client = await connectAsync(url, { clientId: 'c' })
  await client.subscribeAsync(['a', 'b'])
  await client.publishAsync('news', 'x', { qos: 1 })
  await client.publishAsync('state', 'on', { qos: 1, retain: true })
  await pass(1000)
  const value = (name: string): string | undefined => values.get(`$SYS/broker/${name}`)
  expect(value('version')).toBe(`x-broker version ${broker.version}`)
  expect(value('uptime')).toBe('1 seconds')
  expect(value('clients/connected')).toBe('1')
  expect(value('clients/disconnected')).toBe('1')
  expect(value('clients/total')).toBe('2')
  expect(value('clients/maximum')).toBe('1')
  expect(value('publish/messages/received')).toBe('2')
  expect(value('subscriptions/count')).toBe('3')
  expect(Number(value('retained messages/count'))).toBeGreaterThanOrEqual(1)
  expect(Number(value('bytes/received'))).toBeGreaterThan(50)
  expect(Number(value('messages/sent'))).toBeGreaterThan(Number(value('publish/messages/sent')))
  expect(values.get('$SYS/b/clients/total')).toBe('1')
  expect(values.get('$SYS/b/uptime')).toBe('0d 0h 0m 1s')
  await client.endAsync()
})

test('a client that subscribes later gets them, as retained messages', async () => {
  const { url, broker } = await start()
  const client = await connectAsync(url)
  const received = new Promise<string>(resolve => {
    client.once('message', (topic, payload, { retain }) => resolve(`${topic} ${payload.toString()} ${retain}`))
  })
  await client.subscribeAsync('$SYS/broker/version')
  expect(await received).toBe(`$SYS/broker/version x-broker version ${broker.version} true`)
  await client.endAsync()
})

test('what has not changed is not published again', async () => {
  const { counts, pass } = await start()
  for (let second = 0; second < 5; second++) await pass(1000)
  expect(counts.get('$SYS/broker/version')).toBe(1)
  expect(counts.get('$SYS/broker/clients/total')).toBe(1)
  expect(counts.get('$SYS/broker/uptime')).toBeGreaterThanOrEqual(5)
})

test('load averages rise and fall like those over 1, 5 and 15 minutes', async () => {
  const { url, values, pass } = await start()
  const load = (minutes: number): number => Number(values.get(`$SYS/broker/load/publish/received/${minutes}min`))
  const client = await connectAsync(url)
  await Promise.all(Array.from({ length: 100 }, async () => client.publishAsync('a', 'x', { qos: 1 })))
  await pass(1000)
  // 100 in a second are 6000 in a minute, of which a second is this share.
  for (const minutes of [1, 5, 15]) expect(load(minutes)).toBeCloseTo(6000 * (1 - Math.exp(-1 / (60 * minutes))), 1)
  const [before] = [load(1)]
  await pass(1000)
  expect(load(1)).toBeCloseTo(before * Math.exp(-1 / 60), 1)
  await client.endAsync()
})

test('bytes of payload are counted, in and out', async () => {
  const { values, pass, url } = await start()
  const client = await connectAsync(url)
  await client.subscribeAsync('a')
  const received = new Promise(resolve => client.once('message', resolve))
  await client.publishAsync('a', 'seven B', { qos: 1 })
  await received
  await pass(1000)
  expect(values.get('$SYS/broker/publish/bytes/received')).toBe('7')
  expect(Number(values.get('$SYS/broker/publish/bytes/sent'))).toBe(7)
  await client.endAsync()
})

test('one of the trees alone', async () => {
  const { values } = await start({ trees: ['aedes'] })
  expect([...values.keys()].filter(topic => topic.startsWith('$SYS/broker/'))).toEqual([])
  expect(values.has('$SYS/b/memory/heap/current')).toBe(true)
})

test('an interval out of its range is refused, with value and range', () => {
  for (const interval of [0, 99, 65_535_001, 1.5, Number.NaN]) {
    expect(() => sysTopics({ interval })).toThrow(
      `option interval is ${interval}, it must be a whole number from 100 to`,
    )
  }
})

test('nothing is published after the broker has closed', async () => {
  const { broker, counts, pass } = await start()
  await broker.close()
  const before = new Map(counts)
  await pass(5000)
  expect(counts).toEqual(before)
})

test('a function of the program that fails for one of them keeps back none of the others, and is told once', async () => {
  const { broker, values, pass } = await start()
  const errors: unknown[] = []
  broker.on('error', error => errors.push(error.message))
  const fail = async (): Promise<void> => Promise.reject(new Error('broken'))
  await broker.subscribe('$SYS/broker/uptime', fail)
  await pass(1000)
  await pass(1000)
  expect(values.get('$SYS/broker/uptime')).toBe('2 seconds')
  expect(values.get('$SYS/broker/clients/connected')).toBe('0')
  expect(errors).toEqual(['broken'])
  await broker.unsubscribe('$SYS/broker/uptime', fail)
  await pass(1000)
  await broker.subscribe('$SYS/broker/uptime', fail)
  await pass(1000)
  expect(errors).toEqual(['broken', 'broken'])
})

test('each bridge has its state and numbers, until it is gone', async () => {
  const { broker, values, pass } = await start()
  const traffic = { messages: 0, bytes: 0, droppedLoop: 0, droppedTooLarge: 0, refused: 0 }
  const bridge = {
    name: 'house',
    state: 'connected',
    counters: {
      in: { ...traffic, messages: 3, bytes: 30, refused: 1 },
      out: { ...traffic, messages: 5, bytes: 50, droppedLoop: 2, droppedTooLarge: 4 },
      connections: 6,
      failures: 7,
    },
  } as const
  broker.bridges.add(bridge)
  await pass(1000)
  const found = (): [string, string][] => [...values].filter(([topic]) => topic.startsWith('$SYS/broker/bridges/'))
  expect(Object.fromEntries(found().map(([topic, payload]) => [topic.slice(26), payload]))).toEqual({
    state: 'connected',
    connections: '6',
    failures: '7',
    'messages/received': '3',
    'messages/sent': '5',
    'messages/dropped': '7',
    'bytes/received': '30',
    'bytes/sent': '50',
  })
  broker.bridges.delete(bridge)
  await pass(1000)
  expect(found().every(([, payload]) => payload === '')).toBe(true)
})

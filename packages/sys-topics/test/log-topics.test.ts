import { createBroker } from '@x/broker'
import type { Broker, BrokerOptions } from '@x/broker'
import type { Logger } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import { connectAsync } from 'mqtt'
import type { MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { logTopics } from '../src/index.ts'

interface Running {
  readonly broker: Broker
  readonly clock: ManualClock
  readonly url: string
  /** Lines as the program's own subscriber has got them: topic and payload. */
  readonly lines: string[]
}

async function start(options: Partial<BrokerOptions>): Promise<Running> {
  const clock = new ManualClock()
  const broker = createBroker({ clock, ...options })
  onTestFinished(() => broker.close())
  const lines: string[] = []
  await broker.subscribe('$SYS/broker/log/#', ({ topic, payload, qos, retain }) => {
    const flags = retain ? ' retain' : ''
    lines.push(`${topic.slice('$SYS/broker/log/'.length)}${flags} ${payload.toString()} (${qos})`)
  })
  const { url } = await broker.listen({ port: 0, host: '127.0.0.1' })
  return { broker, clock, url, lines }
}

async function connected(url: string, clientId: string): Promise<MqttClient> {
  const client = await connectAsync(url, { clientId, reconnectPeriod: 0 })
  onTestFinished(() => void client.end(true))
  return client
}

const quiet: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

test('what is logged is published by its level, as seconds and text, with or without a logger', async () => {
  for (const logger of [quiet, undefined]) {
    const { broker, url, lines, clock } = await start({ logTopics: true, ...(logger !== undefined && { logger }) })
    const seconds = Math.floor(clock.now() / 1000)
    await connected(url, 'kitchen')
    await expect.poll(() => lines).toContain(`I ${seconds}: client kitchen connected (0)`)
    broker.reportError(new Error('no disk'))
    await expect.poll(() => lines).toContain(`E ${seconds}: no disk (0)`)
    expect(lines).toContain(`I ${seconds}: listening on ${url} (0)`)
  }
})

test('the lines that a logger keeps to itself are not published', async () => {
  const logger = { ...quiet, isLevelEnabled: (level: string) => level === 'error' }
  const { broker, url, lines } = await start({ logTopics: true, logger })
  await connected(url, 'kitchen')
  broker.reportError(new Error('no disk'))
  await expect.poll(() => lines.length).toBeGreaterThan(0)
  expect(lines.map(line => line[0])).toEqual(['E'])
})

test('subscriptions are published where they are asked for, and nothing else is', async () => {
  const { url, lines } = await start({ logTopics: { lines: ['subscribe', 'unsubscribe'] } })
  const client = await connected(url, 'c')
  await client.subscribeAsync(['a/+', '$SYS/broker/log/M/#'], { qos: 1 })
  await client.unsubscribeAsync('a/+')
  await expect.poll(() => lines.length).toBe(3)
  expect(lines.map(line => line.replace(/ \d+:/, ''))).toEqual([
    'M/subscribe c 1 a/+ (0)',
    'M/subscribe c 1 $SYS/broker/log/M/# (0)',
    'M/unsubscribe c a/+ (0)',
  ])
})

test('a line that can not be delivered makes one about that, which makes no other', async () => {
  const topics = logTopics()
  let asked = 0
  const { broker, clock, lines } = await start({
    plugins: [topics],
    logger: topics.logger(),
    published: packet => {
      if (!packet.topic.startsWith('$SYS/broker/log/')) return
      asked += 1
      broker.reportError(new Error(`${packet.topic} was not taken`))
      throw new Error('no')
    },
  })
  broker.reportError(new Error('first'))
  const errors = (): string[] => lines.filter(line => line.startsWith('E')).map(line => line.replace(/ \d+:/, ''))
  await expect.poll(errors).toContainEqual(expect.stringMatching(/^E first /))
  await expect.poll(errors).toContainEqual(expect.stringMatching(/was not taken/))
  // Long enough for what would go round: the sums of lines that have repeated come each 10 s.
  const rounds = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  }
  await rounds()
  const before = asked
  for (let time = 0; time < 3; time += 1) {
    clock.advance(10_000)
    await rounds()
  }
  expect(asked).toBe(before)
  expect(new Set(errors()).size).toBe(errors().length)
  expect(topics.dropped).toBeGreaterThan(0)
})

test('beyond maximumRate lines are left out and counted, which is told a second later', async () => {
  const clock = new ManualClock()
  const topics = logTopics({ maximumRate: 2, clock })
  const { lines } = await start({ plugins: [topics], clock })
  for (let count = 0; count < 5; count += 1) topics.add('information', `line ${count}`)
  expect(topics.dropped).toBe(3)
  const count = (kind: string): number => lines.filter(line => line.startsWith(kind)).length
  await expect.poll(() => count('I')).toBe(2)
  clock.advance(1000)
  await expect.poll(() => count('W')).toBe(1)
  topics.add('information', 'later')
  await expect.poll(() => count('I')).toBe(3)
  expect(lines.filter(line => !line.startsWith('dropped')).map(line => line.replace(/ \d+:/, ''))).toEqual([
    'I line 0 (0)',
    'I line 1 (0)',
    'W 3 line(s) of the log were not published: more than 2 came in a second (0)',
    'I later (0)',
  ])
  await expect.poll(() => lines.findLast(line => line.startsWith('dropped'))).toBe('dropped retain 3 (0)')
})

test('kinds of lines can be changed while the broker runs', async () => {
  const topics = logTopics({ lines: [] })
  const { url, lines } = await start({ plugins: [topics], logger: topics.logger() })
  const client = await connected(url, 'c')
  topics.lines = ['subscribe']
  await client.subscribeAsync('a')
  await expect.poll(() => lines.length).toBe(1)
  topics.lines = ['unsubscribe']
  await client.subscribeAsync('b')
  await client.unsubscribeAsync('a')
  await expect.poll(() => lines.length).toBe(2)
  expect(lines.map(line => line.split(' ')[0])).toEqual(['M/subscribe', 'M/unsubscribe'])
})

test('options out of their range are refused by name', () => {
  expect(() => logTopics({ maximumRate: 0 })).toThrow(
    'option maximumRate is 0, it must be a whole number from 1 to 10000',
  )
  expect(() => logTopics({ lines: ['debug' as never] })).toThrow('option lines')
  expect(() => createBroker({ logTopics: { maximumRate: 0 } })).toThrow('option maximumRate is 0')
  expect(() => createBroker({ logTopics: false as never })).toThrow('option logTopics is false')
})

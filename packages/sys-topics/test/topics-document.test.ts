import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createBroker } from '@x/broker'
import type { BridgeStatus, Plugin } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { logTopics, sysTopics } from '../src/index.ts'

const document = readFileSync(new URL('../TOPICS.md', import.meta.url), 'utf8')

/** Topics of the tables, each with what stands for names replaced as in `general`. */
function documented(): string[] {
  const rows = document.split('\n').filter(line => line.startsWith('| `$SYS/'))
  return rows.map(row => (row.split('`')[1] ?? '').replace(/NAME|CODE|CLIENTID|MIN/g, '*')).toSorted()
}

/** A topic without the names in it. */
function general(topic: string): string {
  return topic
    .replace(/^\$SYS\/b\//, '$SYS/ID/')
    .replace(/^(\$SYS\/broker\/(?:errors|listeners|bridges|connection)\/)[^/]+/, '$1*')
    .replace(/\/\d+min$/, '/*')
}

const traffic = { messages: 0, bytes: 0, droppedLoop: 0, droppedTooLarge: 0, refused: 0 }
const status: BridgeStatus = {
  name: 'house',
  state: 'connected',
  counters: { in: traffic, out: traffic, connections: 1, failures: 0 },
}
const bridged: Plugin = {
  name: 'bridged',
  attach: broker => {
    broker.bridges?.add(status)
    return undefined
  },
}

test('each topic that is published is documented, and each that is documented is published', async () => {
  const clock = new ManualClock()
  const topics = logTopics({ lines: ['error', 'warning', 'information', 'subscribe', 'unsubscribe'], clock })
  const plugins = [bridged, topics, sysTopics({ interval: 1000, clock })]
  const broker = createBroker({ id: 'b', clock, heartbeatInterval: 500, plugins, logger: topics.logger() })
  onTestFinished(() => broker.close())
  const published = new Set<string>()
  await broker.subscribe('$SYS/#', ({ topic }) => published.add(general(topic)))
  const { url, port } = await broker.listen({ port: 0, host: '127.0.0.1' })
  // A bridge says of itself that it is there, and something that is no MQTT makes an error and a warning.
  await broker.publish({ topic: '$SYS/broker/connection/house/state', payload: '1', retain: true })
  connect(port ?? 0, '127.0.0.1').end(Buffer.from([0xc0, 0]))
  const client = await connectAsync(url, { clientId: 'c' })
  await client.subscribeAsync('a')
  await client.unsubscribeAsync('a')
  await client.endAsync()
  broker.reportError(new Error('no disk'))
  await expect.poll(() => ['E', 'W'].every(level => published.has(`$SYS/broker/log/${level}`))).toBe(true)
  // More than may come in a second.
  for (let line = 0; line < 200; line += 1) topics.add('information', 'a line')
  const missing = (): string[] => {
    clock.advance(250)
    // Said when the broker opens, before anybody can have subscribed.
    return documented().filter(topic => topic !== '$SYS/ID/birth' && !published.has(topic))
  }
  await expect.poll(missing).toEqual([])
  expect([...published].filter(topic => !documented().includes(topic))).toEqual([])
})

import { describe, expect, test } from 'vitest'
import { startBridge, startBroker, startMosquitto, startProxy, watch } from './support/brokers.ts'
import type { Place } from './support/brokers.ts'

const remotes: Record<string, () => Promise<Place>> = {
  'this broker': () => startBroker({ id: 'remote' }),
  Mosquitto: () => startMosquitto(['max_queued_messages 0', 'max_inflight_messages 0']),
}

const topicCount = 12

describe.each(Object.entries(remotes))('several connections to %s', (_name, startRemote) => {
  test.each([4, 5] as const)(
    'carry each topic in its order, QoS 2 once, and go on where they were cut, with %i',
    async version => {
      const remote = await startRemote()
      const proxy = await startProxy(remote.port)
      const local = await startBridge({
        addresses: proxy.url,
        topics: [
          { filter: 'out/#', direction: 'out', qos: 2 },
          { filter: 'in/#', direction: 'in', qos: 2 },
        ],
        connections: 3,
        clientId: 'many',
        protocolVersion: version,
      })
      const here = await watch(local.url, 'in/#')
      const there = await watch(remote.url, 'out/#')
      const rounds = 6
      for (let round = 0; round < rounds; round += 1) {
        const sent: Promise<unknown>[] = []
        for (const qos of [1, 2] as const) {
          for (let topic = 0; topic < topicCount; topic += 1) {
            sent.push(here.client.publishAsync(`out/${qos}/${topic}`, `${round}`, { qos }))
            sent.push(there.client.publishAsync(`in/${qos}/${topic}`, `${round}`, { qos }))
          }
        }
        // Each time somewhere else on the way.
        for (let turn = 0; turn < round * 3; turn += 1) await new Promise(setImmediate)
        if (round % 2 === 1) {
          const { connections } = local.bridge.counters
          proxy.cut()
          await expect.poll(() => local.bridge.counters.connections).toBeGreaterThan(connections)
        }
        await Promise.all(sent)
      }
      for (const [side, { seen }] of Object.entries({ out: there, in: here })) {
        for (const qos of [1, 2]) {
          for (let topic = 0; topic < topicCount; topic += 1) {
            const name = `${side}/${qos}/${topic} `
            // QoS 1 may come again after a cut.
            const came = (): string[] =>
              seen.filter((line, index) => line.startsWith(name) && (qos === 2 || seen.indexOf(line) === index))
            const expected = Array.from({ length: rounds }, (__, round) => `${name}${round} ${qos} false`)
            await expect.poll(came).toEqual(expected)
          }
        }
      }
      expect(local.errors.filter(({ code }) => code !== 'BRIDGE_CONNECTION_LOST')).toEqual([])
    },
  )
})

test('each connection has its part of the topics and an identifier of its own, and nothing is left over at the end', async () => {
  const remote = await startBroker()
  const local = await startBridge({
    addresses: remote.url,
    topics: [{ filter: 'out/#', qos: 2 }],
    connections: 3,
    clientId: 'many',
  })
  expect(Object.keys(remote.broker.clients).toSorted()).toEqual(['many', 'many.1', 'many.2'])
  const publishers = new Map<string, Set<string>>()
  remote.broker.on('publish', ({ topic }, client) => {
    if (!topic.startsWith('out/') || client === null) return
    const ids = publishers.get(topic) ?? new Set()
    publishers.set(topic, ids.add(client.id ?? ''))
  })
  const here = await watch(local.url, 'none')
  for (let time = 0; time < 3; time += 1) {
    for (let topic = 0; topic < 30; topic += 1) await here.client.publishAsync(`out/${topic}`, `${time}`, { qos: 2 })
  }
  await expect.poll(() => local.bridge.counters.out.messages).toBe(90)
  await expect.poll(async () => (await local.broker.counts()).queuedMessages).toBe(0)
  expect(publishers.size).toBe(30)
  expect([...publishers.values()].every(ids => ids.size === 1)).toBe(true)
  expect(new Set([...publishers.values()].flatMap(ids => [...ids])).size).toBe(3)
})

import { ManualClock } from '@x/contract/testing'
import { describe, expect, test } from 'vitest'
import { bridge } from '../src/index.ts'
import { startBridge, startBroker, startMosquitto, startProxy, watch } from './support/brokers.ts'
import type { Place } from './support/brokers.ts'

const remotes: Record<string, () => Promise<Place>> = {
  'this broker': () => startBroker(),
  Mosquitto: () => startMosquitto(['max_queued_messages 0']),
}

describe.each(Object.entries(remotes))('to %s', (_name, startRemote) => {
  test.each([4, 5] as const)(
    'nothing of QoS 1 and 2 is lost or out of order over a link that stalls, with %i',
    async version => {
      const remote = await startRemote()
      const proxy = await startProxy(remote.port)
      const local = await startBridge({
        addresses: proxy.url,
        protocolVersion: version,
        topics: [{ filter: 'a/#', direction: 'both', qos: 2 }],
        receiveMaximum: 10,
      })
      const here = await watch(local.url, 'a/there/#')
      const there = await watch(remote.url, 'a/here/#')
      const publish = async (from: number): Promise<void> => {
        for (let index = from; index < from + 15; index += 1) {
          for (const qos of [1, 2] as const) {
            await here.client.publishAsync(`a/here/${qos}`, `${index}`, { qos })
            await there.client.publishAsync(`a/there/${qos}`, `${index}`, { qos })
          }
        }
      }
      await publish(0)
      proxy.stall()
      // Publishers go on: both brokers keep what the link does not take.
      await publish(15)
      proxy.goOn()
      await publish(30)
      for (const [side, { seen }] of Object.entries({ here: there, there: here })) {
        for (const qos of [1, 2]) {
          const expected = Array.from({ length: 45 }, (_, index) => `a/${side}/${qos} ${index} ${qos} false`)
          await expect.poll(() => seen.filter(line => line.startsWith(`a/${side}/${qos} `))).toEqual(expected)
        }
      }
      expect(local.bridge.counters.connections).toBe(1)
    },
  )
})

test('a link that stalls for longer than two Keep Alives is given up and made again, and nothing is lost', async () => {
  const remote = await startBroker()
  const proxy = await startProxy(remote.port)
  const clock = new ManualClock()
  const made = bridge({ name: 'house', addresses: proxy.url, topics: [{ filter: 'a', qos: 2 }], keepAlive: 5, clock })
  const local = await startBroker({ plugins: [made] })
  const until = async (isSo: () => boolean): Promise<void> => {
    await expect
      .poll(() => {
        if (!isSo()) clock.advance(500)
        return isSo()
      })
      .toBe(true)
  }
  await until(() => made.state === 'connected')
  const lost: string[] = []
  made.on('disconnected', ({ message }) => lost.push(message))
  const { connections } = made.counters
  const here = await watch(local.url, 'none')
  const there = await watch(remote.url, 'a')
  proxy.stall()
  for (let index = 0; index < 20; index += 1) await here.client.publishAsync('a', `${index}`, { qos: 2 })
  await until(() => lost.length > 0)
  expect(lost[0]).toMatch(/^the broker at mqtt:\S+ was silent for 10 s$/)
  proxy.cut()
  proxy.goOn()
  await until(() => made.counters.connections > connections)
  await expect.poll(() => there.seen).toEqual(Array.from({ length: 20 }, (_, index) => `a ${index} 2 false`))
})

test('what a stalled link does not take of QoS 0 is dropped and counted, and neither publishers nor memory wait for it', async () => {
  const remote = await startBroker()
  const proxy = await startProxy(remote.port)
  const local = await startBridge({ addresses: proxy.url, topics: [{ filter: 'a/#', qos: 1 }] })
  const here = await watch(local.url, 'none')
  const there = await watch(remote.url, 'a/#')
  proxy.stall()
  const payload = Buffer.alloc(64_000)
  // Ever more, until the buffers on the way are full: those of the operating system have no size that is known.
  await expect
    .poll(
      async () => {
        for (let index = 0; index < 50; index += 1) await here.client.publishAsync('a/bulk', payload)
        return local.broker.counters.droppedOutboxFull
      },
      { interval: 1 },
    )
    .toBeGreaterThan(0)
  await here.client.publishAsync('a/last', 'kept', { qos: 1 })
  proxy.goOn()
  await expect.poll(() => there.seen.at(-1)).toBe('a/last kept 1 false')
})

test('while the link is down a queue takes as many messages as its limits allow, and the others are counted', async () => {
  const remote = await startBroker()
  const proxy = await startProxy(remote.port)
  const local = await startBridge(
    { addresses: proxy.url, topics: [{ filter: 'a', qos: 1 }] },
    { maximumQueuedMessages: 10 },
  )
  const here = await watch(local.url, 'none')
  const there = await watch(remote.url, 'a')
  proxy.close()
  await expect.poll(() => local.bridge.state).not.toBe('connected')
  for (let index = 0; index < 30; index += 1) await here.client.publishAsync('a', `${index}`, { qos: 1 })
  expect(local.broker.counters.droppedQueueFull).toBe(20)
  proxy.open()
  await expect.poll(() => there.seen).toHaveLength(10)
})

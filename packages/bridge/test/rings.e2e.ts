import { expect, test } from 'vitest'
import type { Bridge, BridgeOptions } from '../src/index.ts'
import { quick, startBridge, startBroker, startMosquitto, watch } from './support/brokers.ts'
import type { OurPlace, Place, Watcher } from './support/brokers.ts'
import { bridge } from '../src/index.ts'

const topics = [{ filter: 't/#', direction: 'both', qos: 1 }] as const

interface Ring {
  readonly places: readonly Place[]
  readonly bridges: readonly Bridge[]
  /** Codes of what our brokers have reported. */
  readonly codes: () => (string | undefined)[]
}

/** a → b → c → a; c may be Mosquitto, which has no bridge of its own then: the ring is closed by a second one of a's. */
async function startRing(options: Partial<BridgeOptions>, third: 'this broker' | 'Mosquitto'): Promise<Ring> {
  const c: Place = third === 'Mosquitto' ? await startMosquitto() : await startBroker({ id: 'c' })
  const b = await startBridge({ ...options, addresses: c.url, topics, clientId: 'b-to-c' }, { id: 'b' })
  const toC = bridge({ ...quick, ...options, name: 'back', addresses: c.url, topics, clientId: 'a-to-c' })
  const a = await startBridge(
    { ...options, addresses: b.url, topics, clientId: 'a-to-b' },
    { id: 'a' },
    { plugins: [toC] },
  )
  await expect.poll(() => toC.state).toBe('connected')
  const ours: OurPlace[] = [a, b]
  return {
    places: [a, b, c],
    bridges: [a.bridge, b.bridge, toC],
    codes: () => ours.flatMap(({ errors }) => errors.map(({ code }) => code)),
  }
}

/** Each broker gets a message that is live and one that is retained; every watcher sees all of them. */
async function publishAll(places: readonly Place[]): Promise<Watcher[]> {
  const watchers = await Promise.all(places.map(({ url }) => watch(url, 't/#')))
  for (const [index, { client }] of watchers.entries()) {
    await client.publishAsync(`t/live/${index}`, 'x', { qos: 1 })
    await client.publishAsync(`t/kept/${index}`, 'x', { qos: 1, retain: true })
  }
  const topicsOf = ({ seen }: Watcher): number => new Set(seen.map(line => line.split(' ')[0])).size
  for (const one of watchers) await expect.poll(() => topicsOf(one)).toBe(places.length * 2)
  return watchers
}

/** Nothing is carried any more between two exchanges with each broker. */
async function comesToRest(bridges: readonly Bridge[], watchers: readonly Watcher[]): Promise<void> {
  const count = (): number =>
    bridges.reduce((sum, { counters }) => sum + counters.in.messages + counters.out.messages, 0)
  const rests = async (): Promise<boolean> => {
    const before = count()
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(watchers.map(async ({ client }) => client.unsubscribeAsync('none')))
    }
    return count() === before
  }
  await expect.poll(rests).toBe(true)
  expect(await rests()).toBe(true)
}

test('a ring of three brokers comes to rest by what messages say of their way', async () => {
  const { places, bridges, codes } = await startRing({}, 'this broker')
  const watchers = await publishAll(places)
  await comesToRest(bridges, watchers)
  expect(codes()).toEqual([])
  const dropped = bridges.reduce((sum, { counters }) => sum + counters.in.droppedLoop + counters.out.droppedLoop, 0)
  expect(dropped).toBeGreaterThan(0)
})

test.for<['this broker' | 'Mosquitto', 4 | 5]>([
  ['this broker', 4],
  ['Mosquitto', 4],
  ['Mosquitto', 5],
])('a ring with %s as the third comes to rest with %i', async ([third, protocolVersion]) => {
  const { places, bridges, codes } = await startRing({ protocolVersion }, third)
  const watchers = await publishAll(places)
  await comesToRest(bridges, watchers)
  // Before MQTT 5.0 messages carry nothing of their way: circles are found, stopped and told.
  const expected = protocolVersion === 4 ? 'BRIDGE_LOOP' : undefined
  if (expected !== undefined) await expect.poll(codes).toContain(expected)
  expect(codes().filter(code => code !== expected)).toEqual([])
})

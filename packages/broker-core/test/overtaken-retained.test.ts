import { expect, test } from 'vitest'
import { DelayedPersistence } from './support/delayed-persistence.ts'
import { readPublish } from './support/frame.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { property } from './support/property.ts'
import { Random } from './support/random.ts'
import { startBroker } from './support/start-broker.ts'
import { pingreq, puback, pubcomp, pubrec, subscribe } from './support/wire.ts'
import type { QoS } from './support/wire.ts'

const topics = 12
const rounds = 60

const stores = {
  'in memory': () => ({ persistence: new MemoryPersistence(), isIdle: () => true }),
  'that answers later': (seed: number) => {
    const persistence = new DelayedPersistence(new MemoryPersistence(), seed)
    return { persistence, isIdle: () => persistence.isIdle }
  },
}

interface Case {
  readonly store: keyof typeof stores
  readonly qos: QoS
  readonly expiry: number
  readonly seed: number
}

const cases: Case[] = (Object.keys(stores) as (keyof typeof stores)[]).flatMap(store =>
  ([0, 1, 2] as const).flatMap(qos =>
    [0, 100].flatMap(expiry => [1, 2, 3].map(seed => ({ store, qos, expiry, seed }))),
  ),
)

test.each(cases)(
  'what subscribes during a burst of updates sees no value behind a newer one: store $store, QoS $qos, session of $expiry s, seed $seed',
  async ({ store, qos, expiry, seed }) => {
    const random = new Random(seed)
    const { persistence, isIdle } = stores[store](seed)
    const server = await startBroker({ persistence, maximumInflight: 3 })
    const publisher = await server.connect({ clientId: 'p' })
    const update = (value: number): void => {
      for (let topic = 0; topic < topics; topic += 1) {
        publisher.publish({ topic: `t/${topic}`, payload: `${value}`, qos: 1, retain: true })
      }
    }
    update(0)
    for (let topic = 0; topic < topics; topic += 1) await publisher.next('puback')
    const client = await server.connect({ clientId: 'c', properties: property.sessionExpiryInterval(expiry) })
    const seen = new Map<string, number>()
    const last = new Map<string, number>()
    const stale: string[] = []
    // A retained message that has the last value may come long before the update itself.
    const updatedLast = new Set<string>()
    const hasLast = (): boolean => updatedLast.size === topics
    const watching = (async (): Promise<void> => {
      // To the end of what may come behind the last updates, too: the store may be slower than several PINGREQs.
      for (let quiet = 0; quiet < 5;) {
        const frame = await client.next()
        if (frame.type === 'pubrel') client.send(pubcomp(frame.body.readUInt16BE(0)))
        if (frame.type === 'publish') {
          const { topic, payload, id, retain, qos: delivered } = readPublish(frame, 5)
          if (delivered === 1) client.send(puback(id))
          if (delivered === 2) client.send(pubrec(id))
          const value = Number(payload)
          // A live one that is older comes before those between them, in their order.
          if (retain && value < (seen.get(topic) ?? 0)) stale.push(`${topic}: ${value} after ${seen.get(topic)}`)
          seen.set(topic, Math.max(value, seen.get(topic) ?? 0))
          last.set(topic, value)
          if (!retain && value === rounds) updatedLast.add(topic)
        }
        quiet = frame.type === 'pingresp' && isIdle() ? quiet + 1 : 0
        if (hasLast()) client.send(pingreq)
      }
    })()
    for (let round = 1; round <= rounds; round += 1) {
      if (round < 20 && round % 3 === 1) client.send(subscribe({ id: round, filters: [['t/+', qos]] }))
      update(round)
      for (let turns = random.below(4); turns > 0; turns -= 1) await new Promise(setImmediate)
    }
    await watching
    expect(stale).toEqual([])
    expect([...last.values()]).toEqual(Array(topics).fill(rounds))
  },
)

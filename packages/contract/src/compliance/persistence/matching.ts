import assert from 'node:assert/strict'
import type { DefineStoreTest } from './bench.ts'
import { texts } from './bench.ts'

/** Filter, topics that match it, topics that don't. MQTT 5.0 §4.7 */
const filters: readonly (readonly [filter: string, matching: readonly string[], others: readonly string[]])[] = [
  ['a/b', ['a/b'], ['a', 'a/b/c', 'A/b', 'a/b/']],
  ['a/+', ['a/b', 'a/'], ['a', 'a/b/c']],
  ['a/#', ['a', 'a/b', 'a/b/c', 'a/'], ['ab', 'b/a']],
  ['+/b', ['a/b', '/b'], ['$a/b', 'b']],
  ['#', ['a', '/', 'a/b'], ['$SYS/a']],
  ['$SYS/#', ['$SYS/a', '$SYS'], ['a']],
  ['__proto__/+', ['__proto__/constructor'], ['constructor']],
]

/** Tests of which subscriptions a published message meets, and what comes of it. */
export function matchingTests(define: DefineStoreTest): void {
  for (const [filter, matching, others] of filters) {
    define(`queues for the filter ${filter} what matches it and nothing else`, async bench => {
      const client = await bench.connect('client')
      await client.subscribe({ filter })
      for (const topic of [...others, ...matching]) await bench.store.publish(bench.message({ topic, text: topic }))
      assert.deepEqual(texts(await client.read()), matching)
    })
  }

  // [MQTT5-3.3.4-2]
  define('makes one entry of overlapping subscriptions: highest QoS, every identifier', async bench => {
    const client = await bench.connect('client')
    await client.subscribe(
      { filter: '#', qos: 0, subscriptionIdentifier: 8 },
      { filter: 'a/b', qos: 2, subscriptionIdentifier: 3 },
      { filter: 'a/+', qos: 1 },
      { filter: '+/b', qos: 1, subscriptionIdentifier: 8 },
    )
    await bench.store.publish(bench.message({ topic: 'a/b', qos: 2 }))
    const entries = await client.read()
    assert.equal(entries.length, 1)
    assert.equal(entries[0]?.qos, 2)
    assert.deepEqual(entries[0]?.subscriptionIdentifiers, [8, 3])
  })

  define('returns how many stored sessions and groups a message is for', async bench => {
    const { store } = bench
    assert.equal(await store.publish(bench.message()), 0)
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a', qos: 1 }, { filter: '+', qos: 1 }, { filter: 'x/y', qos: 0 })
    const other = await bench.connect('other')
    await other.subscribe({ filter: 'a', qos: 2 })
    const passing = await bench.connect('passing', { sessionExpiryInterval: 0 })
    await passing.subscribe({ filter: 'a', qos: 1 })
    assert.equal(await store.publish(bench.message()), 2)
    assert.equal(await store.publish(bench.message({ qos: 0 })), 0)
    assert.equal(await store.publish(bench.message({ topic: 'x/y' })), 0)
    const receipt = { session: client.handle, packetId: 7 }
    assert.equal(await store.publish(bench.message({ qos: 2 }), receipt), 2)
    assert.equal(await store.publish(bench.message({ qos: 2 }), receipt), 0)
    if (!store.supports.sharedSubscriptions) return
    await client.subscribe({ filter: '$share/g/a', qos: 1 })
    await other.subscribe({ filter: '$share/g/a', qos: 1 })
    assert.equal(await store.publish(bench.message()), 3)
  })

  define('delivers with the lower QoS of message and subscription', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'one', qos: 1 }, { filter: 'two', qos: 2 })
    for (const topic of ['one', 'two']) {
      for (const qos of [1, 2] as const) await bench.store.publish(bench.message({ topic, qos }))
    }
    assert.deepEqual(
      (await client.read()).map(({ qos }) => qos),
      [1, 1, 1, 2],
    )
  })

  define('queues nothing of effective QoS 0', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a', qos: 0 }, { filter: 'b', qos: 2 })
    await bench.store.publish(bench.message({ topic: 'a', qos: 2 }))
    await bench.store.publish(bench.message({ topic: 'b', qos: 0 }))
    await bench.settle()
    assert.deepEqual(await client.read(), [])
    assert.deepEqual(client.owner.taken, [])
  })

  // [MQTT5-3.8.3-3]
  define('keeps a message from its own publisher by noLocal, and from nobody else', async bench => {
    const client = await bench.connect('client')
    const other = await bench.connect('other')
    await client.subscribe({ filter: 'a', noLocal: true, qos: 2, subscriptionIdentifier: 1 })
    await other.subscribe({ filter: 'a' })
    await bench.store.publish(bench.message({ publisher: 'client', text: 'own' }))
    await bench.store.publish(bench.message({ publisher: 'other', text: 'foreign' }))
    await bench.store.publish(bench.message({ publisher: undefined, text: 'of the broker' }))
    assert.deepEqual(texts(await client.read()), ['foreign', 'of the broker'])
    assert.deepEqual(texts(await other.read()), ['own', 'foreign', 'of the broker'])
  })

  define('leaves only the noLocal subscriptions out when merging for the publisher', async bench => {
    const client = await bench.connect('client')
    await client.subscribe(
      { filter: '+', noLocal: true, qos: 2, subscriptionIdentifier: 1 },
      { filter: 'a', qos: 1, subscriptionIdentifier: 2 },
    )
    await bench.store.publish(bench.message({ publisher: 'client', qos: 2 }))
    const [entry] = await client.read()
    assert.equal(entry?.qos, 1)
    assert.deepEqual(entry?.subscriptionIdentifiers, [2])
  })

  // [MQTT5-3.3.1-12]
  define('keeps the RETAIN flag only by retainAsPublished', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'plain' }, { filter: 'flagged', retainAsPublished: true })
    for (const topic of ['plain', 'flagged']) {
      for (const retain of [false, true]) await bench.store.publish(bench.message({ topic, retain }))
    }
    assert.deepEqual(
      (await client.read()).map(({ retain }) => retain),
      [false, false, false, true],
    )
  })

  define('follows every change of subscriptions of a topic it has matched before', async bench => {
    const client = await bench.connect('client')
    const other = await bench.connect('other')
    await bench.publish('none')
    await client.subscribe({ filter: 'a' })
    await bench.publish('client')
    await other.subscribe({ filter: '+' })
    await bench.publish('both')
    await bench.store.unsubscribe(client.handle, ['a'])
    await bench.publish('other')
    await other.close({ sessionExpiryInterval: 0 })
    await bench.publish('none again')
    assert.deepEqual(texts(await client.read()), ['client', 'both'])
    assert.deepEqual(texts(other.owner.taken), ['both', 'other'])
  })
}

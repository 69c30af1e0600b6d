import assert from 'node:assert/strict'
import type { Message } from '../../message.ts'
import type { Bench, DefineStoreTest } from './bench.ts'
import { texts } from './bench.ts'

async function retain(bench: Bench, topic: string, text = topic): Promise<void> {
  await bench.store.publish(bench.message({ topic, text, retain: true, qos: 0 }))
}

const topics = ['a', 'a/b', 'a/b/c', 'a/', '/', '/b', '$SYS/a', '__proto__', 'é']

/** Filter and the topics of the list above that match it. MQTT 5.0 §4.7 */
const filters: readonly (readonly [filter: string, matching: readonly string[]])[] = [
  ['a/b', ['a/b']],
  ['a/+', ['a/b', 'a/']],
  ['a/#', ['a', 'a/b', 'a/b/c', 'a/']],
  ['+/b', ['a/b', '/b']],
  ['+', ['a', '__proto__', 'é']],
  ['#', ['a', 'a/b', 'a/b/c', 'a/', '/', '/b', '__proto__', 'é']],
  ['$SYS/#', ['$SYS/a']],
  ['a/+/c', ['a/b/c']],
  ['x', []],
  ['constructor', []],
]

/** Tests of retained messages. MQTT 5.0 §3.3.1.3 */
export function retainedTests(define: DefineStoreTest): void {
  define('returns nothing as long as nothing is retained', async bench => {
    await bench.publish('not retained')
    assert.deepEqual(await bench.retained('#'), [])
  })

  for (const [filter, matching] of filters) {
    define(`returns the retained messages that match ${filter}`, async bench => {
      for (const topic of topics) await retain(bench, topic)
      assert.deepEqual(texts(await bench.retained(filter)).sort(), [...matching].sort())
    })
  }

  // [MQTT5-3.3.1-5]
  define('replaces the retained message of a topic', async bench => {
    await retain(bench, 'a', 'one')
    await retain(bench, 'a', 'two')
    assert.deepEqual(texts(await bench.retained('#')), ['two'])
  })

  // [MQTT5-3.3.1-6]
  define('removes the retained message of a topic by an empty payload', async bench => {
    await retain(bench, 'a')
    await retain(bench, 'b')
    await retain(bench, 'a', '')
    await retain(bench, 'never', '')
    assert.deepEqual(texts(await bench.retained('#')), ['b'])
  })

  define('retains and queues in one call', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await bench.store.publish(bench.message({ text: 'one', retain: true }))
    await bench.store.publish(bench.message({ text: '', retain: true }))
    assert.deepEqual(texts(await client.read()), ['one', ''])
    assert.deepEqual(await bench.retained('a'), [])
  })

  define('returns retained messages as they were published', async bench => {
    await bench.store.publish(bench.message({ topic: 'a', qos: 2, retain: true, publisher: 'somebody' }))
    const [message] = await bench.retained('a')
    assert.deepEqual([message?.topic, message?.qos, message?.retain, message?.publisher], ['a', 2, true, 'somebody'])
  })

  define('leaves expired retained messages out', async bench => {
    const expiresAt = bench.clock.now() + 5000
    await bench.store.publish(bench.message({ topic: 'a', retain: true, expiresAt }))
    await bench.store.publish(bench.message({ topic: 'b', text: 'b', retain: true }))
    bench.clock.advance(4999)
    assert.equal((await bench.retained('#')).length, 2)
    bench.clock.advance(1)
    assert.deepEqual(texts(await bench.retained('#')), ['b'])
    assert.deepEqual(await bench.store.claimDue(10), [])
    assert.deepEqual(texts(await bench.retained('#')), ['b'])
  })

  define('does not let the expiry of a replaced message touch its successor', async bench => {
    await bench.store.publish(bench.message({ retain: true, expiresAt: bench.clock.now() + 5000 }))
    await retain(bench, 'a', 'two')
    bench.clock.advance(5000)
    await bench.store.claimDue(10)
    assert.deepEqual(texts(await bench.retained('a')), ['two'])
  })

  define('queues no retained message that another one has overtaken', async bench => {
    const client = await bench.connect('client', { room: 0 })
    const give = async (message: Message): Promise<void> => {
      const delivery = { message, qos: 1 as const, retain: true, subscriptionIdentifiers: undefined }
      if (bench.store.enqueueRetained === undefined) await bench.store.enqueue(client.handle, [delivery])
      else await bench.store.enqueueRetained(client.handle, delivery)
    }
    for (const topic of ['a', 'b', 'c']) await retain(bench, topic, `${topic} old`)
    // What is lazy gives each as it is at that moment.
    const given: Message[] = []
    const page = await bench.store.retained('#')
    for (const message of Array.isArray(page) ? (page as readonly Message[]) : []) given.push(message)
    await retain(bench, 'a', 'a new')
    await retain(bench, 'b', '')
    for (const message of given) await give(message)
    for (const message of await bench.retained('a')) await give(message)
    const expected = given.length > 0 ? ['c old', 'a new'] : ['a new']
    assert.deepEqual(texts(await client.read()), expected)
  })

  define('keeps retained messages when their publisher’s session ends', async bench => {
    const client = await bench.connect('publisher')
    await retain(bench, 'a')
    await client.close({ sessionExpiryInterval: 0 })
    assert.deepEqual(texts(await bench.retained('a')), ['a'])
  })
}

import assert from 'node:assert/strict'
import { messageOverhead } from '../../message.ts'
import type { PersistenceSupports } from '../../persistence.ts'
import type { Bench, DefineStoreTest } from './bench.ts'
import { texts } from './bench.ts'
import { storeLimitTests } from './store-limits.ts'
import type { DefineLimitTest } from './store-limits.ts'

/** How many were dropped from the queue for want of room; asserts that nothing else was. */
function dropped(bench: Bench, queue: string): number {
  assert.ok(bench.drops.every(drop => drop.queue === queue && drop.reason === 'queueFull'))
  return bench.drops.reduce((sum, { count }) => sum + count, 0)
}

/** Tests of `QueueLimits`. They get a store that isn't open, to choose its limits. */
export function limitTests(defineUnopened: DefineStoreTest, supports: PersistenceSupports): void {
  const define: DefineLimitTest = (title, limits, run) => {
    defineUnopened(title, async bench => {
      bench.limits = { ...bench.limits, ...limits }
      await bench.open()
      await run(bench)
    })
  }
  define('drops the oldest waiting entries beyond maximumQueuedMessages', { maximumQueuedMessages: 2 }, async bench => {
    const client = await bench.connect('client', { room: 0 })
    await client.subscribe({ filter: 'a' })
    await bench.publish('one', 'two', 'three', 'four')
    assert.deepEqual(texts(await client.read()), ['three', 'four'])
    await bench.soon(() => assert.equal(dropped(bench, 'client'), 2))
  })

  define(
    'drops the newest entries beyond maximumQueuedMessages with dropNewest',
    { maximumQueuedMessages: 2, overflow: 'dropNewest' },
    async bench => {
      const client = await bench.connect('client')
      await client.subscribe({ filter: 'a' })
      await client.close()
      await bench.publish('one', 'two', 'three', 'four')
      assert.deepEqual(texts(await (await bench.connect('client')).read()), ['one', 'two'])
      await bench.soon(() => assert.equal(dropped(bench, 'client'), 2))
    },
  )

  // For two messages with a topic of one byte and a payload of nine.
  const forTwo = { maximumQueuedBytes: 2 * (messageOverhead + 10) }
  define('drops the oldest waiting entries beyond maximumQueuedBytes', forTwo, async bench => {
    const client = await bench.connect('client', { room: 0 })
    await client.subscribe({ filter: 'a' })
    await bench.publish('000000001', '000000002', '000000003', '4')
    assert.deepEqual(texts(await client.read()), ['000000003', '4'])
    await bench.soon(() => assert.equal(dropped(bench, 'client'), 2))
  })

  define('drops a message that maximumQueuedBytes has no place for', forTwo, async bench => {
    const client = await bench.connect('client', { room: 0 })
    await client.subscribe({ filter: 'a' })
    await bench.publish('x'.repeat(2 * messageOverhead))
    assert.deepEqual(await client.read(), [])
    await bench.soon(() => assert.equal(dropped(bench, 'client'), 1))
  })

  define('lets no limit stand between a message and an owner with room', { maximumQueuedMessages: 1 }, async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await bench.publish('one', 'two', 'three')
    await bench.soon(() => assert.deepEqual(texts(client.owner.taken), ['one', 'two', 'three']))
    assert.deepEqual(texts(await client.read()), ['one', 'two', 'three'])
    assert.deepEqual(bench.drops, [])
  })

  define('never drops what the owner has taken', { maximumQueuedMessages: 1 }, async bench => {
    const client = await bench.connect('client', { room: 2 })
    await client.subscribe({ filter: 'a' })
    await bench.publish('one', 'two', 'three')
    await bench.soon(() => assert.deepEqual(texts(client.owner.taken), ['one', 'two']))
    assert.deepEqual(texts(await client.read(2, 1)), ['three'])
    client.owner.room = 0
    await bench.publish('four', 'five')
    await bench.soon(() => assert.equal(dropped(bench, 'client'), 1))
    assert.deepEqual(texts(await client.read()), ['one', 'two', 'three', 'five'])
  })

  define('never drops what was sent before', { maximumQueuedMessages: 1 }, async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    await bench.publish('one', 'two')
    await first.close({ sentThrough: 2 })
    await bench.publish('three', 'four')
    assert.deepEqual(texts(await (await bench.connect('client')).read()), ['one', 'two', 'four'])
    await bench.soon(() => assert.equal(dropped(bench, 'client'), 1))
  })

  define('holds each queue to the limits by itself', { maximumQueuedMessages: 2 }, async bench => {
    const full = await bench.connect('full', { room: 0 })
    const other = await bench.connect('other', { room: 0 })
    await full.subscribe({ filter: '#' })
    await other.subscribe({ filter: 'b' })
    await bench.publish('one', 'two')
    await bench.store.publish(bench.message({ topic: 'b', text: 'three' }))
    assert.deepEqual(texts(await full.read()), ['two', 'three'])
    assert.deepEqual(texts(await other.read()), ['three'])
  })

  if (supports.storeLimits === true) storeLimitTests(define)

  if (!supports.sharedSubscriptions) return

  define('holds a shared group to the limits', { maximumQueuedMessages: 2 }, async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: '$share/g/a' })
    await bench.publish('one', 'two', 'three')
    assert.deepEqual(texts(await bench.store.claim(client.handle, '$share/g/a', 10)), ['two', 'three'])
    await bench.soon(() => assert.equal(dropped(bench, '$share/g/a'), 1))
  })

  define(
    'refuses new messages of a full shared group with dropNewest',
    { maximumQueuedMessages: 2, overflow: 'dropNewest' },
    async bench => {
      const client = await bench.connect('client')
      await client.subscribe({ filter: '$share/g/a' })
      await bench.publish('one', 'two', 'three')
      assert.deepEqual(texts(await bench.store.claim(client.handle, '$share/g/a', 10)), ['one', 'two'])
      await bench.soon(() => assert.equal(dropped(bench, '$share/g/a'), 1))
    },
  )
}

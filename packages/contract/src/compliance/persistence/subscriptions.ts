import assert from 'node:assert/strict'
import type { DefineStoreTest } from './bench.ts'
import { texts } from './bench.ts'

/** Tests of `subscribe` and `unsubscribe`. */
export function subscriptionTests(define: DefineStoreTest): void {
  define('returns for each subscription whether its filter was there before', async bench => {
    const client = await bench.connect('client')
    assert.deepEqual(await client.subscribe({ filter: 'a' }, { filter: 'b' }), [false, false])
    assert.deepEqual(await client.subscribe({ filter: 'c' }, { filter: 'a' }), [false, true])
    const other = await bench.connect('other')
    assert.deepEqual(await other.subscribe({ filter: 'a' }), [false])
  })

  define('replaces a subscription with the same filter', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a', qos: 2 })
    await client.subscribe({ filter: 'a', qos: 1, subscriptionIdentifier: 4 })
    await bench.store.publish(bench.message({ qos: 2 }))
    const entries = await client.read()
    assert.deepEqual(
      entries.map(({ qos, subscriptionIdentifiers }) => [qos, subscriptionIdentifiers]),
      [[1, [4]]],
    )
    await client.close()
    const { opened } = await bench.connect('client')
    assert.deepEqual(
      opened.subscriptions.map(({ filter, qos }) => [filter, qos]),
      [['a', 1]],
    )
  })

  define('returns for each filter whether it was there to be removed', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' }, { filter: 'b' })
    assert.deepEqual(await bench.store.unsubscribe(client.handle, ['b', 'x', 'b']), [true, false, false])
    assert.deepEqual(await bench.store.unsubscribe(client.handle, ['a']), [true])
    assert.deepEqual(await client.subscribe({ filter: 'b' }), [false])
  })

  define('takes no subscription from another session', async bench => {
    const client = await bench.connect('client')
    const other = await bench.connect('other')
    await client.subscribe({ filter: 'a' })
    assert.deepEqual(await bench.store.unsubscribe(other.handle, ['a']), [false])
    await bench.publish('one')
    assert.deepEqual(texts(await client.read()), ['one'])
    assert.deepEqual(await other.read(), [])
  })

  // [MQTT5-3.10.4-3]
  define('queues nothing more after unsubscribing, and keeps what is queued', async bench => {
    const client = await bench.connect('client', { room: 0 })
    await client.subscribe({ filter: 'a' })
    await bench.publish('one')
    await bench.store.unsubscribe(client.handle, ['a'])
    await bench.publish('two')
    assert.deepEqual(texts(await client.read()), ['one'])
  })

  define('matches what is published after the answer, in calls made without waiting', async bench => {
    const client = await bench.connect('client')
    await Promise.all([client.subscribe({ filter: 'a' }), client.subscribe({ filter: 'b' })])
    await Promise.all([bench.publish('one'), bench.store.publish(bench.message({ topic: 'b', text: 'two' }))])
    assert.deepEqual(texts(await client.read()).sort(), ['one', 'two'])
  })
}

import assert from 'node:assert/strict'
import type { DefineStoreTest } from './bench.ts'
import { sequences, texts } from './bench.ts'

/** Tests of a session's queue: `publish`, `enqueue`, `read`, `acknowledge`, `release`. */
export function queueTests(define: DefineStoreTest): void {
  define('numbers entries from 1, ascending by one, in the order of publishing', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await bench.publish('one', 'two', 'three')
    const entries = await client.read()
    assert.deepEqual(sequences(entries), [1, 2, 3])
    assert.deepEqual(texts(entries), ['one', 'two', 'three'])
  })

  define('keeps the order of calls that were made without waiting', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    const order = Array.from({ length: 50 }, (_, index) => `${index}`)
    await Promise.all(order.map(async text => bench.store.publish(bench.message({ text }))))
    assert.deepEqual(texts(await client.read()), order)
  })

  define('goes on counting after everything was acknowledged, and over connections', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    await bench.publish('one', 'two')
    for (const sequence of [1, 2]) await bench.store.acknowledge(first.handle, sequence)
    await first.close({ sentThrough: 2 })
    const second = await bench.connect('client')
    assert.equal(second.opened.lastSequence, 2)
    assert.equal(second.opened.sentThrough, 2)
    await bench.publish('three')
    assert.deepEqual(sequences(await second.read()), [3])
  })

  define('reads what is above `after`, at most `limit`', async bench => {
    const client = await bench.connect('client', { room: 0 })
    await client.subscribe({ filter: 'a' })
    assert.deepEqual(await client.read(), [])
    await bench.publish('one', 'two', 'three', 'four')
    assert.deepEqual(sequences(await client.read(0, 2)), [1, 2])
    assert.deepEqual(sequences(await client.read(2, 2)), [3, 4])
    assert.deepEqual(sequences(await client.read(3, 9)), [4])
    assert.deepEqual(await client.read(4, 9), [])
    assert.deepEqual(sequences(await client.read(0, 9)), [1, 2, 3, 4])
  })

  define('shows an entry that waits, or was taken, without taking anything', async bench => {
    const client = await bench.connect('client', { room: 1 })
    await client.subscribe({ filter: 'a', qos: 2 })
    for (const text of ['one', 'two', 'three']) await bench.store.publish(bench.message({ text, qos: 2 }))
    const shown = async (sequence: number): Promise<unknown> => {
      const entry = await bench.store.entry(client.handle, sequence)
      return entry && [entry.sequence, entry.message.payload.toString(), entry.qos, entry.released]
    }
    assert.deepEqual(await shown(1), [1, 'one', 2, false])
    await bench.store.release(client.handle, 1)
    assert.deepEqual(await shown(1), [1, 'one', 2, true])
    assert.deepEqual(await shown(3), [3, 'three', 2, false])
    await bench.store.acknowledge(client.handle, 1)
    for (const sequence of [0, 1, 4]) assert.equal(await shown(sequence), undefined)
    assert.deepEqual(sequences(await client.read(1)), [2, 3])
  })

  define('offers the next entry although one was asked for that is gone', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await bench.publish('one')
    await bench.soon(() => assert.deepEqual(sequences(client.owner.taken), [1]))
    await bench.store.acknowledge(client.handle, 1)
    const [gone] = await Promise.all([bench.store.entry(client.handle, 1), bench.publish('two')])
    assert.equal(gone, undefined)
    await bench.soon(() => assert.deepEqual(sequences(client.owner.taken), [1, 2]))
  })

  define('removes acknowledged entries in any order, and ignores what it does not know', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await bench.publish('one', 'two', 'three', 'four')
    for (const sequence of [3, 1, 3, 99, 0]) await bench.store.acknowledge(client.handle, sequence)
    assert.deepEqual(sequences(await client.read()), [2, 4])
    assert.deepEqual(sequences(await client.read(2)), [4])
    for (const sequence of [2, 4, 2]) await bench.store.acknowledge(client.handle, sequence)
    assert.deepEqual(await client.read(), [])
  })

  // [MQTT5-4.3.3-6]
  define('shows released entries as released until they are acknowledged', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    for (const text of ['one', 'two']) await bench.store.publish(bench.message({ text, qos: 2 }))
    for (const sequence of [1, 1, 99]) await bench.store.release(first.handle, sequence)
    const released = async (from: typeof first): Promise<unknown> =>
      (await from.read()).map(entry => [entry.sequence, entry.released])
    const expected = [
      [1, true],
      [2, false],
    ]
    assert.deepEqual(await released(first), expected)
    await first.close({ sentThrough: 2 })
    const second = await bench.connect('client')
    assert.deepEqual(await released(second), expected)
    await bench.store.acknowledge(second.handle, 1)
    assert.deepEqual(sequences(await second.read()), [2])
  })

  define('keeps everything that a message carries', async bench => {
    const client = await bench.connect('client', { room: 0 })
    await client.subscribe({ filter: 'dévice/+' })
    const message = {
      ...bench.message({ topic: 'dévice/1', qos: 2, retain: true, publisher: 'somebody', brokerId: 'elsewhere' }),
      payload: Buffer.from([0, 255, 10, 13, 128]),
      properties: Uint8Array.of(0x03, 0, 1, 0x61),
      expiresAt: bench.clock.now() + 60_000,
      brokerCounter: 2 ** 40,
    }
    await bench.store.publish(message)
    const [entry] = await client.read()
    const [retained] = await bench.retained('dévice/1')
    for (const stored of [entry?.message, retained]) {
      assert.ok(stored !== undefined)
      const { payload, properties, ...rest } = stored
      assert.ok(Buffer.isBuffer(payload))
      assert.deepEqual([...payload], [0, 255, 10, 13, 128])
      assert.deepEqual([...(properties ?? [])], [0x03, 0, 1, 0x61])
      const { payload: _, properties: __, ...expected } = message
      assert.deepEqual({ ...rest }, expected)
    }
  })

  define('keeps bytes of its own: the publisher’s may be overwritten after the answer', async bench => {
    const client = await bench.connect('client', { room: 0 })
    await client.subscribe({ filter: 'a' })
    const message = { ...bench.message({ retain: true, text: 'one' }), properties: Uint8Array.of(1, 0) }
    await bench.store.publish(message)
    const delivery = { message, qos: 1 as const, retain: false, subscriptionIdentifiers: undefined }
    await bench.store.enqueue(client.handle, [delivery])
    message.payload.fill(0)
    message.properties.fill(9)
    const stored = [...(await client.read()).map(entry => entry.message), ...(await bench.retained('a'))]
    assert.deepEqual(texts(stored), ['one', 'one', 'one'])
    for (const { properties } of stored) assert.deepEqual([...(properties ?? [])], [1, 0])
  })

  define('enqueues for one session alone, as told', async bench => {
    const client = await bench.connect('client', { room: 0 })
    const other = await bench.connect('other')
    for (const one of [client, other]) await one.subscribe({ filter: 'a' })
    await bench.publish('one')
    const message = bench.message({ topic: 'elsewhere', text: 'two', qos: 2 })
    const first = { message, qos: 1 as const, retain: true, subscriptionIdentifiers: [4, 5] }
    const second = {
      message: bench.message({ text: 'three' }),
      qos: 1 as const,
      retain: false,
      subscriptionIdentifiers: undefined,
    }
    await bench.store.enqueue(client.handle, [first, second])
    const entries = await client.read()
    assert.deepEqual(texts(entries), ['one', 'two', 'three'])
    assert.deepEqual(sequences(entries), [1, 2, 3])
    assert.deepEqual(
      entries.map(({ qos, retain, subscriptionIdentifiers }) => [qos, retain, subscriptionIdentifiers]),
      [
        [1, false, undefined],
        [1, true, [4, 5]],
        [1, false, undefined],
      ],
    )
    assert.deepEqual(texts(await other.read()), ['one'])
  })

  define('enqueues also for a session with interval 0', async bench => {
    const client = await bench.connect('client', { sessionExpiryInterval: 0, room: 0 })
    const message = bench.message({ text: 'one' })
    await bench.store.enqueue(client.handle, [{ message, qos: 1, retain: false, subscriptionIdentifiers: undefined }])
    assert.deepEqual(texts(await client.read()), ['one'])
  })

  // [MQTT5-3.3.2-5]
  define('leaves expired messages out when reading, drops them and says so', async bench => {
    const client = await bench.connect('client', { room: 0 })
    await client.subscribe({ filter: 'a' })
    const expiresAt = bench.clock.now() + 5000
    await bench.store.publish(bench.message({ text: 'one', expiresAt }))
    await bench.store.publish(bench.message({ text: 'two' }))
    await bench.store.publish(bench.message({ text: 'three', expiresAt: expiresAt + 1 }))
    bench.clock.advance(5000)
    assert.deepEqual(texts(await client.read(0, 1)), ['two'])
    assert.deepEqual(texts(await client.read()), ['two', 'three'])
    await bench.soon(() => assert.deepEqual(bench.drops, [{ queue: 'client', reason: 'expired', count: 1 }]))
  })

  define('keeps an expired message whose delivery has begun', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    await bench.store.publish(bench.message({ text: 'one', qos: 2, expiresAt: bench.clock.now() + 5000 }))
    await first.close({ sentThrough: 1 })
    bench.clock.advance(5000)
    assert.deepEqual(texts(await (await bench.connect('client')).read()), ['one'])
    assert.deepEqual(bench.drops, [])
  })
}

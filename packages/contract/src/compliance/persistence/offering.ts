import assert from 'node:assert/strict'
import type { Connection, DefineStoreTest } from './bench.ts'
import { sequences, texts } from './bench.ts'

/** Tests of `SessionOwner.deliver`. */
export function offeringTests(define: DefineStoreTest): void {
  define('offers new entries to the owner in sequence order', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a', qos: 1, subscriptionIdentifier: 2 })
    await Promise.all(['one', 'two', 'three'].map(async text => bench.store.publish(bench.message({ text, qos: 2 }))))
    await bench.soon(() => {
      assert.deepEqual(sequences(client.owner.taken), [1, 2, 3])
      assert.deepEqual(texts(client.owner.taken), ['one', 'two', 'three'])
    })
    const [entry] = client.owner.taken
    assert.deepEqual(
      [entry?.qos, entry?.retain, entry?.released, entry?.subscriptionIdentifiers],
      [1, false, false, [2]],
    )
  })

  define('offers enqueued entries like published ones', async bench => {
    const client = await bench.connect('client')
    const message = bench.message({ text: 'one' })
    await bench.store.enqueue(client.handle, [{ message, qos: 1, retain: true, subscriptionIdentifiers: undefined }])
    await bench.soon(() => assert.deepEqual(texts(client.owner.taken), ['one']))
  })

  define('keeps an entry that the owner took until it is acknowledged', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await bench.publish('one')
    await bench.soon(() => assert.deepEqual(texts(client.owner.taken), ['one']))
    assert.deepEqual(texts(await client.read()), ['one'])
    await bench.store.acknowledge(client.handle, 1)
    assert.deepEqual(await client.read(), [])
  })

  define('offers nothing after a refusal until the owner has read up to the newest entry', async bench => {
    const client = await bench.connect('client', { room: 1 })
    await client.subscribe({ filter: 'a' })
    await bench.publish('one', 'two')
    await bench.soon(() => assert.deepEqual(texts(client.owner.refused), ['two']))
    client.owner.room = Infinity
    await bench.publish('three', 'four')
    await bench.soon(() => {
      assert.deepEqual(texts(client.owner.taken), ['one'])
      assert.deepEqual(texts(client.owner.refused), ['two'])
    })
    assert.deepEqual(texts(await client.read(1, 2)), ['two', 'three'])
    await bench.publish('five')
    await bench.soon(() => assert.deepEqual(texts(client.owner.taken), ['one']))
    assert.deepEqual(texts(await client.read(3, 10)), ['four', 'five'])
    await bench.publish('six')
    await bench.soon(() => assert.deepEqual(texts(client.owner.taken), ['one', 'six']))
  })

  define('offers nothing of a resumed session before its backlog was read', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    await bench.publish('one')
    await first.close({ sentThrough: 1 })
    const second = await bench.connect('client')
    await bench.publish('two')
    await bench.soon(() => assert.deepEqual(second.owner.taken, []))
    assert.deepEqual(texts(await second.read()), ['one', 'two'])
    await bench.publish('three')
    await bench.soon(() => assert.deepEqual(texts(second.owner.taken), ['three']))
  })

  define('offers at once to the owner of a resumed session without a backlog', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    await bench.publish('one')
    await bench.store.acknowledge(first.handle, 1)
    await first.close({ sentThrough: 1 })
    const second = await bench.connect('client')
    await bench.publish('two')
    await bench.soon(() => assert.deepEqual(sequences(second.owner.taken), [2]))
  })

  define('offers to the new owner alone after a takeover', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    const second = await bench.connect('client')
    await bench.publish('one')
    await bench.soon(() => {
      assert.deepEqual(first.owner.taken, [])
      assert.deepEqual(texts(second.owner.taken), ['one'])
    })
  })

  define('offers each message to every session that it matches', async bench => {
    const clients = await Promise.all(['x', 'y', 'z'].map(async name => bench.connect(name)))
    for (const client of clients) await client.subscribe({ filter: 'a' })
    await bench.publish('one', 'two')
    await bench.soon(() => {
      for (const client of clients) assert.deepEqual(texts(client.owner.taken), ['one', 'two'])
    })
  })

  define('keeps nothing of a session that its owner ends while it is offered an entry', async bench => {
    const client = await bench.connect('client')
    const filters = bench.store.supports.sharedSubscriptions ? ['a', '$share/g/a', '$share/h/+'] : ['a']
    await client.subscribe(...filters.map(filter => ({ filter })))
    const closed = meanwhile(client, async () => client.close({ sessionExpiryInterval: 0 }))
    await bench.publish('one')
    await closed
    await bench.soon(async () => {
      const { queuedMessages, queuedBytes, sessions } = await bench.store.counts()
      assert.deepEqual({ queuedMessages, queuedBytes: queuedBytes ?? 0, sessions }, empty)
    })
    assert.equal((await bench.connect('client')).opened.present, false)
  })

  define(
    'queues nothing of several deliveries behind the one at whose offer the owner ends the session',
    async bench => {
      const client = await bench.connect('client')
      const closed = meanwhile(client, async () => client.close({ sessionExpiryInterval: 0 }))
      const deliveries = ['one', 'two', 'three'].map(text => ({
        message: bench.message({ text }),
        qos: 1 as const,
        retain: false,
        subscriptionIdentifiers: undefined,
      }))
      await bench.store.enqueue(client.handle, deliveries)
      await closed
      await bench.soon(async () => {
        const { queuedMessages, queuedBytes, sessions } = await bench.store.counts()
        assert.deepEqual({ queuedMessages, queuedBytes: queuedBytes ?? 0, sessions }, empty)
      })
    },
  )

  for (const [what, room] of [
    ['takes', Infinity],
    ['refuses', 0],
  ] as const) {
    define(`has an entry that the owner ${what} after it has closed the session wait for the next one`, async bench => {
      const client = await bench.connect('client', { room })
      await client.subscribe({ filter: 'a' })
      const closed = meanwhile(client, async () => client.close())
      await bench.publish('one')
      await closed
      await bench.publish('two')
      await bench.soon(async () => assert.equal((await bench.store.counts()).queuedMessages, 2))
      const next = await bench.connect('client')
      assert.deepEqual(texts(await next.read()), ['one', 'two'])
      for (const sequence of [1, 2]) await bench.store.acknowledge(next.handle, sequence)
      const { queuedMessages, queuedBytes } = await bench.store.counts()
      assert.deepEqual([queuedMessages, queuedBytes ?? 0], [0, 0])
    })
  }
}

const empty = { queuedMessages: 0, queuedBytes: 0, sessions: 0 }

/** Does this when the owner is offered an entry, before it takes or refuses it; resolves when it is done. */
async function meanwhile({ owner }: Connection, act: () => Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    owner.meanwhile = () => {
      act().then(() => resolve(), reject)
    }
  })
}

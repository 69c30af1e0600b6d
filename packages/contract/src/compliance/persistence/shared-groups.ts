import assert from 'node:assert/strict'
import type { QueueEntry } from '../../queue-entry.ts'
import type { Bench, Connection, DefineStoreTest } from './bench.ts'
import { sequences, texts } from './bench.ts'

const group = '$share/g/a'

async function claim(member: Connection, limit = 100): Promise<readonly QueueEntry[]> {
  return member.store.claim(member.handle, group, limit)
}

async function join(
  bench: Bench,
  clientId: string,
  qos: 0 | 1 | 2 = 2,
  sessionExpiryInterval = 100,
): Promise<Connection> {
  const member = await bench.connect(clientId, { sessionExpiryInterval })
  await member.subscribe({ filter: group, qos })
  return member
}

/** Tests of shared subscriptions. MQTT 5.0 §4.8.2 */
export function sharedGroupTests(define: DefineStoreTest): void {
  define('announces every message that joins a group, and queues it for no member', async bench => {
    const member = await join(bench, 'member')
    await bench.publish('one', 'two')
    await bench.soon(() => {
      assert.deepEqual(bench.ready, [group, group])
      assert.deepEqual(member.owner.taken, [])
    })
    assert.deepEqual(await member.read(), [])
  })

  define('names the publisher when it announces a message, or nobody', async bench => {
    await join(bench, 'member')
    await bench.store.publish(bench.message({ publisher: 'sensor' }))
    await bench.soon(() => {
      assert.ok(bench.publishers.every(publisher => publisher === 'sensor' || publisher === undefined))
      assert.equal(bench.publishers.length, 1)
    })
  })

  define('keeps messages of QoS 0 and of other topics out of a group', async bench => {
    const member = await join(bench, 'member')
    await bench.store.publish(bench.message({ qos: 0 }))
    await bench.store.publish(bench.message({ topic: 'b' }))
    await bench.soon(() => assert.deepEqual(bench.ready, []))
    assert.deepEqual(await claim(member), [])
  })

  define('lets members claim each message once, in order, at most `limit`', async bench => {
    const first = await join(bench, 'first')
    const second = await join(bench, 'second')
    await bench.publish('one', 'two', 'three', 'four')
    assert.deepEqual(texts(await claim(first, 2)), ['one', 'two'])
    assert.deepEqual(texts(await claim(second, 1)), ['three'])
    assert.deepEqual(texts(await claim(first)), ['four'])
    assert.deepEqual(await claim(second), [])
  })

  define('gives a message to each matching group, and to plain subscriptions besides', async bench => {
    const member = await bench.connect('member')
    const filters = ['$share/g/a', '$share/h/a', '$share/g/+', 'a']
    await member.subscribe(...filters.map(filter => ({ filter })), { filter: '$share/g/b' })
    await bench.publish('one')
    await bench.soon(() => assert.deepEqual([...bench.ready].sort(), ['$share/g/+', '$share/g/a', '$share/h/a']))
    for (const name of bench.ready) assert.deepEqual(texts(await bench.store.claim(member.handle, name, 9)), ['one'])
    assert.deepEqual(texts(member.owner.taken), ['one'])
  })

  define('makes a claimed message an entry of the session until it is acknowledged', async bench => {
    const member = await bench.connect('member')
    await member.subscribe(
      { filter: 'own' },
      { filter: group, qos: 1, retainAsPublished: true, subscriptionIdentifier: 6 },
    )
    await bench.store.publish(bench.message({ topic: 'own' }))
    await bench.store.publish(bench.message({ qos: 2, retain: true, text: 'one' }))
    const [entry] = await claim(member)
    assert.equal(entry?.sequence, 2)
    assert.deepEqual([entry?.qos, entry?.retain, entry?.released], [1, true, false])
    assert.deepEqual(entry?.subscriptionIdentifiers, [6])
    assert.deepEqual(sequences(await member.read(1)), [2])
    await bench.store.acknowledge(member.handle, 2)
    assert.deepEqual(await member.read(1), [])
    await member.close({ sentThrough: 2 })
    assert.deepEqual(await claim(await join(bench, 'other')), [])
  })

  // [MQTT5-4.8.2-3]
  define('honours the QoS of the member that claims, and keeps nothing of QoS 0', async bench => {
    const [zero, one] = [await join(bench, 'zero', 0), await join(bench, 'one', 1)]
    for (const text of ['one', 'two']) await bench.store.publish(bench.message({ qos: 2, text }))
    const entries = [...(await claim(zero, 1)), ...(await claim(one, 1))]
    assert.deepEqual(
      entries.map(entry => [entry.qos, entry.message.payload.toString()]),
      [
        [0, 'one'],
        [1, 'two'],
      ],
    )
    assert.deepEqual(await zero.read(), [])
    await zero.close({ sentThrough: entries[0]?.sequence ?? 0 })
    assert.deepEqual(await claim(one), [])
  })

  define('returns nothing to a session that is not a member', async bench => {
    const member = await join(bench, 'member')
    const stranger = await bench.connect('stranger')
    await bench.publish('one')
    assert.deepEqual(await claim(stranger), [])
    assert.deepEqual(await bench.store.claim(member.handle, '$share/unknown/a', 9), [])
    assert.deepEqual(texts(await claim(member)), ['one'])
  })

  define('lets messages wait while every member is away', async bench => {
    const member = await join(bench, 'member')
    await member.close()
    await bench.publish('one')
    assert.deepEqual(texts(await claim(await bench.connect('member'))), ['one'])
  })

  define('has a session with interval 0 as a member for as long as it lasts', async bench => {
    const passing = await join(bench, 'passing', 1, 0)
    const staying = await join(bench, 'staying')
    await bench.publish('one', 'two')
    assert.deepEqual(texts(await claim(passing, 1)), ['one'])
    await passing.close({ sessionExpiryInterval: 0, sentThrough: 1 })
    assert.deepEqual(texts(await claim(staying)), ['one', 'two'])
  })

  define('ends a group with its last member', async bench => {
    const member = await join(bench, 'member')
    await bench.publish('one')
    assert.deepEqual(await bench.store.unsubscribe(member.handle, [group]), [true])
    await member.subscribe({ filter: group })
    assert.deepEqual(await claim(member), [])
  })

  define('puts unacknowledged messages back to the front, in order, and announces them', async bench => {
    const leaving = await join(bench, 'leaving')
    const staying = await join(bench, 'staying')
    await bench.publish('one', 'two', 'three', 'four')
    assert.equal((await claim(leaving, 3)).length, 3)
    await bench.store.acknowledge(leaving.handle, 2)
    await bench.soon(() => assert.equal(bench.ready.length, 4))
    bench.ready.length = 0
    await leaving.close({ sentThrough: 3 })
    await bench.soon(() => assert.ok(bench.ready.includes(group)))
    assert.deepEqual(texts(await claim(staying)), ['one', 'three', 'four'])
    assert.deepEqual(await (await bench.connect('leaving')).read(), [])
  })

  define(
    // [MQTT5-4.8.2-4]
    'leaves QoS 2 messages that were sent with their session, and puts the others back',
    async bench => {
      const leaving = await join(bench, 'leaving')
      const staying = await join(bench, 'staying')
      for (const text of ['one', 'two']) await bench.store.publish(bench.message({ qos: 2, text }))
      await claim(leaving)
      await leaving.close({ sentThrough: 1 })
      assert.deepEqual(texts(await claim(staying)), ['two'])
      const resumed = await bench.connect('leaving')
      assert.deepEqual(texts(await resumed.read()), ['one'])
      await bench.store.acknowledge(resumed.handle, 1)
      await resumed.close({ sentThrough: 1 })
      assert.deepEqual(await claim(staying), [])
    },
  )

  // [MQTT5-4.8.2-5]
  define('ends QoS 2 messages that were sent with their session', async bench => {
    const staying = await join(bench, 'staying')
    const leaving = await join(bench, 'leaving')
    await bench.store.publish(bench.message({ qos: 2 }))
    await claim(leaving)
    await leaving.close({ sessionExpiryInterval: 0, sentThrough: 1 })
    assert.deepEqual(await claim(staying), [])
    const expiring = await join(bench, 'expiring')
    await bench.store.publish(bench.message({ qos: 2 }))
    await claim(expiring)
    await expiring.close({ sessionExpiryInterval: 5, sentThrough: 1 })
    bench.clock.advance(5000)
    await bench.store.claimDue(10)
    assert.deepEqual(await claim(staying), [])
  })

  define('puts messages back when a clean start ends the session that claimed them', async bench => {
    const staying = await join(bench, 'staying')
    const leaving = await join(bench, 'leaving')
    await bench.publish('one')
    await claim(leaving)
    await bench.connect('leaving', { cleanStart: true })
    assert.deepEqual(texts(await claim(staying)), ['one'])
  })

  define('lets the session keep what it claimed when it is taken over', async bench => {
    const first = await join(bench, 'member')
    await bench.publish('one')
    await claim(first)
    const second = await bench.connect('member')
    assert.deepEqual(texts(await second.read()), ['one'])
    assert.equal(second.opened.sentThrough, 1)
    assert.deepEqual(await claim(second), [])
  })

  define('drops expired messages of a group and says so', async bench => {
    const member = await join(bench, 'member')
    await bench.store.publish(bench.message({ text: 'one', expiresAt: bench.clock.now() + 1000 }))
    await bench.publish('two')
    bench.clock.advance(1000)
    assert.deepEqual(texts(await claim(member)), ['two'])
    await bench.soon(() => assert.deepEqual(bench.drops, [{ queue: group, reason: 'expired', count: 1 }]))
  })

  define('resumes a membership with its session', async bench => {
    const first = await join(bench, 'member')
    await first.close()
    const { opened } = await bench.connect('member')
    assert.deepEqual(
      opened.subscriptions.map(({ filter }) => filter),
      [group],
    )
  })
}

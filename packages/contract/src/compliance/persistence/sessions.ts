import assert from 'node:assert/strict'
import { SESSION_NEVER_EXPIRES } from '../../persistence.ts'
import type { DefineStoreTest } from './bench.ts'
import { refused, sequences, texts } from './bench.ts'
import { everySessionCall } from './every-call.ts'

const century = 100 * 366 * 24 * 3600 * 1000

/** Tests of `openSession`, `closeSession` and of who owns a session. */
export function sessionTests(define: DefineStoreTest): void {
  define('makes a session that was not there, empty', async bench => {
    const { opened } = await bench.connect('client')
    assert.equal(opened.handle.clientId, 'client')
    assert.equal(opened.present, false)
    assert.deepEqual([...opened.subscriptions], [])
    assert.deepEqual([...opened.received], [])
    assert.equal(opened.sentThrough, 0)
    assert.equal(opened.lastSequence, 0)
    assert.equal(opened.dueWill, undefined)
  })

  define('resumes a session with its subscriptions, queue, received ids and sequences', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a', qos: 1 }, { filter: 'b/#', noLocal: true, subscriptionIdentifier: 9 })
    await bench.publish('one', 'two')
    await bench.store.publish(bench.message({ topic: 'z', qos: 2 }), { session: first.handle, packetId: 77 })
    await first.close({ sentThrough: 1 })
    const second = await bench.connect('client')
    const { opened } = second
    assert.equal(opened.present, true)
    assert.deepEqual(
      [...opened.subscriptions].sort((one, other) => one.filter.localeCompare(other.filter)),
      [
        {
          filter: 'a',
          qos: 1,
          noLocal: false,
          retainAsPublished: false,
          retainHandling: 0,
          subscriptionIdentifier: undefined,
        },
        {
          filter: 'b/#',
          qos: 2,
          noLocal: true,
          retainAsPublished: false,
          retainHandling: 0,
          subscriptionIdentifier: 9,
        },
      ],
    )
    assert.deepEqual(opened.received, [77])
    assert.equal(opened.sentThrough, 1)
    assert.equal(opened.lastSequence, 2)
    assert.deepEqual(texts(await second.read()), ['one', 'two'])
  })

  // [MQTT5-3.1.2-4]
  define('ends an existing session at a clean start', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    await bench.publish('one')
    await bench.store.publish(bench.message({ topic: 'z', qos: 2 }), { session: first.handle, packetId: 77 })
    await first.close({ sentThrough: 1 })
    const second = await bench.connect('client', { cleanStart: true })
    assert.equal(second.opened.present, false)
    assert.deepEqual([...second.opened.subscriptions], [])
    assert.deepEqual([...second.opened.received], [])
    assert.equal(second.opened.sentThrough, 0)
    await bench.publish('two')
    assert.deepEqual(await second.read(), [])
  })

  define('gives each opening an epoch of its own', async bench => {
    const epochs = new Set<string>()
    for (const cleanStart of [false, false, true, false]) {
      const { handle } = await bench.connect('client', { cleanStart })
      epochs.add(handle.epoch)
    }
    assert.equal(epochs.size, 4)
  })

  define('tells the previous owner, and only that one, that it was fenced', async bench => {
    const bystander = await bench.connect('bystander')
    const first = await bench.connect('client')
    const second = await bench.connect('client')
    const third = await bench.connect('client', { cleanStart: true })
    const owners = [bystander, first, second, third].map(({ owner }) => owner)
    await bench.soon(() => {
      assert.deepEqual(
        owners.map(({ fencedCount }) => fencedCount),
        [0, 1, 1, 0],
      )
    })
  })

  define('fences nobody when a closed session is opened', async bench => {
    const first = await bench.connect('client')
    await first.close()
    await bench.connect('client')
    await bench.soon(() => assert.equal(first.owner.fencedCount, 0))
  })

  define('refuses every call with an older handle with FENCED and changes nothing', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    await bench.publish('one')
    await bench.store.publish(bench.message({ qos: 2, text: 'two' }), { session: first.handle, packetId: 5 })
    const second = await bench.connect('client', { will: bench.will({ clientId: 'client' }) })
    for (const call of Object.values(everySessionCall(bench, first.handle))) await refused('FENCED', call)
    const entries = await second.read()
    assert.deepEqual(texts(entries), ['one', 'two'])
    assert.ok(entries.every(entry => !entry.released))
    assert.deepEqual(await bench.retained('#'), [])
    assert.notEqual(await second.close(), undefined)
    const third = await bench.connect('client')
    assert.equal(third.opened.present, true)
    assert.deepEqual(third.opened.received, [5])
    assert.deepEqual(
      third.opened.subscriptions.map(({ filter }) => filter),
      ['a'],
    )
  })

  define('refuses the handle of a closed session and of one that never was', async bench => {
    const client = await bench.connect('client')
    await client.close()
    const unknown = { clientId: 'nobody', epoch: client.handle.epoch }
    for (const handle of [client.handle, unknown]) {
      for (const call of Object.values(everySessionCall(bench, handle))) await refused('FENCED', call)
    }
  })

  define('delivers nothing to the owner once the session is closed', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await client.close()
    await bench.publish('one')
    await bench.soon(() => assert.deepEqual(client.owner.taken, []))
    assert.deepEqual(texts(await (await bench.connect('client')).read()), ['one'])
  })

  define('ends a session that is closed with interval 0', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    await first.close({ sessionExpiryInterval: 0 })
    const second = await bench.connect('client')
    assert.equal(second.opened.present, false)
    await bench.publish('one')
    assert.deepEqual(await second.read(), [])
    assert.deepEqual(await bench.store.claimDue(10), [])
  })

  define('takes the interval of closing in the place of the one of opening', async bench => {
    const first = await bench.connect('client', { sessionExpiryInterval: 1000 })
    await first.close({ sessionExpiryInterval: 10 })
    bench.clock.advance(9_999)
    const second = await bench.connect('client')
    assert.equal(second.opened.present, true)
    await second.close({ sessionExpiryInterval: 10 })
    bench.clock.advance(10_000)
    assert.equal((await bench.connect('client')).opened.present, false)
  })

  define('never ends an open session, nor one with SESSION_NEVER_EXPIRES', async bench => {
    const open = await bench.connect('open', { sessionExpiryInterval: 1 })
    const closed = await bench.connect('closed', { sessionExpiryInterval: SESSION_NEVER_EXPIRES })
    await closed.close({ sessionExpiryInterval: SESSION_NEVER_EXPIRES })
    bench.clock.advance(century)
    assert.deepEqual(await bench.store.claimDue(10), [])
    assert.deepEqual(await open.subscribe({ filter: 'a' }), [false])
    assert.equal((await bench.connect('closed')).opened.present, true)
  })

  define('passes a session with interval 0 by when publishing, and ends it at the next opening', async bench => {
    const first = await bench.connect('client', { sessionExpiryInterval: 0 })
    assert.deepEqual(await first.subscribe({ filter: 'a' }), [false])
    assert.deepEqual(await first.subscribe({ filter: 'a' }), [true])
    await bench.publish('one')
    await bench.soon(() => assert.deepEqual(first.owner.taken, []))
    assert.deepEqual(await first.read(), [])
    const second = await bench.connect('client')
    assert.equal(second.opened.present, false)
    assert.equal(first.owner.fencedCount, 1)
    assert.deepEqual([...second.opened.subscriptions], [])
  })

  define('keeps what was queued when a session is resumed with interval 0, and adds nothing', async bench => {
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    await bench.publish('one')
    await first.close()
    const second = await bench.connect('client', { sessionExpiryInterval: 0 })
    assert.equal(second.opened.present, true)
    await bench.publish('two')
    assert.deepEqual(texts(await second.read()), ['one'])
  })

  define('counts what a fenced owner had taken as sent', async bench => {
    const first = await bench.connect('client', { room: 2 })
    await first.subscribe({ filter: 'a' })
    await bench.publish('one', 'two', 'three')
    await bench.soon(() => assert.deepEqual(texts(first.owner.taken), ['one', 'two']))
    const second = await bench.connect('client')
    assert.deepEqual(sequences(await second.read()), [1, 2, 3])
    assert.equal(second.opened.sentThrough, 2)
    assert.equal(second.opened.lastSequence, 3)
  })

  define('keeps sessions of different clients apart, whatever their names', async bench => {
    const names = ['__proto__', 'constructor', '', 'é', 'a/b', '{x}:1', 'a b']
    for (const name of names) await (await bench.connect(name)).subscribe({ filter: name === '' ? 'empty' : name })
    for (const name of names) {
      const { opened } = await bench.connect(name)
      assert.equal(opened.present, true)
      assert.deepEqual(
        opened.subscriptions.map(({ filter }) => filter),
        [name === '' ? 'empty' : name],
      )
    }
  })
}

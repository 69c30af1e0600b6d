import assert from 'node:assert/strict'
import type { PersistenceSupports } from '../../persistence.ts'
import type { DefineStoreTest } from './bench.ts'
import { RecordingOwner, refused, texts } from './bench.ts'

/** Tests of two brokers on the same data. */
export function secondBrokerTests(define: DefineStoreTest, supports: PersistenceSupports): void {
  define('fences the owner at another broker', async bench => {
    const other = await bench.second()
    const first = await bench.connect('client')
    await first.subscribe({ filter: 'a' })
    const second = await bench.connect('client', {}, other)
    assert.equal(second.opened.present, true)
    await bench.soon(() => assert.equal(first.owner.fencedCount, 1))
    await refused('FENCED', async () => first.subscribe({ filter: 'b' }))
    await bench.publish('one')
    await bench.soon(() => {
      assert.deepEqual(first.owner.taken, [])
      assert.deepEqual(texts(second.owner.taken), ['one'])
    })
  })

  define('queues, retains and offers what another broker publishes', async bench => {
    const other = await bench.second()
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await other.publish(bench.message({ text: 'one', retain: true }))
    await bench.soon(() => assert.deepEqual(texts(client.owner.taken), ['one']))
    assert.deepEqual(texts(await client.read()), ['one'])
    assert.deepEqual(texts(await bench.retained('a')), ['one'])
  })

  define('returns each deadline to one broker only', async bench => {
    const other = await bench.second()
    for (let index = 0; index < 20; index += 1) await (await bench.connect(`client ${index}`)).close()
    bench.clock.advance(100_000)
    const claims: Promise<number>[] = []
    for (let round = 0; round < 10; round += 1) {
      for (const store of [bench.store, other]) claims.push((async () => (await store.claimDue(4)).length)())
    }
    const claimed = await Promise.all(claims)
    assert.equal(
      claimed.reduce((sum, count) => sum + count, 0),
      20,
    )
  })

  define('returns a will again whose broker does not confirm it, to any broker, until one does', async bench => {
    const other = await bench.second()
    assert.ok(other.confirmWill !== undefined)
    const wait = { clientId: 'delayed', delayInterval: 10 }
    await (await bench.connect('delayed', { will: bench.will(wait) })).close()
    await (await bench.connect('ended', { will: bench.will({ clientId: 'ended' }) })).closeUnconfirmed()
    await bench.connect('taken over', { will: bench.will({ clientId: 'taken over' }) })
    const { dueWill } = await bench.store.openSession({
      clientId: 'taken over',
      cleanStart: false,
      sessionExpiryInterval: 100,
      will: undefined,
      owner: new RecordingOwner(),
    })
    assert.equal(dueWill?.clientId, 'taken over')
    bench.clock.advance(10_000)
    assert.equal((await bench.store.claimDue(10)).length, 1)
    bench.clock.advance(19_999)
    assert.deepEqual(await other.claimDue(10), [])
    for (const store of [other, bench.store]) {
      bench.clock.advance(30_000)
      const found = (await store.claimDue(10)).flatMap(one => (one.kind === 'will' ? [one.will.clientId] : []))
      assert.deepEqual(found.sort(), ['delayed', 'ended', 'taken over'])
    }
    bench.clock.advance(30_000)
    for (const one of await other.claimDue(10)) if (one.kind === 'will') await other.confirmWill(one.will)
    bench.clock.advance(1_000_000)
    const due = [...(await other.claimDue(10)), ...(await bench.store.claimDue(10))]
    assert.deepEqual(
      due.filter(({ kind }) => kind === 'will'),
      [],
    )
  })

  define('stores a will once, though it comes back and is published again, if the store can', async bench => {
    const other = await bench.second()
    if (other.publishWill === undefined || bench.store.publishWill === undefined) return
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'will' })
    const ended = await bench.connect('ended', { will: bench.will({ clientId: 'ended' }) })
    const first = await ended.closeUnconfirmed()
    assert.ok(first !== undefined)
    assert.equal(await bench.store.publishWill(first, first.message), 1)
    bench.clock.advance(30_000)
    const [second] = await other.claimDue(10)
    assert.ok(second?.kind === 'will')
    assert.equal(await other.publishWill(second.will, second.will.message), 0)
    await other.confirmWill?.(second.will)
    assert.equal(await bench.store.publishWill(first, first.message), 0)
    await bench.soon(() => assert.deepEqual(texts(client.owner.taken), ['gone']))
  })

  define('stores a will that could not be stored at first', async bench => {
    const other = await bench.second()
    if (other.publishWill === undefined) return
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'will' })
    await (await bench.connect('ended', { will: bench.will({ clientId: 'ended' }) })).closeUnconfirmed()
    for (const stored of [1, 0]) {
      bench.clock.advance(30_000)
      const [due] = await other.claimDue(10)
      assert.ok(due?.kind === 'will')
      assert.equal(await other.publishWill(due.will, due.will.message), stored)
    }
    await bench.soon(() => assert.deepEqual(texts(client.owner.taken), ['gone']))
  })

  taskTests(define, supports)
  if (!supports.sharedSubscriptions) return

  define('gives each message of a group to a member at one broker only', async bench => {
    const other = await bench.second()
    const members = [await bench.connect('here'), await bench.connect('there', {}, other)]
    for (const member of members) await member.subscribe({ filter: '$share/g/a' })
    const order = Array.from({ length: 20 }, (_, index) => `${index}`)
    await bench.publish(...order)
    const claims = await Promise.all(
      members.map(async member => {
        const claimed: string[] = []
        for (;;) {
          const entries = await member.store.claim(member.handle, '$share/g/a', 3)
          if (entries.length === 0) return claimed
          claimed.push(...texts(entries))
        }
      }),
    )
    assert.deepEqual(claims.flat().sort(), [...order].sort())
  })
}

function taskTests(define: DefineStoreTest, supports: PersistenceSupports): void {
  if (supports.tasks !== true) {
    define('gives no tasks to brokers', async ({ store }) => {
      assert.equal('holdTask' in store, false)
      assert.equal('giveUpTask' in store, false)
    })
    return
  }

  define('gives a task to one broker, which keeps it until it gives it up', async bench => {
    const { store } = bench
    const other = await bench.second()
    assert.equal(await store.holdTask?.('one'), true)
    assert.equal(await store.holdTask?.('one'), true)
    assert.equal(await other.holdTask?.('one'), false)
    assert.equal(await other.holdTask?.('two'), true)
    await other.giveUpTask?.('one')
    assert.equal(await other.holdTask?.('one'), false)
    await store.giveUpTask?.('one')
    assert.equal(await other.holdTask?.('one'), true)
    assert.equal(await store.holdTask?.('one'), false)
  })

  define('gives the tasks of a broker that has closed to the next one that asks', async bench => {
    const { store } = bench
    const other = await bench.second()
    assert.equal(await other.holdTask?.('one'), true)
    await other.close()
    assert.equal(await store.holdTask?.('one'), true)
  })
}

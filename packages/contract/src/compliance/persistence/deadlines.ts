import assert from 'node:assert/strict'
import type { DefineStoreTest } from './bench.ts'

/** Tests of `claimDue`. */
export function deadlineTests(define: DefineStoreTest): void {
  define('returns nothing when nothing is due', async bench => {
    assert.deepEqual(await bench.claimDue(10), [])
    const client = await bench.connect('client')
    await client.close({ sessionExpiryInterval: 10 })
    bench.clock.advance(9_999)
    assert.deepEqual(await bench.claimDue(10), [])
  })

  define('returns an expired session once, with everything of it gone', async bench => {
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await bench.publish('one')
    await client.close({ sessionExpiryInterval: 10 })
    bench.clock.advance(10_000)
    assert.deepEqual(await bench.claimDue(10), [{ kind: 'sessionExpired', clientId: 'client' }])
    assert.deepEqual(await bench.claimDue(10), [])
    const second = await bench.connect('client')
    assert.equal(second.opened.present, false)
    assert.deepEqual([...second.opened.subscriptions], [])
    await bench.publish('two')
    assert.deepEqual(await second.read(), [])
  })

  define('returns at most `limit` deadlines, and the others by the next calls', async bench => {
    const names = Array.from({ length: 7 }, (_, index) => `client ${index}`)
    for (const name of names) {
      const client = await bench.connect(name, { will: bench.will({ clientId: name, delayInterval: 5 }) })
      await client.close({ sessionExpiryInterval: 10 })
    }
    bench.clock.advance(20_000)
    const found: string[] = []
    for (;;) {
      const due = await bench.claimDue(3)
      assert.ok(due.length <= 3)
      if (due.length === 0) break
      for (const one of due) found.push(one.kind === 'will' ? `will of ${one.will.clientId}` : one.clientId)
    }
    assert.deepEqual(found.sort(), [...names, ...names.map(name => `will of ${name}`)].sort())
  })

  define('does not let a deadline of an earlier closing end a session that was opened since', async bench => {
    const first = await bench.connect('client')
    await first.close({ sessionExpiryInterval: 10 })
    const second = await bench.connect('client')
    bench.clock.advance(10_000)
    assert.deepEqual(await bench.claimDue(10), [])
    await second.close({ sessionExpiryInterval: 100 })
    bench.clock.advance(99_999)
    assert.deepEqual(await bench.claimDue(10), [])
    bench.clock.advance(1)
    assert.equal((await bench.claimDue(10)).length, 1)
  })

  define('does not answer the expiry of a session that was replaced unnoticed', async bench => {
    const first = await bench.connect('client')
    await first.close({ sessionExpiryInterval: 10 })
    bench.clock.advance(10_000)
    const second = await bench.connect('client')
    assert.equal(second.opened.present, false)
    assert.deepEqual(await bench.claimDue(10), [])
    assert.deepEqual(await second.read(), [])
  })
}

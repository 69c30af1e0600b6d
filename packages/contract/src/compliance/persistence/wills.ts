import assert from 'node:assert/strict'
import type { Will } from '../../persistence.ts'
import type { Bench, DefineStoreTest } from './bench.ts'

/** The clients of the wills that are due now. */
async function dueWills(bench: Bench): Promise<string[]> {
  const due = await bench.claimDue(100)
  return due.flatMap(one => (one.kind === 'will' ? [one.will.clientId] : []))
}

function assertSame(actual: Will | undefined, expected: Will): void {
  assert.ok(actual !== undefined)
  assert.equal(actual.clientId, expected.clientId)
  assert.equal(actual.delayInterval, expected.delayInterval)
  assert.equal(actual.messageExpiryInterval, expected.messageExpiryInterval)
  assert.equal(actual.message.topic, expected.message.topic)
  assert.equal(actual.message.payload.toString(), 'gone')
}

/** Tests of wills. MQTT 5.0 §3.1.2.5, §3.1.3.2.2 */
export function willTests(define: DefineStoreTest): void {
  const clientId = 'client'

  // [MQTT5-3.1.2-10]
  define('returns a will without delay when its connection ends, once', async bench => {
    const will = bench.will({ clientId })
    const first = await bench.connect(clientId, { will })
    assertSame(await first.close(), will)
    const second = await bench.connect(clientId)
    assert.equal(second.opened.dueWill, undefined)
    assert.equal(await second.close(), undefined)
    bench.clock.advance(1_000_000)
    assert.deepEqual(await dueWills(bench), [])
  })

  // [MQTT5-3.14.4-3]
  define('returns no will when there is none, or when it is discarded', async bench => {
    const without = await bench.connect('without')
    assert.equal(await without.close(), undefined)
    for (const delayInterval of [0, 10]) {
      const client = await bench.connect(clientId, { will: bench.will({ clientId, delayInterval }) })
      assert.equal(await client.close({ will: 'discard' }), undefined)
      bench.clock.advance(10_000)
      assert.deepEqual(await dueWills(bench), [])
      assert.equal((await bench.connect(clientId)).opened.dueWill, undefined)
    }
  })

  // [MQTT5-3.1.2-8]
  define('returns a delayed will when its delay is over, not before, and once', async bench => {
    const will = bench.will({ clientId, delayInterval: 10 })
    const client = await bench.connect(clientId, { will })
    assert.equal(await client.close(), undefined)
    bench.clock.advance(9_999)
    assert.deepEqual(await bench.claimDue(10), [])
    bench.clock.advance(1)
    const [due] = await bench.claimDue(10)
    assert.equal(due?.kind, 'will')
    assertSame(due.will, will)
    assert.deepEqual(await bench.claimDue(10), [])
    assert.equal((await bench.connect(clientId)).opened.dueWill, undefined)
  })

  define('returns a delayed will at once when the session ends with its connection', async bench => {
    for (const sessionExpiryInterval of [0, 100]) {
      const will = bench.will({ clientId, delayInterval: 10 })
      const client = await bench.connect(clientId, { sessionExpiryInterval, will })
      assertSame(await client.close({ sessionExpiryInterval: 0 }), will)
      bench.clock.advance(10_000)
      assert.deepEqual(await dueWills(bench), [])
    }
  })

  define('makes a will due when the session expires before its delay is over', async bench => {
    const client = await bench.connect(clientId, { will: bench.will({ clientId, delayInterval: 1000 }) })
    assert.equal(await client.close({ sessionExpiryInterval: 10 }), undefined)
    bench.clock.advance(10_000)
    const due = await bench.claimDue(10)
    assert.deepEqual(
      due.map(({ kind }) => kind),
      ['will', 'sessionExpired'],
    )
  })

  // [MQTT5-3.1.3-9]
  define('drops a waiting will when the session goes on in time', async bench => {
    const first = await bench.connect(clientId, { will: bench.will({ clientId, delayInterval: 10 }) })
    await first.close()
    bench.clock.advance(9_999)
    const second = await bench.connect(clientId)
    assert.equal(second.opened.dueWill, undefined)
    bench.clock.advance(10_000)
    assert.deepEqual(await dueWills(bench), [])
    assert.equal(await second.close(), undefined)
  })

  define('returns a waiting will as due when a clean start ends its session', async bench => {
    const will = bench.will({ clientId, delayInterval: 10 })
    const first = await bench.connect(clientId, { will })
    await first.close()
    const second = await bench.connect(clientId, { cleanStart: true })
    assertSame(second.opened.dueWill, will)
    bench.clock.advance(10_000)
    assert.deepEqual(await dueWills(bench), [])
  })

  define('returns a will whose delay passed unnoticed as due when the session is opened', async bench => {
    const will = bench.will({ clientId, delayInterval: 10 })
    const first = await bench.connect(clientId, { will })
    await first.close()
    bench.clock.advance(10_000)
    const second = await bench.connect(clientId)
    assert.equal(second.opened.present, true)
    assertSame(second.opened.dueWill, will)
    assert.deepEqual(await dueWills(bench), [])
  })

  define(
    'returns the will of a connection that is taken over unless it waits for a session that goes on',
    async bench => {
      for (const [delayInterval, cleanStart, isDue] of [
        [0, false, true],
        [10, false, false],
        [10, true, true],
      ] as const) {
        await bench.connect(clientId, { will: bench.will({ clientId, delayInterval }), cleanStart: true })
        const taking = await bench.connect(clientId, { cleanStart })
        assert.equal(taking.opened.dueWill !== undefined, isDue)
        await taking.close({ sessionExpiryInterval: 0 })
      }
    },
  )

  define('has the will of the last connection only', async bench => {
    await bench.connect(clientId, { will: bench.will({ clientId, delayInterval: 5, messageExpiryInterval: 1 }) })
    const second = await bench.connect(clientId, { will: bench.will({ clientId, messageExpiryInterval: 2 }) })
    assert.equal((await second.close())?.messageExpiryInterval, 2)
  })

  define('keeps a will’s bytes as its own', async bench => {
    const will = bench.will({ clientId })
    const client = await bench.connect(clientId, { will })
    will.message.payload.fill(0)
    assert.equal((await client.close())?.message.payload.toString(), 'gone')
  })
}

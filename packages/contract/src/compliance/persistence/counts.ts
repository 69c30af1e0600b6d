import assert from 'node:assert/strict'
import type { DefineStoreTest } from './bench.ts'

/** Tests of `counts`. */
export function countTests(define: DefineStoreTest): void {
  define('counts what is stored, and nothing when all is gone', async bench => {
    const nothing = { sessions: 0, subscriptions: 0, queuedMessages: 0, retainedMessages: 0 }
    assert.deepEqual({ ...(await bench.store.counts()) }, nothing)
    const client = await bench.connect('client')
    const offline = await bench.connect('offline')
    await bench.connect('passing', { sessionExpiryInterval: 0 })
    await client.subscribe({ filter: 'a' }, { filter: 'b' })
    await offline.subscribe({ filter: 'a' })
    await offline.close()
    await bench.publish('one', 'two')
    await bench.store.publish(bench.message({ topic: 'kept', retain: true }))
    await bench.store.acknowledge(client.handle, 1)
    await bench.settle()
    const expected = { sessions: 2, subscriptions: 3, queuedMessages: 3, retainedMessages: 1 }
    assert.deepEqual({ ...(await bench.store.counts()) }, expected)
    await client.close({ sessionExpiryInterval: 0 })
    await bench.connect('offline', { cleanStart: true, sessionExpiryInterval: 0 })
    await bench.store.publish(bench.message({ topic: 'kept', retain: true, text: '' }))
    await bench.settle()
    assert.deepEqual({ ...(await bench.store.counts()) }, nothing)
  })
}

import assert from 'node:assert/strict'
import type { PersistenceCounts } from '../../persistence-counts.ts'
import type { Bench, DefineStoreTest } from './bench.ts'

/** Bytes apart, which a store need not count; those that it counts are there when, and only when, something is kept. */
async function counted(bench: Bench): Promise<PersistenceCounts> {
  const { queuedBytes, retainedBytes, willBytes, ...counts } = await bench.store.counts()
  if (retainedBytes !== undefined) assert.equal(retainedBytes > 0, counts.retainedMessages > 0)
  if (counts.queuedMessages === 0) assert.ok(queuedBytes === undefined || queuedBytes === 0)
  assert.ok(willBytes === undefined || willBytes === 0)
  return counts
}

/** Tests of `counts`. */
export function countTests(define: DefineStoreTest): void {
  define('counts what is stored, and nothing when all is gone', async bench => {
    const nothing = { sessions: 0, subscriptions: 0, queuedMessages: 0, retainedMessages: 0 }
    assert.deepEqual(await counted(bench), nothing)
    const client = await bench.connect('client')
    const offline = await bench.connect('offline')
    await bench.connect('passing', { sessionExpiryInterval: 0 })
    await client.subscribe({ filter: 'a' }, { filter: 'b' })
    await offline.subscribe({ filter: 'a' })
    await offline.close()
    await bench.publish('one', 'two')
    await bench.store.publish(bench.message({ topic: 'kept', retain: true }))
    await bench.store.acknowledge(client.handle, 1)
    const expected = { sessions: 2, subscriptions: 3, queuedMessages: 3, retainedMessages: 1 }
    await bench.soon(async () => assert.deepEqual(await counted(bench), expected))
    await client.close({ sessionExpiryInterval: 0 })
    await bench.connect('offline', { cleanStart: true, sessionExpiryInterval: 0 })
    await bench.store.publish(bench.message({ topic: 'kept', retain: true, text: '' }))
    await bench.soon(async () => assert.deepEqual(await counted(bench), nothing))
  })
}

import assert from 'node:assert/strict'
import type { DefineStoreTest } from './bench.ts'
import { refused, texts } from './bench.ts'

/** Tests of a store that declares to have no shared subscriptions. */
export function unsharedTests(define: DefineStoreTest): void {
  define('refuses shared subscriptions with NOT_SUPPORTED, and those asked for with them', async bench => {
    const client = await bench.connect('client')
    await refused('NOT_SUPPORTED', async () => client.subscribe({ filter: 'b' }, { filter: '$share/g/a' }))
    await bench.publish('one')
    await bench.store.publish(bench.message({ topic: 'b' }))
    assert.deepEqual(texts(await client.read()), [])
    assert.deepEqual(await client.subscribe({ filter: 'b' }), [false])
  })
}

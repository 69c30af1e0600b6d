import assert from 'node:assert/strict'
import { messageOverhead } from '../../message.ts'
import type { StoreLimits } from '../../persistence.ts'
import type { Bench } from './bench.ts'
import { refused, texts } from './bench.ts'

/** What a message takes whose topic is `a` and whose payload has nine bytes. */
const size = messageOverhead + 10

async function connectWithWill(bench: Bench, clientId: string, delayInterval = 0): Promise<void> {
  const message = bench.message({ topic: 'w', text: '123456789' })
  await bench.connect(clientId, { will: bench.will({ clientId, message, delayInterval }) })
}

/** Defines a test with limits of its own. */
export type DefineLimitTest = (
  title: string,
  limits: Partial<StoreLimits>,
  run: (bench: Bench) => Promise<void>,
) => void

/** Tests of what `StoreLimits` has beside the limits of each queue. */
export function storeLimitTests(define: DefineLimitTest): void {
  define('keeps all queues together to maximumTotalQueuedBytes', { maximumTotalQueuedBytes: 3 * size }, async bench => {
    const [one, other] = [await bench.connect('one', { room: 0 }), await bench.connect('other', { room: 0 })]
    await one.subscribe({ filter: 'a' })
    await other.subscribe({ filter: 'b' })
    await bench.publish('000000001', '000000002', '000000003')
    await bench.store.publish(bench.message({ topic: 'b', text: '000000004' }))
    await bench.store.publish(bench.message({ topic: 'b', text: '000000005' }))
    assert.deepEqual(texts(await other.read()), ['000000004', '000000005'].slice(-2))
    assert.deepEqual(texts(await one.read()), ['000000003'])
    await bench.soon(() =>
      assert.deepEqual([...new Set(bench.drops.map(({ queue, reason }) => `${queue} ${reason}`))], ['one queueFull']),
    )
  })

  define('refuses a will beyond maximumWillBytes, and changes nothing', { maximumWillBytes: 2 * size }, async bench => {
    await connectWithWill(bench, 'one')
    await connectWithWill(bench, 'two')
    await refused('QUOTA_EXCEEDED', () => connectWithWill(bench, 'three'))
    await bench.connect('three')
    await connectWithWill(bench, 'two')
    await bench.connect('one')
    await connectWithWill(bench, 'three')
    await refused('QUOTA_EXCEEDED', () => connectWithWill(bench, 'one'))
  })

  define('counts delayed wills until they are due', { maximumWillBytes: size }, async bench => {
    const message = bench.message({ topic: 'w', text: '123456789' })
    const first = await bench.connect('one', { will: bench.will({ clientId: 'one', message, delayInterval: 10 }) })
    await first.close()
    await refused('QUOTA_EXCEEDED', () => connectWithWill(bench, 'two'))
    bench.clock.advance(10_000)
    await connectWithWill(bench, 'two')
    assert.deepEqual(
      (await bench.claimDue(10)).map(({ kind }) => kind),
      ['will'],
    )
  })

  define(
    'refuses what one client retains beyond its share, and takes nothing from the others',
    { maximumRetainedMessagesPerClient: 2, maximumRetainedBytesPerClient: 3 * size },
    async bench => {
      const retain = async (topic: string, publisher: string | undefined, text = '123456789'): Promise<unknown> =>
        bench.store.publish(bench.message({ topic, text, qos: 0, retain: true, publisher }))
      await retain('a', 'one')
      await retain('b', 'one')
      await refused('QUOTA_EXCEEDED', () => retain('c', 'one'))
      await refused('QUOTA_EXCEEDED', () => retain('a', 'one', 'x'.repeat(3 * size)))
      await retain('c', 'other')
      await retain('d', undefined)
      await retain('a', 'one', 'new')
      assert.deepEqual(texts(await bench.retained('a')), ['new'])
      await retain('a', 'other')
      await retain('e', 'one')
      await retain('b', 'one', '')
      await retain('f', 'one')
      await refused('QUOTA_EXCEEDED', () => retain('g', 'other'))
    },
  )

  define(
    'counts what has expired against no limit',
    { maximumRetainedMessagesPerClient: 1, maximumWillBytes: size },
    async bench => {
      const expiresAt = bench.clock.now() + 1000
      await bench.store.publish(bench.message({ topic: 'a', retain: true, expiresAt }))
      await refused('QUOTA_EXCEEDED', () => bench.store.publish(bench.message({ topic: 'b', retain: true })))
      bench.clock.advance(1000)
      await bench.store.publish(bench.message({ topic: 'b', text: 'b', retain: true }))
      assert.deepEqual(texts(await bench.retained('#')), ['b'])
    },
  )

  define('frees queued messages that have expired, and keeps the others', { maximumQueuedMessages: 2 }, async bench => {
    const client = await bench.connect('client', { room: 0 })
    await client.subscribe({ filter: 'a' }, { filter: '$share/g/a' })
    const expiresAt = bench.clock.now() + 1000
    await bench.publish('stays')
    await bench.store.publish(bench.message({ text: 'goes', expiresAt }))
    bench.clock.advance(1000)
    await bench.publish('comes')
    const entries = [...(await client.read()), ...(await bench.store.claim(client.handle, '$share/g/a', 10))]
    assert.deepEqual(texts(entries), ['stays', 'comes', 'stays', 'comes'])
    for (const { sequence } of entries) await bench.store.acknowledge(client.handle, sequence)
    await client.close()
    await bench.store.publish(bench.message({ text: 'goes, too', expiresAt: bench.clock.now() + 5000 }))
    assert.equal((await bench.store.counts()).queuedMessages, 2)
    bench.clock.advance(5000)
    await bench.claimDue(10)
    assert.equal((await bench.store.counts()).queuedMessages, 0)
    assert.deepEqual([...new Set(bench.drops.map(({ reason }) => reason))], ['expired'])
  })
}

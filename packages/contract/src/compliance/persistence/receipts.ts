import assert from 'node:assert/strict'
import type { Bench, DefineStoreTest } from './bench.ts'
import { refused, texts } from './bench.ts'

const numerically = (one: number, other: number): number => one - other

/** The received ids of a session, by resuming it. */
async function received(bench: Bench, clientId: string): Promise<number[]> {
  const { opened } = await bench.connect(clientId)
  return [...opened.received].sort(numerically)
}

/** Tests of receipts: QoS 2 messages on their way in. MQTT 5.0 §4.3.3 */
export function receiptTests(define: DefineStoreTest): void {
  define('records the packet id of a receipt together with the message', async bench => {
    const subscriber = await bench.connect('subscriber')
    await subscriber.subscribe({ filter: 'a' })
    const publisher = await bench.connect('publisher')
    for (const packetId of [65_535, 1]) {
      await bench.store.publish(bench.message({ qos: 2, text: `${packetId}` }), { session: publisher.handle, packetId })
    }
    assert.deepEqual(texts(await subscriber.read()), ['65535', '1'])
    assert.deepEqual(await received(bench, 'publisher'), [1, 65_535])
    assert.deepEqual(await received(bench, 'subscriber'), [])
  })

  define('records a receipt also when nobody stores the message', async bench => {
    const publisher = await bench.connect('publisher')
    await bench.store.publish(bench.message({ qos: 2 }), { session: publisher.handle, packetId: 3 })
    assert.deepEqual(await received(bench, 'publisher'), [3])
  })

  define('stores nothing again when publish is repeated with its receipt', async bench => {
    const subscriber = await bench.connect('subscriber')
    await subscriber.subscribe({ filter: 'a' })
    const publisher = await bench.connect('publisher')
    const message = bench.message({ qos: 2, text: 'one' })
    for (let time = 0; time < 2; time += 1) {
      await bench.store.publish(message, { session: publisher.handle, packetId: 3 })
    }
    assert.deepEqual(texts(await subscriber.read()), ['one'])
  })

  define('stores a new message under a packet id that was completed', async bench => {
    const subscriber = await bench.connect('subscriber')
    await subscriber.subscribe({ filter: 'a' })
    const publisher = await bench.connect('publisher')
    for (const text of ['one', 'two']) {
      await bench.store.publish(bench.message({ qos: 2, text }), { session: publisher.handle, packetId: 3 })
      await bench.store.complete(publisher.handle, 3)
    }
    assert.deepEqual(texts(await subscriber.read()), ['one', 'two'])
    assert.deepEqual(await received(bench, 'publisher'), [])
  })

  define('completes as often as asked, and also what it never received', async bench => {
    const publisher = await bench.connect('publisher')
    for (const packetId of [1, 2]) {
      await bench.store.publish(bench.message({ qos: 2 }), { session: publisher.handle, packetId })
    }
    for (const packetId of [1, 1, 99]) await bench.store.complete(publisher.handle, packetId)
    assert.deepEqual(await received(bench, 'publisher'), [2])
  })

  define('refuses a receipt of an old handle with all that came with it', async bench => {
    const subscriber = await bench.connect('subscriber')
    await subscriber.subscribe({ filter: 'a' })
    const old = await bench.connect('publisher')
    await bench.connect('publisher')
    const message = bench.message({ qos: 2, retain: true })
    await refused('FENCED', () => bench.store.publish(message, { session: old.handle, packetId: 3 }))
    await bench.settle()
    assert.deepEqual(await subscriber.read(), [])
    assert.deepEqual(subscriber.owner.taken, [])
    assert.deepEqual(await bench.retained('#'), [])
    assert.deepEqual(await received(bench, 'publisher'), [])
  })

  define('records receipts of a session with interval 0 for as long as it lasts', async bench => {
    const subscriber = await bench.connect('subscriber')
    await subscriber.subscribe({ filter: 'a' })
    const publisher = await bench.connect('publisher', { sessionExpiryInterval: 0 })
    const message = bench.message({ qos: 2, text: 'one' })
    for (let time = 0; time < 2; time += 1) {
      await bench.store.publish(message, { session: publisher.handle, packetId: 3 })
    }
    assert.deepEqual(texts(await subscriber.read()), ['one'])
    assert.deepEqual(await received(bench, 'publisher'), [])
  })
}

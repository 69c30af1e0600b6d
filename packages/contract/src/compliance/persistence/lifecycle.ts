import assert from 'node:assert/strict'
import type { PersistenceSupports } from '../../persistence.ts'
import type { Bench, DefineStoreTest } from './bench.ts'
import { refused, texts } from './bench.ts'
import { everyCall } from './every-call.ts'

const unknown = { clientId: 'client', epoch: '1' }

/** Tests of `open`, `close` and what lies outside of them. They get a store that isn't open. */
export function lifecycleTests(define: DefineStoreTest, supports: PersistenceSupports): void {
  define('refuses every method with NOT_OPEN before it is open', async bench => {
    for (const call of Object.values(everyCall(bench, unknown))) await refused('NOT_OPEN', call)
  })

  define('refuses every method with NOT_OPEN while it is still opening', async bench => {
    const opening = bench.store.open(bench.host())
    // A store that opens at once has nothing in between.
    if (opening === undefined) return
    const refusals = Object.values(everyCall(bench, unknown)).map(call => refused('NOT_OPEN', call))
    await Promise.all([...refusals, opening])
  })

  define('refuses every method with NOT_OPEN after it was closed', async bench => {
    await bench.open()
    const { handle } = await bench.connect('client')
    await bench.store.close()
    for (const call of Object.values(everyCall(bench, handle))) await refused('NOT_OPEN', call)
  })

  define('refuses a second open with ALREADY_OPEN and goes on', async bench => {
    await bench.open()
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await refused('ALREADY_OPEN', () => bench.store.open(bench.host()))
    await bench.publish('one')
    assert.deepEqual(texts(await client.read()), ['one'])
  })

  define('closes any number of times, also when it was never open', async bench => {
    await bench.store.close()
    await bench.open()
    await bench.store.close()
    await bench.store.close()
  })

  define('delivers nothing to an owner after it was closed', async bench => {
    await bench.open()
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await bench.store.close()
    await bench.open()
    await bench.publish('one')
    await bench.soon(() => {
      assert.deepEqual(client.owner.taken, [])
      assert.equal(client.owner.fencedCount, 0)
    })
  })

  define('can be used again when it was closed and opened', async bench => {
    await bench.open()
    await bench.store.close()
    await bench.open()
    const client = await bench.connect('client')
    await client.subscribe({ filter: 'a' })
    await bench.publish('one')
    assert.deepEqual(texts(await client.read()), ['one'])
  })

  if (supports.durable !== 'partly') define('keeps who has published a retained message, and a will', keepsSources)
  const away = supports.queuesAtMostOnce === true ? queuesAtMostOnce : queuesNothingAtMostOnce
  define(
    `queues ${supports.queuesAtMostOnce === true ? 'messages' : 'no message'} of QoS 0 for sessions that are away, when asked to`,
    away,
  )
  if (supports.durable === 'partly') {
    define('finds messages and subscriptions again after close and open, as it declares', findsMessagesAgain)
  } else if (supports.durable) define('finds everything again after close and open', findsEverythingAgain)
  else define('finds nothing again after close and open, as it declares not to be durable', findsNothingAgain)
}

async function publishAtMostOnce(bench: Bench): Promise<readonly [away: readonly string[], open: readonly string[]]> {
  bench.queuesAtMostOnce = true
  await bench.open()
  const away = await bench.connect('away')
  await away.subscribe({ filter: 'a', qos: 0 }, { filter: 'b', qos: 1 })
  await away.close()
  const open = await bench.connect('open')
  await open.subscribe({ filter: 'a', qos: 0 })
  await bench.store.publish(bench.message({ topic: 'a', text: 'one', qos: 0 }))
  await bench.store.publish(bench.message({ topic: 'a', text: 'two', qos: 1 }))
  await bench.store.publish(bench.message({ topic: 'b', text: 'three', qos: 0, retain: true }))
  await bench.store.publish(bench.message({ topic: 'c', text: 'four', qos: 0 }))
  const back = await bench.connect('away')
  const entries = await back.read()
  assert.ok(entries.every(({ qos }) => qos === 0))
  for (const { sequence } of entries) await bench.store.acknowledge(back.handle, sequence)
  assert.deepEqual(await back.read(), [])
  return [texts(entries), texts(await open.read())]
}

async function queuesAtMostOnce(bench: Bench): Promise<void> {
  assert.deepEqual(await publishAtMostOnce(bench), [['one', 'two', 'three'], []])
}

async function queuesNothingAtMostOnce(bench: Bench): Promise<void> {
  assert.deepEqual(await publishAtMostOnce(bench), [[], []])
}

async function keepsSources(bench: Bench): Promise<void> {
  await bench.open()
  const source = { username: 'ada', listener: undefined }
  await bench.store.publish(bench.message({ topic: 'of ada', retain: true, qos: 0, source }))
  await bench.store.publish(bench.message({ topic: 'of nobody', retain: true }))
  const found = await bench.retained('+')
  assert.equal(found.find(({ topic }) => topic === 'of ada')?.source?.username, 'ada')
  assert.equal(found.find(({ topic }) => topic === 'of nobody')?.source, undefined)
  const will = bench.will({ clientId: 'client', delayInterval: 0 })
  const client = await bench.connect('client', { will: { ...will, message: { ...will.message, source } } })
  const due = await client.close({ will: 'publish' })
  assert.equal(due?.message.source?.username, 'ada')
}

async function fillAndRestart(bench: Bench): Promise<void> {
  await bench.open()
  const will = bench.will({ clientId: 'client', delayInterval: 5 })
  const client = await bench.connect('client', { will })
  await client.subscribe({ filter: 'a', qos: 1, subscriptionIdentifier: 3 })
  await bench.publish('one', 'two', 'three')
  await bench.store.publish(bench.message({ topic: 'kept', text: 'retained', retain: true }))
  await bench.store.publish(bench.message({ topic: 'elsewhere', qos: 2 }), { session: client.handle, packetId: 5 })
  await bench.store.acknowledge(client.handle, 1)
  await bench.store.release(client.handle, 2)
  await client.close({ sentThrough: 2 })
  await bench.store.close()
  await bench.open()
}

async function findsEverythingAgain(bench: Bench): Promise<void> {
  await fillAndRestart(bench)
  assert.deepEqual(texts(await bench.retained('kept')), ['retained'])
  bench.clock.advance(5000)
  const due = await bench.store.claimDue(10)
  assert.deepEqual(
    due.map(one => one.kind),
    ['will'],
  )
  const client = await bench.connect('client')
  assert.equal(client.opened.present, true)
  assert.deepEqual(
    client.opened.subscriptions.map(({ filter, qos, subscriptionIdentifier }) => [filter, qos, subscriptionIdentifier]),
    [['a', 1, 3]],
  )
  assert.deepEqual(client.opened.received, [5])
  assert.equal(client.opened.sentThrough, 2)
  assert.equal(client.opened.lastSequence, 3)
  assert.deepEqual(
    (await client.read()).map(({ sequence, released }) => [sequence, released]),
    [
      [2, true],
      [3, false],
    ],
  )
}

async function findsMessagesAgain(bench: Bench): Promise<void> {
  await fillAndRestart(bench)
  assert.deepEqual(texts(await bench.retained('kept')), ['retained'])
  const client = await bench.connect('client')
  assert.equal(client.opened.present, true)
  assert.deepEqual(
    client.opened.subscriptions.map(({ filter, qos }) => [filter, qos]),
    [['a', 1]],
  )
  const [released, waiting, ...others] = await client.read()
  assert.equal(released?.released, true)
  assert.equal(waiting?.message.payload.toString(), 'three')
  assert.equal(waiting?.released, false)
  assert.deepEqual(others, [])
}

async function findsNothingAgain(bench: Bench): Promise<void> {
  await fillAndRestart(bench)
  bench.clock.advance(5000)
  assert.deepEqual(await bench.retained('#'), [])
  assert.deepEqual(await bench.store.claimDue(10), [])
  assert.equal((await bench.connect('client')).opened.present, false)
}

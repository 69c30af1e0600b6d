import { expect, test } from 'vitest'
import { opened } from './meshes.ts'
import { relayed } from './relayed.ts'

const failure = async (publishing: Promise<void>): Promise<unknown> =>
  publishing.then(
    () => undefined,
    (error: unknown) => (error as { code?: string }).code,
  )

test('a link that is cut again and again goes on where it was: what was answered has arrived, once and in order', async () => {
  const { one, other, relays } = await relayed()
  const order: string[] = []
  for (let round = 0; round < 10; round += 1) {
    const publishing: Promise<void>[] = []
    for (let index = 0; index < 50; index += 1) {
      const text = `${round} ${index}`
      order.push(text)
      publishing.push(one.publish(text, index % 2 === 0 ? 1 : 2))
      if (index === 25) for (const relay of relays) relay.cut()
      if (index % 10 === 0) await new Promise(setImmediate)
    }
    await Promise.all(publishing)
  }
  const ofQoS = (texts: readonly string[], qos: number): string[] =>
    texts.filter(text => Number(text.split(' ')[1]) % 2 === qos - 1)
  for (const qos of [1, 2]) expect(ofQoS(other.texts, qos)).toEqual(ofQoS(order, qos))
  expect(one.emitter.counters.resumed).toBeGreaterThan(0)
  expect(one.presences).toEqual([['other', true]])
  expect(one.codes).toEqual([])
})

test('QoS 0 is dropped and counted while a link is cut', async () => {
  const { one, relays } = await relayed()
  for (const relay of relays) relay.close()
  await expect
    .poll(() => {
      void one.publish('x', 0)
      return one.emitter.counters.droppedOutgoing
    })
    .toBeGreaterThan(0)
})

test('a peer that passes nothing on: others go on; after its lease QoS 1 is said not to be sent, QoS 2 is counted as lost', async () => {
  // Longer than a machine that has other work is slow.
  const lease = 1500
  const { one, other, relays } = await relayed({ lease })
  const third = await opened('third', {
    listen: '127.0.0.1:0',
    secret: 'a secret of this mesh',
    peers: String(one.emitter.address),
  })
  await third.emitter.addRoute('a')
  for (const relay of relays) relay.hold()
  const [atLeastOnce, exactlyOnce] = [one.publish('to both'), one.publish('to both, too', 2)]
  await expect.poll(() => third.texts).toEqual(['to both', 'to both, too'])
  expect(await failure(atLeastOnce)).toBe('UNAVAILABLE')
  expect(await failure(exactlyOnce)).toBeUndefined()
  expect(one.emitter.counters).toMatchObject({ unsent: 1, lost: 1 })
  expect(one.presences.filter(([id]) => id === 'other')).toEqual([
    ['other', true],
    ['other', false],
  ])
  // Nothing waits for it any more.
  expect(await failure(one.publish('without it'))).toBeUndefined()
  for (const relay of relays) relay.release()
  await expect.poll(() => one.presences.at(-1)).toEqual(['other', true])
  await one.publish('it is back')
  expect(other.texts.at(-1)).toBe('it is back')
})

test('a link that passes nothing on in one direction: both give each other up, and are there again with all their routes', async () => {
  const { one, other, relays } = await relayed({ lease: 1500 })
  // What the other says comes through; what it is told does not.
  relays[0]?.hold()
  expect(await failure(one.publish('x'))).toBe('UNAVAILABLE')
  expect(one.codes).toEqual(['PEER_STALLED'])
  expect(one.emitter.counters.stalled).toBe(1)
  await expect.poll(() => other.codes).toEqual(['UNAVAILABLE'])
  relays[0]?.release()
  await expect
    .poll(() => [one.presences.at(-1), other.presences.at(-1)])
    .toEqual([
      ['other', true],
      ['one', true],
    ])
  await one.publish('again')
  expect(other.texts.at(-1)).toBe('again')
})

test('beyond maximumOutgoingBytes QoS 1 and 2 are refused, QoS 0 is dropped, and what was taken arrives', async () => {
  const { one, other, relays } = await relayed({ maximumOutgoingBytes: 100_000 })
  for (const relay of relays) relay.hold()
  const large = Buffer.alloc(60_000, 'x')
  const taken = [one.publish(large), one.publish(large, 2)]
  expect([await failure(one.publish(large)), await failure(one.publish(large, 2))]).toEqual([
    'QUOTA_EXCEEDED',
    'QUOTA_EXCEEDED',
  ])
  expect(one.emitter.counters.refused).toBe(2)
  for (let count = 0; count < 20; count += 1) void one.publish(large, 0)
  expect(one.emitter.counters.droppedOutgoing).toBeGreaterThan(0)
  for (const relay of relays) relay.release()
  await Promise.all(taken)
  expect(other.texts.filter(text => text.length === 60_000).length).toBeGreaterThanOrEqual(2)
})

test('beyond maximumIncomingBytes no more is read until the program has taken some', async () => {
  const { one, other } = await relayed({ maximumIncomingBytes: 100_000 })
  const release: (() => void)[] = []
  other.answer = () => new Promise(resolve => void release.push(resolve))
  const publishing = Array.from({ length: 40 }, (_, index) => one.publish(Buffer.alloc(50_000, index)))
  await expect.poll(() => release.length).toBe(1)
  let isAnswered = false
  void Promise.all(publishing).then(() => (isAnswered = true))
  await new Promise(resolve => void setTimeout(resolve, 100))
  expect(isAnswered).toBe(false)
  other.answer = () => undefined
  release[0]?.()
  await Promise.all(publishing)
  await expect.poll(() => other.texts.length).toBe(40)
})

test('a route that a peer does not confirm is answered after routeTimeout, and counted', async () => {
  const { one, other, relays } = await relayed({ routeTimeout: 200 })
  for (const relay of relays) relay.hold()
  const start = performance.now()
  await other.emitter.addRoute('b')
  expect(performance.now() - start).toBeGreaterThan(150)
  expect(other.emitter.counters.unconfirmedRoutes).toBe(1)
  for (const relay of relays) relay.release()
  await expect.poll(() => one.emitter.reaches('b')).toBe(true)
})

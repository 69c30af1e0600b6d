import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { directory, opened } from './meshes.ts'
import { relayed } from './relayed.ts'

test('of a client that both take at the same time one keeps it', async () => {
  const shared = directory()
  const [one, other] = [await opened('one', { directory: shared }), await opened('other', { directory: shared })]
  for (let round = 0; round < 20; round += 1) {
    await Promise.all([one.emitter.announce(`${round}`), other.emitter.announce(`${round}`)])
  }
  await expect.poll(() => one.takenOverClients.length + other.takenOverClients.length).toBe(20)
  await nextTurn()
  expect([...one.takenOverClients, ...other.takenOverClients].sort()).toEqual(
    Array.from({ length: 20 }, (_, round) => `${round}`).sort(),
  )
})

test('an announcement that comes late closes no newer connection', async () => {
  const { one, other, relays } = await relayed()
  relays[0]?.hold()
  await one.emitter.announce('client')
  await new Promise(resolve => void setTimeout(resolve, 5))
  await other.emitter.announce('client')
  await expect.poll(() => one.takenOverClients).toEqual(['client'])
  relays[0]?.release()
  await one.publish('after it')
  expect(other.takenOverClients).toEqual([])
})

test('a QoS 0 message that comes after its publisher has connected elsewhere is dropped; the will that it left is not', async () => {
  const { one, other, relays } = await relayed()
  relays[0]?.hold()
  await one.publish('late', 0)
  await nextTurn()
  await other.emitter.announce('publisher')
  await expect.poll(() => one.takenOverClients).toEqual(['publisher'])
  await one.publish('later', 0)
  await one.publishWill('will')
  relays[0]?.release()
  await expect.poll(() => other.texts).toEqual(['will'])
  expect(other.emitter.counters.droppedLate).toBe(2)
})

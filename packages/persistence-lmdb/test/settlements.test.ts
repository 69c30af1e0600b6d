import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Drop, QueueEntry, SessionOwner } from '@x/contract'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

let directory = ''
const drops: Drop[] = []
let store: LmdbPersistence
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'settlements-'))
  store = new LmdbPersistence({ directory })
  drops.length = 0
  await store.open(hostOf({ maximumQueuedMessages: 5 }, drops))
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Takes what it is offered; is asked to be busy for the limits to matter. */
class Owner implements SessionOwner {
  readonly taken: QueueEntry[] = []
  room = true
  onDelivery: ((entry: QueueEntry) => void) | undefined

  deliver(entry: QueueEntry): boolean {
    if (!this.room) return false
    this.taken.push(entry)
    if (this.onDelivery !== undefined) setImmediate(this.onDelivery, entry)
    return true
  }

  fenced(): void {}
}

test('an acknowledgement that is written together with the taking of its entry counts once', async () => {
  const owner = new Owner()
  const { handle } = await store.openSession({ ...lampSession, owner })
  await store.subscribe(handle, [subscriptionTo('light/+')])
  owner.onDelivery = ({ sequence }) => store.acknowledge(handle, sequence)
  for (let round = 0; round < 30; round += 1) {
    const publishing = store.publish(messageOf(`${round}`))
    // Its transaction has begun by then.
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
    // An acknowledgement that means nothing now already waits when the next entry is offered.
    store.acknowledge(handle, 1)
    await publishing
  }
  await store.counts()
  owner.room = false
  for (let index = 0; index < 20; index += 1) await store.publish(messageOf(`late ${index}`))
  await expect.poll(async () => (await store.counts()).queuedMessages).toBe(5)
  expect(drops.reduce((sum, { count }) => sum + count, 0)).toBe(15)
})

test('what an owner takes while its session is closed was not sent', async () => {
  const owner = new Owner()
  const { handle } = await store.openSession({ ...lampSession, owner })
  await store.subscribe(handle, [subscriptionTo('light/+')])
  const publishing = store.publish(messageOf('1'))
  // Its transaction has begun before the session is closed, and is durable afterwards.
  await new Promise(resolve => setImmediate(resolve))
  const closing = store.closeSession(handle, leaving)
  await Promise.all([publishing, closing])
  await store.counts()
  const again = await store.openSession(lampSession)
  expect(again.sentThrough).toBe(0)
})

test('an entry that another broker drops before its owner could say that it took it counts once', async () => {
  const owner = new Owner()
  const { handle } = await store.openSession({ ...lampSession, owner })
  await store.subscribe(handle, [subscriptionTo('light/+')])
  const other = new RemotePersistence(directory)
  onTestFinished(async () => other.close())
  await other.open(hostOf({ maximumQueuedMessages: 1 }))
  for (let index = 0; index < 20; index += 1) {
    const seen = owner.taken.length
    await other.publish(messageOf(`${index}`))
    await expect.poll(() => owner.taken.length, { interval: 1 }).toBeGreaterThan(seen)
  }
  expect((await store.counts()).queuedBytes).toBe(0)
  expect(await store.publish(messageOf('last'))).toBe(1)
})

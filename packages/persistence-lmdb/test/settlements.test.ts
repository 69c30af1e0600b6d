import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Slices, systemClock } from '@x/contract'
import type { Clock, Drop, MaybePromise, QueueEntry, SessionOwner, Step } from '@x/contract'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

/** What runs in slices may be made to wait. */
class HeldSlices extends Slices {
  hold: ((go: () => MaybePromise<void>) => MaybePromise<void>) | undefined

  override run(step: Step): MaybePromise<void> {
    const go = (): MaybePromise<void> => super.run(step)
    return this.hold === undefined ? go() : this.hold(go)
  }
}

/** Timers may be made to wait: what the store does once a second would be one more thing that runs in slices. */
class HeldTimers implements Clock {
  readonly now = systemClock.now
  readonly monotonic = systemClock.monotonic
  readonly clearTimeout = systemClock.clearTimeout
  #waiting: (() => void)[] | undefined

  setTimeout(task: () => void, milliseconds: number): unknown {
    return systemClock.setTimeout(() => {
      if (this.#waiting === undefined) task()
      else this.#waiting.push(task)
    }, milliseconds)
  }

  hold(): void {
    this.#waiting = []
  }

  goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const task of waiting) task()
  }
}

let directory = ''
let slices: HeldSlices
let clock: HeldTimers
const drops: Drop[] = []
let store: LmdbPersistence
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'settlements-'))
  store = new LmdbPersistence({ directory })
  drops.length = 0
  slices = new HeldSlices()
  clock = new HeldTimers()
  await store.open({ ...hostOf({ maximumQueuedMessages: 5 }, drops), slices, clock })
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Takes what it is offered; is asked to be busy for the limits to matter. */
class Owner implements SessionOwner {
  readonly taken: QueueEntry[] = []
  room = true
  limit = Infinity
  onDelivery: ((entry: QueueEntry) => void) | undefined

  deliver(entry: QueueEntry): boolean {
    if (!this.room || this.taken.length >= this.limit) return false
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

/** Publishes messages whose owner is told of them while the next transaction is under way, which goes on when the owner has made a call
 * of its own: `called` is to be called then. */
async function publishInto(count: number, whenCalled: Promise<void>): Promise<void> {
  let runs = 0
  clock.hold()
  let opening: Promise<unknown> | undefined
  const transaction = new Promise<void>(begun => {
    slices.hold = go => {
      runs += 1
      if (runs === 2) {
        // The first transaction tells of what it has stored.
        opening = store.openSession({ ...lampSession, clientId: 'door' })
        return transaction.then(go)
      }
      if (runs < 3) return go()
      slices.hold = undefined
      begun()
      return whenCalled.then(go)
    }
  })
  await Promise.all(Array.from({ length: count }, async (_, index) => store.publish(messageOf(`${index}`))))
  await opening
  clock.goOn()
}

test('what an owner has taken counts as taken before its next call reads further', async () => {
  const owner = new Owner()
  const { handle } = await store.openSession({ ...lampSession, owner })
  await store.subscribe(handle, [subscriptionTo('light/+')])
  let reading: Promise<readonly QueueEntry[]> | undefined
  const called = new Promise<void>(resolve => {
    owner.onDelivery = () => {
      reading = store.read(handle, 1, 10)
      resolve()
    }
  })
  owner.limit = 1
  await publishInto(2, called)
  expect(await reading).toMatchObject([{ sequence: 2 }])
  expect(await store.counts()).toMatchObject({ queuedMessages: 2, queuedBytes: 0 })
})

test('what an owner has taken counts as taken before it is released, also when another broker writes in between', async () => {
  const owner = new Owner()
  const { handle } = await store.openSession({ ...lampSession, owner })
  await store.subscribe(handle, [subscriptionTo('light/+')])
  const other = new RemotePersistence(directory)
  onTestFinished(async () => other.close())
  await other.open(hostOf())
  // The last news of the other broker for now.
  await other.publish(messageOf('news'))
  await expect.poll(() => owner.taken).toHaveLength(1)
  store.acknowledge(handle, 1)
  let releasing: Promise<void> | undefined
  const called = new Promise<void>(resolve => {
    owner.onDelivery = ({ sequence }) => {
      releasing = store.release(handle, sequence)
      resolve()
    }
  })
  await publishInto(1, called)
  await releasing
  await other.openSession({ ...lampSession, clientId: 'window' })
  await store.closeSession(handle, { ...leaving, sessionExpiryInterval: 0, sentThrough: 2 })
  expect(await store.counts()).toMatchObject({ queuedMessages: 0, queuedBytes: 0 })
})

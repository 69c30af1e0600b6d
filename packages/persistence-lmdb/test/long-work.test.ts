import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Slices } from '@x/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'

/** Turns of the event loop that long work has left to others. A step of it takes a tenth of a millisecond here, a slice ten. */
let turns = 0
let time = 0
const slices = new Slices({
  now: () => (time += 0.1),
  defer: resume => {
    turns += 1
    setImmediate(resume)
  },
})

let directory = ''
let store: LmdbPersistence
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'long-work-'))
  store = new LmdbPersistence({ directory, durability: 'process' })
  await store.open({ ...hostOf(), slices })
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  turns = 0
  await work()
  return turns
}

async function subscribeMany(clientId: string, count: number): Promise<void> {
  const { handle } = await store.openSession({ ...lampSession, clientId })
  for (let first = 0; first < count; first += 100) {
    const filters = Array.from({ length: 100 }, (_, index) => subscriptionTo(`f/${first + index}`))
    await store.subscribe(handle, filters)
  }
  await store.closeSession(handle, leaving)
}

test('the end of a session with 10 000 subscriptions leaves the event loop to others', async () => {
  await subscribeMany('lamp', 10_000)
  const left = await turnsOf(async () => store.openSession({ ...lampSession, cleanStart: true }))
  expect(await store.counts()).toMatchObject({ subscriptions: 0 })
  expect(left).toBeGreaterThan(3)
})

test('so do its opening, and the change to a session that ends with its connection', async () => {
  await subscribeMany('lamp', 10_000)
  const left = await turnsOf(async () => {
    const opened = await store.openSession({ ...lampSession, sessionExpiryInterval: 0 })
    expect(opened.subscriptions).toHaveLength(10_000)
  })
  expect(left).toBeGreaterThan(3)
})

test('so does the end of a session with 30 000 messages', async () => {
  const { handle } = await store.openSession(lampSession)
  for (let first = 0; first < 30_000; first += 1000) {
    const deliveries = Array.from({ length: 1000 }, (_, index) => ({
      message: messageOf(`${first + index}`),
      qos: 1 as const,
      retain: false,
      subscriptionIdentifiers: undefined,
    }))
    await store.enqueue(handle, deliveries)
  }
  expect((await store.counts()).queuedMessages).toBe(30_000)
  const left = await turnsOf(async () => store.closeSession(handle, { ...leaving, sessionExpiryInterval: 0 }))
  expect((await store.counts()).queuedMessages).toBe(0)
  expect(left).toBeGreaterThan(3)
})

test('so does one message to 10 000 sessions, which all get it or none', async () => {
  await Promise.all(
    Array.from({ length: 10_000 }, async (_, index) => {
      const { handle } = await store.openSession({ ...lampSession, clientId: `lamp ${index}` })
      await store.subscribe(handle, [subscriptionTo('light/hall')])
    }),
  )
  // Finding out who gets it is one look-up, which is remembered.
  await store.publish(messageOf('first'))
  const left = await turnsOf(async () => {
    const publishing = store.publish(messageOf('second'))
    const after = store.counts()
    expect(await publishing).toBe(10_000)
    expect((await after).queuedMessages).toBe(20_000)
  })
  expect(left).toBeGreaterThan(3)
})

test('a filter that passes 30 000 branches and finds nothing is looked up in small steps', async () => {
  for (let first = 0; first < 30_000; first += 1000) {
    const topics = Array.from({ length: 1000 }, (_, index) => `${first + index}/state`)
    await Promise.all(topics.map(async topic => store.publish(messageOf('on', { topic, qos: 0, retain: true }))))
  }
  let page = await store.retained('+/none')
  let steps = 0
  while (page.more !== undefined) {
    expect([...page]).toEqual([])
    page = await page.more()
    steps += 1
  }
  expect(steps).toBeGreaterThan(100)
  expect([...(await store.retained('777/+'))]).toHaveLength(1)
})

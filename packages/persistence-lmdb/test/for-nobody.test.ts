import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { busyOwner, hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

let directory = ''
let store: LmdbPersistence
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'for-nobody-'))
  store = new LmdbPersistence({ directory, durability: 'process' })
  await store.open(hostOf())
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

async function waitingFor(clientId: string): Promise<readonly string[]> {
  const { handle } = await store.openSession({ ...lampSession, clientId })
  const entries = await store.read(handle, 0, 10)
  return entries.map(({ message }) => message.payload.toString())
}

test('a message that nobody is stored for is not written, and nothing has to be waited for', async () => {
  expect(store.publish(messageOf('on'))).toBe(0)
  const { handle } = await store.openSession({ ...lampSession, sessionExpiryInterval: 0 })
  await store.subscribe(handle, [subscriptionTo('#')])
  expect(store.publish(messageOf('on'))).toBe(0)
})

test('one that a stored session or a shared group takes is stored', async () => {
  const { handle } = await store.openSession(lampSession)
  await store.subscribe(handle, [subscriptionTo('light/+')])
  await store.closeSession(handle, leaving)
  expect(await store.publish(messageOf('on'))).toBe(1)
  expect(store.publish(messageOf('on', { topic: 'elsewhere' }))).toBe(0)
  expect(await waitingFor('lamp')).toEqual(['on'])
  const group = await store.openSession({ ...lampSession, clientId: 'member', owner: busyOwner })
  await store.subscribe(group.handle, [subscriptionTo('$share/group/elsewhere')])
  expect(await store.publish(messageOf('on', { topic: 'elsewhere' }))).toBe(1)
})

test('a subscription is in force for what is published after the call, before it has returned', async () => {
  const { handle } = await store.openSession(lampSession)
  expect(store.publish(messageOf('before'))).toBe(0)
  const subscribed = store.subscribe(handle, [subscriptionTo('#')])
  const published = store.publish(messageOf('after'))
  await subscribed
  expect(await published).toBe(1)
})

test('messages are stored for nobody when the last subscription is gone, also one with a filter that fits no key', async () => {
  const filter = `light/${'x'.repeat(2000)}/#`
  const topic = filter.replace('#', 'on')
  const { handle } = await store.openSession(lampSession)
  expect(store.publish(messageOf('on', { topic }))).toBe(0)
  await store.subscribe(handle, [subscriptionTo(filter)])
  expect(await store.publish(messageOf('on', { topic }))).toBe(1)
  await store.unsubscribe(handle, [filter])
  expect(store.publish(messageOf('on', { topic }))).toBe(0)
})

test('a subscription that another process has confirmed is in force in the same turn', async () => {
  const remote = new RemotePersistence(directory, 'process')
  await remote.open(hostOf())
  try {
    const { handle } = await remote.openSession(lampSession)
    expect(store.publish(messageOf('before'))).toBe(0)
    const subscribed = remote.subscribe(handle, [subscriptionTo('light/+')])
    let published = store.publish(messageOf('on'))
    // Nothing else runs here meanwhile.
    while (published === 0) published = store.publish(messageOf('on'))
    expect(await published).toBe(1)
    await subscribed
  } finally {
    await remote.close()
  }
  expect(await waitingFor('lamp')).toEqual(['on'])
})

test('with an interval, what is confirmed and not committed yet is in force', async () => {
  await store.close()
  store = new LmdbPersistence({ directory, durability: 'interval:50' })
  await store.open(hostOf())
  const { handle } = await store.openSession(lampSession)
  await store.subscribe(handle, [subscriptionTo('#')])
  expect(await store.publish(messageOf('on'))).toBe(1)
})

test('a session that ends in a transaction of many turns gets nothing that is published after the call', async () => {
  const { handle } = await store.openSession(lampSession)
  await store.subscribe(
    handle,
    Array.from({ length: 5000 }, (_, index) => subscriptionTo(`f/${index}`)),
  )
  const closed = store.closeSession(handle, { ...leaving, sessionExpiryInterval: 0 })
  await new Promise(resolve => setImmediate(resolve))
  expect(await store.publish(messageOf('on', { topic: 'f/1' }))).toBe(0)
  await closed
  expect(store.publish(messageOf('on', { topic: 'f/1' }))).toBe(0)
})

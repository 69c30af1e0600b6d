import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { QueueEntry } from '@x/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'interval-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function texts(store: LmdbPersistence): Promise<readonly string[]> {
  const { handle } = await store.openSession(lampSession)
  const entries = await store.read(handle, 0, 100_000)
  await store.closeSession(handle, leaving)
  return entries.map(({ message }) => message.payload.toString())
}

test('calls are answered at once, and what they stored is there after the store was closed', async () => {
  const store = new LmdbPersistence({ directory, durability: 'interval:60000' })
  await store.open(hostOf())
  const taken: QueueEntry[] = []
  const owner = { deliver: (entry: QueueEntry) => taken.push(entry) > 0, fenced: () => {} }
  const { handle } = await store.openSession({ ...lampSession, owner })
  await store.subscribe(handle, [subscriptionTo('light/+')])
  for (let index = 0; index < 100; index += 1) expect(await store.publish(messageOf(`${index}`))).toBe(1)
  expect(taken).toHaveLength(100)
  for (const { sequence } of taken.slice(0, 50)) store.acknowledge(handle, sequence)
  await store.closeSession(handle, { ...leaving, sentThrough: 100 })
  await store.close()

  const again = new LmdbPersistence({ directory })
  await again.open(hostOf())
  expect(await texts(again)).toEqual(Array.from({ length: 50 }, (_, index) => `${50 + index}`))
  await again.close()
})

test('what was answered before the last interval is there after kill -9', async () => {
  const remote = new RemotePersistence(directory, 'interval:50')
  await remote.open(hostOf())
  const { handle } = await remote.openSession(lampSession)
  await remote.subscribe(handle, [subscriptionTo('light/+')])
  const answered: { text: string; at: number }[] = []
  // Until the first one has an age at which it must be there.
  while (answered.length === 0 || performance.now() - (answered[0]?.at ?? 0) < 2100) {
    const text = `${answered.length}`
    await remote.publish(messageOf(text))
    answered.push({ text, at: performance.now() })
  }
  await remote.kill()
  const killed = performance.now()
  const store = new LmdbPersistence({ directory })
  await store.open(hostOf())
  const found = await texts(store)
  const due = answered.filter(({ at }) => at < killed - 2000).map(({ text }) => text)
  expect(due.length).toBeGreaterThan(0)
  expect(found.slice(0, due.length)).toEqual(due)
  expect(found).toEqual(answered.slice(0, found.length).map(({ text }) => text))
  await store.close()
})

test('a call that is refused says so, and the others go on', async () => {
  const store = new LmdbPersistence({ directory, durability: 'interval:20', maximumSessions: 1 })
  await store.open(hostOf())
  const { handle } = await store.openSession(lampSession)
  await expect(store.openSession({ ...lampSession, clientId: 'other' })).rejects.toMatchObject({
    code: 'QUOTA_EXCEEDED',
  })
  await store.subscribe(handle, [subscriptionTo('light/+')])
  expect(await store.publish(messageOf('on'))).toBe(1)
  await store.close()
})

test('no second broker opens the directory', async () => {
  const store = new LmdbPersistence({ directory, durability: 'interval:20' })
  await store.open(hostOf())
  const second = new LmdbPersistence({ directory })
  await expect(second.open(hostOf())).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining("with durability 'interval:20'"),
  })
  await store.close()
  const shared = new LmdbPersistence({ directory })
  await shared.open(hostOf())
  const alone = new LmdbPersistence({ directory, durability: 'interval:20' })
  await expect(alone.open(hostOf())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await shared.close()
})

test.each(['interval', 'interval:', 'interval:0', 'interval:60001', 'interval:-1', 'interval:1.5', 'never'])(
  'there is no durability %s',
  durability => {
    expect(() => new LmdbPersistence({ directory, durability: durability as 'disk' })).toThrowError(/'interval:MS'/)
  },
)

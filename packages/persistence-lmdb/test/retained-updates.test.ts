import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Message, Persistence } from '@x/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, messageOf } from './support/host.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'retained-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function open<Store extends Persistence>(store: Store): Promise<Store> {
  await store.open(hostOf())
  return store
}

function update(text: string, fields: Partial<Message> = {}): Message {
  return messageOf(text, { topic: 'meter', qos: 0, retain: true, ...fields })
}

async function retained(store: Persistence, filter = '#'): Promise<readonly string[]> {
  const found: string[] = []
  for (let page = await store.retained(filter); ; page = await page.more()) {
    for (const message of page) if (message !== undefined) found.push(`${message.topic} ${message.payload.toString()}`)
    if (page.more === undefined) return found.toSorted()
  }
}

test('a publisher of QoS 0 does not wait until its retained message is stored', async () => {
  const store = await open(new LmdbPersistence({ directory }))
  expect(store.publish(update('1'))).toBe(0)
  expect(store.publish(update('2'))).toBe(0)
  expect(await retained(store)).toEqual(['meter 2'])
  await store.close()
})

test('what was retained last is there after the store was closed', async () => {
  const store = await open(new LmdbPersistence({ directory }))
  for (let index = 0; index <= 1000; index += 1)
    void store.publish(update(`${index}`, { topic: `meter/${index % 10}` }))
  await store.close()
  const again = await open(new LmdbPersistence({ directory }))
  expect(await retained(again, 'meter/+')).toEqual(
    Array.from({ length: 10 }, (_, place) => `meter/${place} ${place === 0 ? 1000 : 990 + place}`),
  )
  await again.close()
})

test('messages of both kinds on one topic keep their order', async () => {
  const store = await open(new LmdbPersistence({ directory }))
  const published: unknown[] = []
  for (let index = 0; index < 50; index += 1) {
    published.push(store.publish(update(`lazy ${index}`)), store.publish(update(`waited for ${index}`, { qos: 1 })))
  }
  published.push(store.publish(update('last')))
  await Promise.all(published)
  expect(await retained(store)).toEqual(['meter last'])
  void store.publish(update('lazy'))
  await store.publish(update('waited for', { qos: 1 }))
  expect(await retained(store)).toEqual(['meter waited for'])
  void store.publish(update(''))
  expect(await retained(store)).toEqual([])
  await store.close()
})

test('it is on the disk with the next transaction that somebody waits for', async () => {
  const remote = await open(new RemotePersistence(directory))
  await remote.publish(update('1'))
  await remote.publish(update('waited for', { topic: 'other', qos: 1 }))
  await remote.kill()
  const store = await open(new LmdbPersistence({ directory }))
  expect(await retained(store)).toEqual(['meter 1', 'other waited for'])
  await store.close()
})

test('another broker of the directory finds it at once', async () => {
  const store = await open(new LmdbPersistence({ directory }))
  const other = await open(new RemotePersistence(directory))
  // As soon as the first one knows that it is not alone.
  await expect.poll(() => store.publish(update('before')) !== 0).toBe(true)
  await store.publish(update('now'))
  expect(await retained(other)).toEqual(['meter now'])
  await other.close()
  await store.close()
})

test('the limits hold for it as for everything else', async () => {
  const store = await open(new LmdbPersistence({ directory, maximumRetainedMessages: 2 }))
  void store.publish(update('1', { topic: 'a' }))
  void store.publish(update('2', { topic: 'b' }))
  await expect(store.publish(update('3', { topic: 'c' }))).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
  await store.publish(update('', { topic: 'a' }))
  await store.publish(update('4', { topic: 'c' }))
  expect(await retained(store)).toEqual(['b 2', 'c 4'])
  expect((await store.counts()).retainedMessages).toBe(2)
  await store.close()
})

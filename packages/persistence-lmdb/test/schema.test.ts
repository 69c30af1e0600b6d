import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StoreLimits } from '@x/contract'
import { open } from 'lmdb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'schema-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const kinds = { meta: '!', session: 'c', share: 'S', group: 'g', deadline: 'd' }

/** Changes rows of a directory that nobody has open. */
async function change(edit: (key: Buffer, value: Buffer) => Buffer | undefined): Promise<void> {
  const database = open<Buffer, Buffer>({ path: directory, encoding: 'binary', keyEncoding: 'binary', noSubdir: false })
  await database.transaction(() => {
    for (const { key, value } of Array.from(database.getRange())) {
      const changed = edit(key, value)
      if (changed === undefined) void database.remove(key)
      else if (changed !== value) void database.put(key, changed)
    }
  })
  await database.close()
}

/** What schema 1 had: two totals less, six bytes less in records of sessions and groups, no shares and no looks through queues. */
function asInFirstSchema(key: Buffer, value: Buffer): Buffer | undefined {
  const kind = String.fromCharCode(key[0] ?? 0)
  const name = key.toString()
  if (name === '!schema') return Buffer.from('1')
  if (name === '!totals') return value.subarray(0, -12)
  if (kind === kinds.session || kind === kinds.group) return value.subarray(0, -6)
  if (kind === kinds.share || (kind === kinds.deadline && key.readUIntBE(7, 6) >= 3)) return undefined
  return value
}

async function opened(limits: Partial<StoreLimits> = {}): Promise<LmdbPersistence> {
  const store = new LmdbPersistence({ directory })
  await store.open(hostOf(limits))
  return store
}

test('a directory of schema 1 is converted when it is opened: it counts what the limits need', async () => {
  const before = await opened()
  const { handle } = await before.openSession(lampSession)
  await before.subscribe(handle, [subscriptionTo('light/+'), subscriptionTo('$share/g/light/+')])
  await before.closeSession(handle, leaving)
  const expiresAt = Date.now() + 3_600_000
  await before.publish(messageOf('on', { expiresAt }))
  await before.publish(messageOf('kept', { topic: 'meter', retain: true }))
  const counts = await before.counts()
  await before.close()
  await change(asInFirstSchema)

  const after = await opened({ maximumRetainedMessagesPerClient: 1 })
  expect(await after.counts()).toEqual(counts)
  expect(counts).toMatchObject({ queuedMessages: 2, retainedMessages: 1 })
  await expect(after.publish(messageOf('more', { topic: 'another', retain: true }))).rejects.toMatchObject({
    code: 'QUOTA_EXCEEDED',
  })
  const again = await after.openSession(lampSession)
  const entries = await after.read(again.handle, 0, 10)
  expect(entries.map(({ message }) => message.payload.toString())).toEqual(['on'])
  await after.close()
  const third = await opened()
  expect(await third.counts()).toMatchObject({ retainedMessages: 1 })
  await third.close()
})

test('a directory of a later schema is refused, and left as it is', async () => {
  const store = await opened()
  await store.close()
  await change((key, value) => (key.toString() === '!schema' ? Buffer.from('9') : value))
  await expect(opened()).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: `${directory} has schema 9, this version reads schemas 1 and 2: use the version that wrote it, or a later one`,
  })
})

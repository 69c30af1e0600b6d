import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Persistence, QueueEntry } from '@x/contract'
import { open } from 'lmdb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  backupData,
  compactData,
  exportData,
  importData,
  inspectClient,
  inspectData,
  readDumpFile,
} from '../src/data/index.ts'
import type { DumpRecord } from '../src/data/index.ts'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

let root = ''
let directory = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'data-'))
  directory = join(root, 'store')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const group = '$share/g/shared/+'

/** A store with a bit of everything. */
async function fill(store: Persistence): Promise<void> {
  await store.open(hostOf())
  const { handle } = await store.openSession({ ...lampSession, sessionExpiryInterval: 3600 })
  await store.subscribe(handle, [subscriptionTo('light/+'), subscriptionTo(group)])
  const other = await store.openSession({ ...lampSession, clientId: 'other', sessionExpiryInterval: 0xffff_ffff })
  await store.subscribe(other.handle, [{ ...subscriptionTo('light/#'), subscriptionIdentifier: 7 }])
  for (const text of ['one', 'two', 'three']) {
    await store.publish(messageOf(text, { qos: 2, properties: Buffer.from([1, 1]) }))
  }
  await store.publish(messageOf('waits', { topic: 'shared/1' }))
  await store.publish(messageOf('kept', { topic: 'meter', retain: true, publisher: undefined }))
  const received = { session: other.handle, packetId: 9 }
  await store.publish(messageOf('received', { topic: 'nobody', qos: 2 }), received)
  const [first] = await store.read(other.handle, 0, 1)
  await store.release(other.handle, first?.sequence ?? 0)
  await store.closeSession(handle, leaving)
  await store.closeSession(other.handle, { sessionExpiryInterval: 0xffff_ffff, will: 'discard', sentThrough: 2 })
}

async function records(from: string): Promise<readonly DumpRecord[]> {
  const found: DumpRecord[] = []
  for await (const record of exportData(from)) found.push(record)
  return found
}

function view({ sequence, message, qos, released, subscriptionIdentifiers }: QueueEntry): unknown {
  return [sequence, message.payload.toString(), qos, released, subscriptionIdentifiers, message.properties?.length]
}

test('a dump holds everything, and makes the same store elsewhere', async () => {
  const store = new LmdbPersistence({ directory })
  await fill(store)
  const counts = await store.counts()
  const dump = await records(directory)
  await store.close()
  const file = join(root, 'dump.ndjson')
  writeFileSync(file, dump.map(record => `${JSON.stringify(record)}\n`).join(''))

  const copy = join(root, 'copy')
  expect(await importData(copy, readDumpFile(file))).toMatchObject({ session: 2, entry: 6, retained: 1, waiting: 1 })
  expect(await records(copy)).toEqual(dump.map(record => JSON.parse(JSON.stringify(record)) as DumpRecord))
  const moved = new LmdbPersistence({ directory: copy })
  await moved.open(hostOf())
  expect(await moved.counts()).toEqual(counts)
  const other = await moved.openSession({ ...lampSession, clientId: 'other' })
  expect(other).toMatchObject({ present: true, received: [9], sentThrough: 2, lastSequence: 3 })
  expect((await moved.read(other.handle, 0, 10)).map(view)).toEqual([
    [1, 'one', 2, true, [7], 2],
    [2, 'two', 2, false, [7], 2],
    [3, 'three', 2, false, [7], 2],
  ])
  const lamp = await moved.openSession(lampSession)
  expect((await moved.claim(lamp.handle, group, 10)).map(({ message }) => message.payload.toString())).toEqual([
    'waits',
  ])
  await moved.close()
  expect((await inspectData(copy)).unexplained).toEqual([])
})

test('a dump that can not be stored leaves nothing behind', async () => {
  const store = new LmdbPersistence({ directory })
  await fill(store)
  await store.close()
  const dump = await records(directory)
  await expect(importData(directory, dump)).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining("session of client 'lamp' already"),
  })
  const target = join(root, 'target')
  const orphan = dump.find(({ kind }) => kind === 'entry')
  const retained = dump.find(({ kind }) => kind === 'retained')
  await expect(
    importData(
      target,
      [retained, orphan].filter(record => record !== undefined),
    ),
  ).rejects.toMatchObject({
    code: 'OPTION_INVALID',
  })
  expect(await inspectData(target)).toMatchObject({ sessions: 0, retained: { messages: 0 } })
})

test.each([
  ['no JSON', 'line 2 of the dump is not JSON'],
  ['{"kind":"session"}', 'line 2 of the dump is no record'],
  ['{"kind":"else"}', 'line 2 of the dump is no record'],
  ['{"kind":"dump","version":2}', 'the dump has version 2, this version reads version 1'],
])('refuses the line %s', async (line, message) => {
  const file = join(root, 'dump.ndjson')
  writeFileSync(file, `{"kind":"dump","version":1}\n${line}\n`)
  await expect(importData(directory, readDumpFile(file))).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining(message),
  })
})

test('inspect says what is there while a broker has the directory open', async () => {
  const remote = new RemotePersistence(directory)
  await fill(remote)
  const summary = await inspectData(directory)
  expect(summary).toMatchObject({
    schema: '2',
    sessions: 2,
    openSessions: 0,
    subscriptions: 3,
    groups: 1,
    queued: { messages: 6 },
    retained: { messages: 1 },
    unexplained: [],
  })
  expect(summary.brokers).toHaveLength(1)
  expect(await inspectClient(directory, 'other')).toMatchObject({
    isOpen: false,
    subscriptions: [{ filter: 'light/#' }],
    queue: [
      { state: 'released' },
      { state: 'may have been sent' },
      { topic: 'light/hall', qos: 2, bytes: 5, state: 'waits' },
    ],
  })
  expect(await inspectClient(directory, 'nobody')).toBeUndefined()
  await expect(importData(directory, [])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(compactData(directory)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await remote.close()
})

test('a backup of a directory in use is a store of its own, and its brokers are gone', async () => {
  const remote = new RemotePersistence(directory)
  await fill(remote)
  await remote.openSession(lampSession)
  const file = join(root, 'backup.mdb')
  await backupData(directory, file)
  await expect(backupData(directory, file)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const restored = join(root, 'restored')
  mkdirSync(restored)
  renameSync(file, join(restored, 'data.mdb'))
  expect(await inspectData(restored)).toMatchObject({ sessions: 2, openSessions: 1, brokers: [], unexplained: [] })
  const store = new LmdbPersistence({ directory: restored, exclusive: true })
  await store.open(hostOf())
  expect(await store.counts()).toEqual(await remote.counts())
  expect((await store.openSession(lampSession)).present).toBe(true)
  await store.close()
  await remote.close()
})

test('compact gives the room of what is gone back to the disk', async () => {
  const store = new LmdbPersistence({ directory })
  await fill(store)
  const text = 'x'.repeat(4000)
  for (let index = 0; index < 300; index += 1) {
    await store.publish(messageOf(text, { topic: `much/${index}`, retain: true }))
  }
  for (let index = 0; index < 300; index += 1) {
    await store.publish(messageOf('', { topic: `much/${index}`, retain: true }))
  }
  const counts = await store.counts()
  await store.close()
  const file = join(directory, 'data.mdb')
  const before = statSync(file).size
  await compactData(directory)
  expect(statSync(file).size).toBeLessThan(before / 2)
  const again = new LmdbPersistence({ directory })
  await again.open(hostOf())
  expect(await again.counts()).toEqual(counts)
  await again.close()
})

test('a directory without a store is refused, and not made', async () => {
  for (const look of [inspectData, compactData, records]) {
    await expect(look(directory)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: `${directory} has no data.mdb: no broker keeps its state there`,
    })
  }
  expect(() => statSync(directory)).toThrow()
})

test('inspect names what nothing explains', async () => {
  const store = new LmdbPersistence({ directory })
  await fill(store)
  await store.close()
  const database = open<Buffer, Buffer>({ path: directory, encoding: 'binary', keyEncoding: 'binary', noSubdir: false })
  await database.transaction(() => {
    for (const key of Array.from(database.getKeys())) {
      const kind = String.fromCharCode(key[0] ?? 0)
      // A session goes, and a message that two queues share.
      if (kind === 'c' && key.toString().endsWith('lamp')) void database.remove(key)
    }
  })
  await database.close()
  const { unexplained } = await inspectData(directory)
  expect(unexplained).toContain('3 × queue entry of nobody')
  expect(unexplained).toContain('2 × subscription of nobody')
})

import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Slices, systemClock } from '@x/contract'
import type { PersistenceHost } from '@x/contract'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'directory-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const host: PersistenceHost = {
  brokerId: 'broker',
  clock: systemClock,
  slices: new Slices(),
  limits: { maximumQueuedMessages: 1000, maximumQueuedBytes: 1_000_000, overflow: 'dropOldest' },
  groupReady: () => {},
  dropped: () => {},
}

async function fill(directory: string): Promise<string> {
  const store = new LmdbPersistence({ directory })
  await store.open(host)
  for (let index = 0; index < 100; index += 1) {
    await store.publish({
      topic: `topic/${index}`,
      payload: Buffer.alloc(1000),
      qos: 1,
      retain: true,
      properties: undefined,
      expiresAt: undefined,
      publisher: undefined,
      brokerId: 'broker',
      brokerCounter: index,
    })
  }
  await store.close()
  return join(directory, 'data.mdb')
}

async function refusal(directory: string): Promise<string> {
  try {
    await new LmdbPersistence({ directory }).open(host)
  } catch (error) {
    expect(error).toMatchObject({ name: 'PersistenceError', code: 'UNAVAILABLE' })
    return (error as Error).message
  }
  throw new Error('it was opened')
}

test('a file of something else is refused with its path, and left as it is', async () => {
  const file = join(root, 'data.mdb')
  for (const content of ['x', 'something else entirely'.repeat(1000), '\0'.repeat(10_000)]) {
    writeFileSync(file, content)
    expect(await refusal(root)).toBe(
      `${file} is not a file of this store, or its beginning is damaged; move it away, or name another directory`,
    )
    expect(readFileSync(file, 'latin1')).toBe(content)
  }
})

test('a file that was cut off is refused with what it has and what it should have', async () => {
  const file = await fill(root)
  truncateSync(file, 16_384)
  expect(await refusal(root)).toMatch(
    /data\.mdb has 16384 bytes, but \d+ belong to it: it was cut off; restore it from a backup, or name another directory$/,
  )
})

test('a file that another broker is writing is taken for cut off no sooner than it stays so', async () => {
  const file = await fill(root)
  const content = readFileSync(file)
  truncateSync(file, 16_384)
  const signal = new Int32Array(new SharedArrayBuffer(4))
  const writing = `
    const { openSync, writeSync } = require('node:fs')
    const { file, rest, signal } = require('node:worker_threads').workerData
    Atomics.wait(signal, 0, 0)
    writeSync(openSync(file, 'r+'), rest, 0, rest.length, 16384)
  `
  const other = new Worker(writing, { eval: true, workerData: { file, rest: content.subarray(16_384), signal } })
  onTestFinished(async () => void (await other.terminate()))
  await once(other, 'online')
  Atomics.store(signal, 0, 1)
  Atomics.notify(signal, 0)
  const store = new LmdbPersistence({ directory: root })
  await store.open(host)
  expect(await store.counts()).toMatchObject({ retainedMessages: 100 })
  await store.close()
})

test('a path that is no directory is refused', async () => {
  const file = join(root, 'file')
  writeFileSync(file, '')
  expect(await refusal(file)).toMatch(/file cannot be made or written by this user: EEXIST/)
  expect(await refusal(join(file, 'below'))).toMatch(/below cannot be made or written by this user: ENOTDIR/)
})

test.skipIf(process.getuid?.() === 0)('a directory that may not be written is refused', async () => {
  const directory = join(root, 'locked')
  mkdirSync(directory)
  chmodSync(directory, 0o500)
  expect(await refusal(directory)).toMatch(/locked cannot be made or written by this user: EACCES/)
})

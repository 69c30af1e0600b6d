import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SessionHandle } from '@x/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, lampSession, messageOf, subscriptionTo } from './support/host.ts'

const size = 6 * 1024 * 1024

let disk = ''
let isMounted = false

function mount(): void {
  disk = mkdtempSync(join(tmpdir(), 'small-disk-'))
  isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk]).status === 0
}

function unmount(): void {
  if (isMounted) execFileSync('umount', ['-l', disk])
  isMounted = false
  rmSync(disk, { recursive: true, force: true })
}

mount()
const canMount = isMounted
unmount()

describe.skipIf(!canMount)('on a small disk (needs mount -t tmpfs -o size=6m)', () => {
  let store: LmdbPersistence
  let lamp: SessionHandle
  let filler = ''

  beforeEach(async () => {
    mount()
    filler = join(disk, 'filler')
    store = new LmdbPersistence({ directory: join(disk, 'data') })
    await store.open(hostOf())
    lamp = (await store.openSession(lampSession)).handle
    await store.subscribe(lamp, [subscriptionTo('light/+')])
  })
  afterEach(async () => {
    await store.close()
    unmount()
  })

  /** Publishes until nothing more can be stored; returns what was acknowledged. */
  async function fill(from = 0): Promise<string[]> {
    const acknowledged: string[] = []
    for (let refused = 0; refused < 20;) {
      const texts = Array.from({ length: 5 }, (_, index) => `${from + acknowledged.length + index} `.padEnd(8000, 'x'))
      const results = await Promise.allSettled(texts.map(async text => store.publish(messageOf(text))))
      for (const [index, result] of results.entries()) {
        if (result.status === 'fulfilled') acknowledged.push(texts[index] ?? '')
        else {
          refused += 1
          expect(result.reason).toMatchObject({
            code: 'QUOTA_EXCEEDED',
            message: expect.stringContaining('disk is full'),
          })
        }
      }
    }
    return acknowledged
  }

  /** Something is stored again. */
  async function storable(text: string): Promise<void> {
    await expect
      .poll(async () =>
        (async () => store.publish(messageOf(text)))().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
  }

  test('what can not be stored is refused, and nothing that was acknowledged is lost', async () => {
    const acknowledged = await fill()
    expect(acknowledged.length).toBeGreaterThan(100)
    const found = await store.read(lamp, 0, 10_000)
    expect(found.map(({ message }) => message.payload.toString())).toEqual(acknowledged)
    await store.close()
    await store.open(hostOf())
    lamp = (await store.openSession(lampSession)).handle
    const again = await store.read(lamp, 0, 10_000)
    expect(again.map(({ message }) => message.payload.toString())).toEqual(acknowledged)
  })

  test('reading, acknowledging and connecting go on, also beside publishers that are refused', async () => {
    const acknowledged = await fill()
    const refused = Promise.allSettled(
      Array.from({ length: 50 }, async () => store.publish(messageOf('y'.repeat(100_000)))),
    )
    const entries = await store.read(lamp, 0, 50)
    expect(entries).toHaveLength(50)
    for (const { sequence } of entries) store.acknowledge(lamp, sequence)
    await store.release(lamp, 51)
    expect((await refused).every(({ status }) => status === 'rejected')).toBe(true)
    const again = await store.openSession(lampSession)
    expect(again.present).toBe(true)
    const left = await store.read(again.handle, 0, 10_000)
    expect(left.map(({ sequence }) => sequence)[0]).toBe(51)
    expect(left).toHaveLength(acknowledged.length - 50)
    expect((await store.counts()).queuedMessages).toBe(acknowledged.length - 50)
  })

  test('goes on by itself once there is room', async () => {
    writeFileSync(filler, Buffer.alloc(3 * 1024 * 1024))
    const before = await fill()
    rmSync(filler)
    await storable('first')
    const after = ['first', ...(await fill(before.length))]
    expect(after.length).toBeGreaterThan(50)
    const found = await store.read(lamp, 0, 10_000)
    expect(found.map(({ message }) => message.payload.toString())).toEqual([...before, ...after])
  })

  test('what waited to be written while the disk was full is written afterwards', async () => {
    writeFileSync(filler, Buffer.alloc(3 * 1024 * 1024))
    await fill()
    const entries = await store.read(lamp, 0, 10_000)
    for (const { sequence } of entries) store.acknowledge(lamp, sequence)
    await Promise.allSettled(Array.from({ length: 20 }, async () => store.publish(messageOf('z'.repeat(300_000)))))
    rmSync(filler)
    await storable('last')
    expect((await store.counts()).queuedMessages).toBe(1)
  })
})

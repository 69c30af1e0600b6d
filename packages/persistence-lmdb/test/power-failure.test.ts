import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { inspectData } from '../src/data/index.ts'
import { LmdbPersistence } from '../src/index.ts'
import { hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

const imageSize = 96 * 1024 * 1024

let root = ''
const mounted: string[] = []

function succeeds(program: string, ...parameters: string[]): boolean {
  return spawnSync(program, parameters).status === 0
}

function mount(image: string, name: string): string | undefined {
  const place = join(root, name)
  mkdirSync(place)
  if (!succeeds('mount', '-o', 'loop', image, place)) return undefined
  mounted.push(place)
  return place
}

function makeImage(): string {
  const image = join(root, 'image')
  writeFileSync(image, '')
  truncateSync(image, imageSize)
  return succeeds('mkfs.ext4', '-q', '-F', image) ? image : ''
}

function begin(): void {
  root = mkdtempSync(join(tmpdir(), 'power-failure-'))
}

function end(): void {
  for (const place of mounted.splice(0)) succeeds('umount', '-l', place)
  rmSync(root, { recursive: true, force: true })
}

begin()
const canMount = mount(makeImage(), 'probe') !== undefined
end()
beforeEach(begin)
afterEach(end)

/** What a later start finds on a copy of the disk. */
async function queuedIn(directory: string): Promise<readonly string[]> {
  expect((await inspectData(directory)).unexplained).toEqual([])
  const store = new LmdbPersistence({ directory })
  await store.open(hostOf())
  const { handle, present } = await store.openSession(lampSession)
  expect(present).toBe(true)
  const entries = await store.read(handle, 0, 1_000_000)
  await store.closeSession(handle, leaving)
  await store.close()
  return entries.map(({ message }) => message.payload.toString())
}

// The file system lies in a file. What its own pages have and the file has not, is lost with the power. The process is held while the
// file is copied, at any of its instructions.
test.skipIf(!canMount)(
  'what was acknowledged is in a copy of the disk that was made between two fsyncs (needs mount -o loop)',
  async () => {
    const image = makeImage()
    const disk = mount(image, 'disk') ?? ''
    const remote = new RemotePersistence(join(disk, 'data'))
    await remote.open(hostOf())
    const { handle } = await remote.openSession(lampSession)
    await remote.subscribe(handle, [subscriptionTo('light/+')])
    await remote.closeSession(handle, leaving)
    const acknowledged: string[] = []
    let sent = 0
    let isOver = false
    const publishing = Array.from({ length: 20 }, async () => {
      while (!isOver) {
        const text = `${(sent += 1)} `.padEnd(200, 'x')
        await remote.publish(messageOf(text))
        acknowledged.push(text)
      }
    })
    const copies: { image: string; acknowledged: readonly string[] }[] = []
    for (let copy = 0; copy < 6; copy += 1) {
      const before = acknowledged.length
      await expect.poll(() => acknowledged.length, { interval: 1 }).toBeGreaterThan(before + 50 + copy * 7)
      remote.hold()
      const known = [...acknowledged]
      const copied = join(root, `copy-${copy}`)
      copyFileSync(image, copied)
      copies.push({ image: copied, acknowledged: known })
      remote.goOn()
    }
    isOver = true
    await Promise.all(publishing)
    await remote.close()
    for (const [place, copy] of copies.entries()) {
      const found = new Set(await queuedIn(join(mount(copy.image, `restored-${place}`) ?? '', 'data')))
      expect(copy.acknowledged.filter(text => !found.has(text))).toEqual([])
    }
  },
)

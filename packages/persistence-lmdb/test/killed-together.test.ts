import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'
import { hostOf, lampSession, leaving, messageOf, subscriptionTo } from './support/host.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

const rounds = 3
const publishers = 20
/** ms in which a process starts and opens a store. */
const joinTime = 2000

/** For a process whose disk takes 100 ms for each flush, as a worn SD card does. Without a C compiler the disk is as quick as it is, and
 * the test seldom meets the moment that it is about. */
function slowDisk(root: string): Readonly<Record<string, string>> {
  const [source, library] = [join(root, 'slow.c'), join(root, 'slow.so')]
  writeFileSync(source, '#include <unistd.h>\nint fdatasync(int file) { usleep(100000); return 0; }\n')
  return spawnSync('cc', ['-shared', '-fPIC', '-o', library, source]).status === 0 ? { LD_PRELOAD: library } : {}
}

/** Publishes until the store ends. */
async function publishOn(store: RemotePersistence, name: string, acknowledged: Set<string>): Promise<void> {
  try {
    for (let number = 0; ; number += 1) {
      const text = `${name} ${number}`
      await store.publish(messageOf(text))
      acknowledged.add(text)
    }
  } catch {
    // It was killed.
  }
}

// The one that is held has committed what is not on the disk yet, another one has built on that and waits, and the one that joins takes
// both for written.
const title =
  'brokers that are killed together, one held while its disk writes and another one just joining, leave a whole store with all that was acknowledged'
test(title, async () => {
  const root = temporaryFolder()
  const directory = join(root, 'data')
  const environment = slowDisk(root)
  const first = new RemotePersistence(directory)
  await first.open(hostOf())
  const { handle } = await first.openSession(lampSession)
  await first.subscribe(handle, [subscriptionTo('light/+')])
  await first.closeSession(handle, leaving)
  await first.close()
  for (let round = 0; round < rounds; round += 1) {
    const acknowledged = new Set<string>()
    const held = new RemotePersistence(directory, '', environment)
    await held.open(hostOf())
    const busy = new RemotePersistence(directory)
    await busy.open(hostOf())
    const publishing = Array.from({ length: publishers }, async (_, index) =>
      publishOn(index % 2 === 0 ? held : busy, `${round} ${index}`, acknowledged),
    )
    await expect.poll(() => acknowledged.size, { interval: 1 }).toBeGreaterThan(200 + round * 7)
    held.hold()
    const joining = new RemotePersistence(directory)
    const joined = joining.open(hostOf()).catch(() => undefined)
    // It may wait for the other one for ever.
    await Promise.race([joined, new Promise(resolve => setTimeout(resolve, joinTime))])
    await Promise.all([held.kill(), busy.kill(), joining.kill()])
    await Promise.all([...publishing, joined])
    // In a process of its own, since lmdb ends one that opens a store which is not whole.
    const later = new RemotePersistence(directory)
    await later.open(hostOf())
    const opened = await later.openSession(lampSession)
    const entries = await later.read(opened.handle, 0, 1_000_000)
    const found = new Set(entries.map(({ message }) => message.payload.toString()))
    expect([...acknowledged].filter(text => !found.has(text))).toEqual([])
    await Promise.all(entries.map(async ({ sequence }) => later.acknowledge(opened.handle, sequence)))
    await later.closeSession(opened.handle, leaving)
    await later.close()
  }
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { persistenceCompliance } from '@x/contract/compliance/persistence'
import { afterAll, describe, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

for (const durability of ['disk', 'process', 'interval:1', 'interval:60000'] as const) {
  describe(`with durability ${durability}`, async () => {
    const root = mkdtempSync(join(tmpdir(), 'lmdb-'))
    afterAll(() => rmSync(root, { recursive: true, force: true }))
    let made = 0
    const directories = new WeakMap<object, string>()
    await persistenceCompliance({
      test,
      factory: () => {
        const directory = join(root, String((made += 1)))
        const store = new LmdbPersistence({ directory, durability })
        directories.set(store, directory)
        return store
      },
      // Another process, as a second broker on the machine would be. With an interval a broker has the directory for itself.
      ...(durability !== 'interval:1' &&
        durability !== 'interval:60000' && {
          reopen: (store: object) => new RemotePersistence(directories.get(store) ?? ''),
        }),
      settleMilliseconds: 40,
    })
  })
}

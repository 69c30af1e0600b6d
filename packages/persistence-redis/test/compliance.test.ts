import { persistenceCompliance } from '@x/contract/compliance/persistence'
import { hasRedisServer, spawnCluster, spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { RedisPersistence } from '../src/index.ts'
import type { RedisPersistenceOptions } from '../src/index.ts'

const kinds = [
  { title: 'one Redis', spawn: spawnRedis, scripting: 'functions' },
  { title: 'one Redis, by scripts', spawn: spawnRedis, scripting: 'scripts' },
  { title: 'a Redis Cluster of three', spawn: async () => spawnCluster(3), scripting: 'functions' },
] as const

for (const { title, spawn, scripting } of kinds) {
  describe.skipIf(!hasRedisServer())(`on ${title} (apt-get install redis-server)`, async () => {
    let server: SpawnedRedis | undefined
    let made = 0
    const options = new WeakMap<object, RedisPersistenceOptions>()
    beforeAll(async () => {
      server = await spawn()
    })
    afterAll(async () => server?.stop())

    const make = (chosen: RedisPersistenceOptions): RedisPersistence => {
      const store = new RedisPersistence(chosen)
      options.set(store, chosen)
      return store
    }
    await persistenceCompliance({
      test,
      // The first is asked for before there is a server, and never opened.
      factory: () => make({ redis: server?.url ?? 'redis://localhost', prefix: `test${(made += 1)}`, scripting }),
      reopen: store => make(options.get(store) as RedisPersistenceOptions),
      settleMilliseconds: 40,
    })
  })
}

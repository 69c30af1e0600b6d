import { emitterCompliance } from '@x/contract/compliance/emitter'
import { hasRedisServer, spawnCluster, spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { RedisEmitter } from '../src/index.ts'

const kinds = [
  { title: 'one Redis', spawn: spawnRedis, scripting: 'functions', settleMilliseconds: 40 },
  { title: 'one Redis, by scripts', spawn: spawnRedis, scripting: 'scripts', settleMilliseconds: 40 },
  // Nodes delay what they tell each other by up to 40 ms: small packets wait for the acknowledgement of those before.
  { title: 'a Redis Cluster', spawn: async () => spawnCluster(3), scripting: 'functions', settleMilliseconds: 110 },
] as const

for (const { title, spawn, scripting, settleMilliseconds } of kinds) {
  describe.skipIf(!hasRedisServer())(`on ${title} (apt-get install redis-server)`, () => {
    let server: SpawnedRedis | undefined
    let networks = 0
    beforeAll(async () => {
      server = await spawn()
    })
    afterAll(async () => server?.stop())

    emitterCompliance({
      test,
      factory: () => {
        const prefix = `test${(networks += 1)}`
        return { emitter: () => new RedisEmitter({ redis: server?.url ?? '', prefix, scripting }) }
      },
      settleMilliseconds,
    })
  })
}

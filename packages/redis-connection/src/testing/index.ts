export type { SpawnedRedis } from './spawn-redis.ts'
export { hasRedisServer, spawnCluster, spawnRedis } from './spawn-redis.ts'

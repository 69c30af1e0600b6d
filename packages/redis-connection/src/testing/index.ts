export type { RedisParameters, SpawnedCluster, SpawnedRedis } from './spawn-redis.ts'
export { hasRedisServer, spawnCluster, spawnRedis, spawnSentinel } from './spawn-redis.ts'
export type { RedisWithPast } from './redis-with-past.ts'
export { spawnRedisWithPast } from './redis-with-past.ts'

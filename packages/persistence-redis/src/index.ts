export type { RedisPersistenceOptions } from './redis-persistence.ts'
export { RedisPersistence, redisPersistenceOptions } from './redis-persistence.ts'

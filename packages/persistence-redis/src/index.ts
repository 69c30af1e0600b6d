export type { RedisPersistenceOptions } from './redis-persistence.ts'
export { RedisPersistence } from './redis-persistence.ts'

export type { RedisPersistenceOptions } from './redis-persistence.ts'
export { RedisPersistence, redisPersistenceOptions } from './redis-persistence.ts'
export type { QueuedSummary, SessionSummary, StoreSummary } from './store-inspection.ts'
export { StoreInspection } from './store-inspection.ts'

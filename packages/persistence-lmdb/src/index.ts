export { LmdbPersistence } from './lmdb-persistence.ts'
export type { Durability, LmdbPersistenceOptions } from './options.ts'

export type { MemoryPersistenceOptions } from './memory-persistence.ts'
export { MemoryPersistence } from './memory-persistence.ts'
export type { RestoredSession } from './session-store.ts'

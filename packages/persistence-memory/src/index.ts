export type { MemoryPersistenceOptions } from './memory-persistence.ts'
export { MemoryPersistence } from './memory-persistence.ts'

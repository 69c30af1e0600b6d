/** The store that tests run on. By path, since this package must not depend on any store. */
export { MemoryPersistence } from '../../../persistence-memory/src/index.ts'

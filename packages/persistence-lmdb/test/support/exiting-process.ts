import { LmdbPersistence } from '../../src/index.ts'
import { hostOf, lampSession } from './host.ts'

/** A process that exits while a transaction of its store is under way. */
const [, , directory = ''] = process.argv
const store = new LmdbPersistence({ directory })
await store.open(hostOf())
void store.openSession(lampSession)
// lmdb's thread has begun by then, and waits for the event loop.
setImmediate(() => process.exit())

import { test } from 'vitest'
import { persistenceCompliance } from '../src/compliance/persistence.ts'
import { ReferencePersistence } from './reference-persistence.ts'

const stores = new WeakMap<object, ReferencePersistence>()

await persistenceCompliance({
  test,
  factory: () => {
    const store = new ReferencePersistence()
    stores.set(store, store)
    return store
  },
  reopen: store => new ReferencePersistence(stores.get(store)?.data),
})

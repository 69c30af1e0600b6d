import { persistenceCompliance } from '@x/contract/compliance/persistence'
import { afterAll, afterEach, describe, test } from 'vitest'
import { fromAedesPersistence } from '../src/index.ts'
import { level, memory, mongodb, nedb, redis } from './old-stores.ts'

for (const store of [memory(), level(), nedb(), redis(), mongodb()]) {
  describe.skipIf(store.missing !== undefined)(store.name, async () => {
    const made: object[] = []
    afterEach(async () => {
      for (const each of made.splice(0)) await store.destroy(each)
    })
    afterAll(() => store.end())
    if (store.missing !== undefined) {
      test(`needs what is not here: ${store.missing}`, () => undefined)
      return
    }
    await persistenceCompliance({
      test,
      settleMilliseconds: 5,
      factory: async () => {
        await store.clear()
        const old = store.make()
        made.push(old)
        return fromAedesPersistence(old)
      },
    })
  })
}

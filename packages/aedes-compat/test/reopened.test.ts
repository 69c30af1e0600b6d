import { Slices } from '@x/contract'
import type { Message, Persistence } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { fromAedesPersistence } from '../src/index.ts'
import { level, mongodb, nedb, redis } from './old-stores.ts'
import type { OldStore } from './old-stores.ts'

const limits = { maximumQueuedMessages: 10, maximumQueuedBytes: 1000, overflow: 'dropOldest' } as const

// A REPLY TO of 'r' and correlation data of three bytes that are no text, MQTT 5.0 §3.3.2.3.5 and §3.3.2.3.6.
const properties = Buffer.from([0x08, 0, 1, 0x72, 0x09, 0, 3, 0xff, 0x00, 0x80])

const message: Message = {
  topic: 'a',
  payload: Buffer.from([0xff, 0x00, 0x80]),
  qos: 1,
  retain: true,
  properties,
  expiresAt: undefined,
  publisher: 'publisher',
  brokerId: 'b',
  brokerCounter: 1,
}

async function open(store: object): Promise<Persistence> {
  const persistence = fromAedesPersistence(store)
  const host = {
    brokerId: 'b',
    clock: new ManualClock(),
    slices: new Slices(),
    limits,
    groupReady: () => undefined,
    dropped: () => undefined,
  }
  await persistence.open(host)
  return persistence
}

const stores: readonly OldStore[] = [level(), nedb(), redis(), mongodb()]

describe.each(stores.filter(({ missing }) => missing === undefined))('$name', store => {
  afterAll(() => store.end())

  test('a retained message of an earlier life has its bytes, and its properties where the store keeps them', async () => {
    await store.clear()
    const earlier = store.make()
    const persistence = await open(earlier)
    await persistence.publish(message)
    await persistence.close()
    await store.destroy(earlier)
    const later = store.make()
    const reopened = await open(later)
    const [retained] = await reopened.retained('a')
    await reopened.close()
    await store.destroy(later)
    expect(retained?.payload).toEqual(message.payload)
    expect([undefined, properties]).toContainEqual(retained?.properties)
  })
})

import type { Message, Receipt, Will } from '@x/contract'
import { expect, test } from 'vitest'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { startBroker } from './support/start-broker.ts'

/** Notes what is confirmed, and can be full. */
class SharedPersistence extends MemoryPersistence {
  readonly confirmed: string[] = []
  full = false

  confirmWill(will: Will): void {
    this.confirmed.push(will.clientId)
  }

  override publish(message: Message, receipt?: Receipt): number {
    if (this.full) throw new Error('disk full')
    return super.publish(message, receipt)
  }
}

const will = { topic: 'w', qos: 1, payload: 'gone' } as const

test('a will is confirmed to the store once it is published', async () => {
  const store = new SharedPersistence()
  const server = await startBroker({ persistence: store })
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe(['w', 1])
  for (const qos of [0, 1] as const) {
    const client = await server.connect({ clientId: `client ${qos}`, will: { ...will, qos } })
    expect(store.confirmed).toHaveLength(qos)
    await server.drop(client)
    await watcher.nextPublish()
  }
  expect(store.confirmed).toEqual(['client 0', 'client 1'])
})

test('a will that a hook refuses is confirmed, one that could not be stored is not', async () => {
  const store = new SharedPersistence()
  const authorizePublish = async (): Promise<void> => {
    if (!store.full) throw new Error('not allowed')
  }
  const server = await startBroker({ persistence: store, authorizePublish })
  const errors: unknown[] = []
  server.broker.on('clientError', (client, error) => errors.push([client.id, error.message]))
  await server.drop(await server.connect({ clientId: 'refused', will }))
  await expect.poll(() => store.confirmed).toEqual(['refused'])
  store.full = true
  await server.drop(await server.connect({ clientId: 'kept', will }))
  await expect.poll(() => errors).toContainEqual(['kept', 'a will could not be published: disk full'])
  expect(errors).toContainEqual(['refused', 'not allowed'])
  expect(store.confirmed).toEqual(['refused'])
})

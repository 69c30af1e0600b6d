import { once } from 'node:events'
import type { Message, Receipt, Will } from '@x/contract'
import { expect, test } from 'vitest'
import { sentenceOf } from '../src/index.ts'
import { DelayedPersistence } from './support/delayed-persistence.ts'
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

test.each([
  ['answers at once', new MemoryPersistence()],
  ['answers later', new DelayedPersistence(new MemoryPersistence(), 7)],
])('authorizePublish, and subscribers, have a will before clientDisconnect, with a store that %s', async (_, store) => {
  const seen: string[] = []
  const server = await startBroker({
    persistence: store,
    authorizePublish: async () => void seen.push('authorizePublish'),
  })
  await server.broker.subscribe('w', () => void seen.push('will'))
  const gone = once(server.broker, 'clientDisconnect').then(() => seen.push('clientDisconnect'))
  await server.drop(await server.connect({ clientId: 'mortal', will: { ...will, qos: 0 } }))
  await gone
  await expect.poll(() => seen.toSorted()).toEqual(['authorizePublish', 'clientDisconnect', 'will'])
  expect(seen[0]).toBe('authorizePublish')

  server.broker.authorizePublish = () => undefined
  seen.length = 0
  const goneToo = once(server.broker, 'clientDisconnect').then(() => seen.push('clientDisconnect'))
  await server.drop(await server.connect({ clientId: 'mortal', will: { ...will, qos: 0 } }))
  await goneToo
  expect(seen).toEqual(['will', 'clientDisconnect'])
})

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

test('a store that knows its wills is told which one a message is', async () => {
  const published: [will: string, topic: string][] = []
  const store = Object.assign(new SharedPersistence(), {
    publishWill: (from: Will, message: Message): number => {
      published.push([from.clientId, message.topic])
      return store.publish(message)
    },
  })
  const server = await startBroker({ persistence: store })
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe(['w', 1])
  await server.drop(await server.connect({ clientId: 'mortal', will }))
  await watcher.nextPublish()
  // One that no store has to keep.
  await server.drop(await server.connect({ clientId: 'other', will: { ...will, qos: 0 } }))
  await watcher.nextPublish()
  expect(published).toEqual([['mortal', 'w']])
})

test('a will that a hook refuses is confirmed, one that could not be stored is not', async () => {
  const store = new SharedPersistence()
  const authorizePublish = async (): Promise<void> => {
    if (!store.full) throw new Error('not allowed')
  }
  const server = await startBroker({ persistence: store, authorizePublish })
  const errors: unknown[] = []
  server.broker.on('clientError', (client, error) => errors.push([client.id, error.message, sentenceOf(error)]))
  await server.drop(await server.connect({ clientId: 'refused', will }))
  await expect.poll(() => store.confirmed).toEqual(['refused'])
  store.full = true
  await server.drop(await server.connect({ clientId: 'kept', will }))
  await expect.poll(() => errors).toContainEqual(['kept', 'disk full', 'disk full: a will could not be published'])
  expect(errors).toContainEqual(['refused', 'not allowed', 'not allowed'])
  expect(store.confirmed).toEqual(['refused'])
})

import { expect, test } from 'vitest'
import { startBroker } from './support/start-broker.ts'
import { watchProcess } from './support/watch-process.ts'
import { subscribe } from './support/wire.ts'

for (const version of [4, 5] as const) {
  test(`a filter that is wrong behind one whose hook denies later ends the connection only, version ${version}`, async () => {
    const watched = watchProcess()
    const server = await startBroker({
      authorizeSubscribe: async (_client, { topic }) => {
        await new Promise(setImmediate)
        if (topic === 's') throw new Error('denied')
        return null
      },
    })
    const bystander = await server.connect({ clientId: 'bystander' })
    const client = await server.connect({ version, clientId: 'c' })
    client.send(
      subscribe({
        version,
        filters: [
          ['s', 0],
          ['a#', 0],
        ],
      }),
    )
    await client.closed()
    await bystander.ping()
    await watched.expectCalm()
  })
}

test('a subscription that throws behind one whose hook denies later ends the resumption only', async () => {
  const watched = watchProcess()
  const server = await startBroker()
  const session = { version: 4, clientId: 'c', cleanStart: false } as const
  const client = await server.connect(session)
  await client.subscribe('first', 'second')
  await server.drop(client)
  server.broker.authorizeSubscribe = (_client, { topic }) => {
    if (topic === 'second') throw new Error('broken')
    return Promise.reject(new Error('denied'))
  }
  const again = await server.open()
  expect((await again.connect(session)).reasonCode).toBe(3)
  await watched.expectCalm()
})

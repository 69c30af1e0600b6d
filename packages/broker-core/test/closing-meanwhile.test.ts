import { expect, test } from 'vitest'
import { startBrokerWithClock } from './support/start-broker.ts'

// The program may close a client at any moment, also while the store offers that client's session a message, or drops one of it.

const sessions = {
  stored: { version: 4, clientId: 's', cleanStart: false },
  // In the store as long as its connection lives.
  'stored, ending': { version: 5, clientId: 's', cleanStart: false },
  live: { version: 4, clientId: 's' },
} as const

for (const [kind, fields] of Object.entries(sessions)) {
  test(`authorizeForward closes a client with a ${kind} session that is a member of groups as well: nothing stays queued`, async () => {
    const server = await startBrokerWithClock({
      maximumSessionExpiryInterval: 10,
      authorizeForward: (client, packet) => {
        client?.close()
        return packet
      },
    })
    const client = await server.connect(fields)
    await client.subscribe(['a', 1], ['$share/g/a', 1], ['$share/h/+', 1])
    await server.broker.publish({ topic: 'a', qos: 1, payload: 'x' })
    await client.closed()
    await server.pass(20_000)
    expect(await server.broker.counts()).toMatchObject({ queuedMessages: 0, queuedBytes: 0, sessions: 0 })
  })
}

for (const [kind, fields] of Object.entries(sessions)) {
  test(`a listener of 'dropped' closes the client with a ${kind} session whose queue is full: nothing stays queued`, async () => {
    const server = await startBrokerWithClock({
      maximumQueuedMessages: 1,
      maximumInflight: 1,
      maximumSessionExpiryInterval: 10,
    })
    const client = await server.connect(fields)
    await client.subscribe(['a', 1])
    let drops = 0
    server.broker.on('dropped', ({ queue }) => {
      drops += 1
      server.broker.client(queue)?.close()
    })
    for (const payload of ['sent', 'waits', 'drops']) await server.broker.publish({ topic: 'a', qos: 1, payload })
    await client.closed()
    expect(drops).toBe(1)
    await server.pass(20_000)
    expect(await server.broker.counts()).toMatchObject({ queuedMessages: 0, queuedBytes: 0, sessions: 0 })
  })
}

import { expect, test } from 'vitest'
import { MemoryPersistence } from '../support/memory-persistence.ts'
import { startBroker } from '../support/start-broker.ts'
import { connect, pingreq, subscribe } from '../support/wire.ts'
import { connectClient, connectLasting, connectWatcher, hex } from './wire-case.ts'

test(
  'a retained message that the store has no room for closes its connection unacknowledged, and no other',
  { tags: ['MQTT3-4.8.0-2'] },
  async () => {
    const server = await startBroker({ persistence: new MemoryPersistence({ maximumRetainedMessages: 1 }) })
    const watcher = await connectWatcher(server)
    const first = await connectClient(server, 'first')
    await first.publishDone({ topic: 'a', qos: 1, retain: true, payload: 'kept' })
    expect((await watcher.nextPublish()).payload).toBe('kept')
    for (const qos of [0, 1, 2] as const) {
      const client = await connectClient(server, 'c')
      client.publish({ topic: `b/${qos}`, qos, id: 7, retain: true, payload: 'too much' })
      expect(await client.closed()).toEqual([])
    }
    await first.ping()
    await watcher.expectNothing()
  },
)

test(
  'a session that the store has no room for is refused with a return code, and its connection closed',
  { tags: ['MQTT3-4.8.0-2', 'MQTT3-3.2.2-5'] },
  async () => {
    const server = await startBroker({ persistence: new MemoryPersistence({ maximumSessions: 1 }) })
    const first = await connectLasting(server, 'first')
    const second = await server.open()
    second.send(connect({ version: 4, clientId: 'second', cleanStart: false }), pingreq)
    expect(hex(await second.closed())).toEqual(['20020003'])
    await first.ping()
  },
)

test(
  'a hook that fails while it looks at a SUBSCRIBE closes that connection, and no other',
  { tags: ['MQTT3-4.8.0-2'] },
  async () => {
    const failures = [
      () => {
        throw new Error('no answer from the directory')
      },
      () => Promise.reject(new Error('no answer from the directory')),
    ]
    for (const fail of failures) {
      const server = await startBroker({ authorizeSubscribe: (_client, wish) => (wish.topic === 'a' ? fail() : wish) })
      const watcher = await connectWatcher(server)
      const client = await connectClient(server, 'c')
      client.send(subscribe({ version: 4, filters: [['a', 0]] }), pingreq)
      expect(await client.closed()).toEqual([])
      await watcher.expectNothing()
    }
  },
)

import { expect } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'
import { puback } from './support/wire.ts'

eachVersion(({ version, lasting, test: versionTest }) => {
  for (const [kind, fields] of [
    ['that outlives its connection', lasting],
    ['that ends with its connection', { version, cleanStart: true }],
  ] as const) {
    versionTest(`emptyOutgoingQueue drops what waits in a session ${kind}; what comes later arrives`, async () => {
      const server = await startBroker({ maximumInflight: 1 })
      const client = await server.connect({ clientId: 'c', ...fields })
      await client.subscribe(['a', 1])
      for (const payload of ['sent', 'waits', 'waits too']) await server.broker.publish({ topic: 'a', payload, qos: 1 })
      const sent = await client.nextPublish()
      expect(sent.payload).toBe('sent')
      await server.broker.client('c')?.emptyOutgoingQueue()
      client.send(puback(sent.id))
      await client.ping()
      await server.broker.publish({ topic: 'a', payload: 'later', qos: 1 })
      expect((await client.nextPublish()).payload).toBe('later')
    })
  }

  versionTest(
    'what emptyOutgoingQueue dropped unacknowledged is not sent again to a client that comes back',
    async () => {
      const server = await startBroker()
      const client = await server.connect({ clientId: 'c', ...lasting })
      await client.subscribe(['a', 2])
      for (const qos of [1, 2] as const) await server.broker.publish({ topic: 'a', payload: `${qos}`, qos })
      await client.nextPublishes(2)
      await server.broker.client('c')?.emptyOutgoingQueue()
      client.socket.end()
      await server.gone('c')
      const back = await server.connect({ clientId: 'c', ...lasting })
      expect(back.connack.sessionPresent).toBe(true)
      await server.broker.publish({ topic: 'a', payload: 'later', qos: 1 })
      expect((await back.nextPublish()).payload).toBe('later')
    },
  )
})

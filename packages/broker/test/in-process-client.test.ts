import { duplexPair } from 'node:stream'
import { MqttClient, connect } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { createBroker } from '../src/index.ts'
import type { Broker, Client } from '../src/index.ts'

const options = { clientId: 'inside', reconnectPeriod: 0 }

/** How a client gets to a broker of its own process. */
const ways: Record<string, (broker: Broker) => Promise<() => MqttClient>> = {
  'a pair of streams': broker =>
    Promise.resolve(() =>
      new MqttClient(() => {
        const [near, far] = duplexPair()
        broker.handle(far)
        return near
      }, options).connect(),
    ),
  'a listener': async broker => {
    const { url } = await broker.listen({ port: 0, host: '127.0.0.1' })
    return () => connect(url, options)
  },
}

for (const [name, open] of Object.entries(ways)) {
  for (const event of ['connackSent', 'clientReady'] as const) {
    test(`a client that ends itself in a listener of ${event} leaves; over ${name}`, async () => {
      // A pair of streams tells neither end that the other one is gone.
      const broker = createBroker({ closeTimeout: 50 })
      onTestFinished(() => broker.close())
      const start = await open(broker)
      const left = new Promise<Client>(resolve => {
        broker.on('clientDisconnect', resolve)
      })
      let client: MqttClient | undefined
      broker.on(event, () => client?.end())
      client = start()
      const closed = new Promise<void>(resolve => {
        client?.once('close', resolve)
      })
      expect((await left).id).toBe('inside')
      await closed
      expect(broker.connectedClients).toBe(0)
    })
  }
}

import { expect, test } from 'vitest'
import type { RawClient } from '../support/raw-client.ts'
import { startBroker } from '../support/start-broker.ts'
import { puback, pubcomp, publish, pubrec, pubrel } from '../support/wire.ts'
import type { QoS } from '../support/wire.ts'
import { connectClient, connectLasting } from './wire-case.ts'

const count = 200
const numbers = Array.from({ length: count }, (_, index) => index)

/** Sends `count` numbered messages at once, and takes all acknowledgements. */
async function sendNumbered(publisher: RawClient, topic: string, qos: QoS): Promise<void> {
  publisher.send(...numbers.map(index => publish({ version: 4, topic, qos, id: index + 1, payload: `${index}` })))
  for (const index of numbers) {
    if (qos === 1) await publisher.nextAck('puback', index + 1)
    if (qos === 2) await publisher.nextAck('pubrec', index + 1)
  }
  if (qos === 2) {
    publisher.send(...numbers.map(index => pubrel(index + 1)))
    for (const index of numbers) await publisher.nextAck('pubcomp', index + 1)
  }
  await publisher.ping()
}

/** Takes so many messages and completes their flows; returns the numbers of each topic in their order. */
async function receiveNumbered(
  client: RawClient,
  expected: number,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const received: Record<string, number[]> = {}
  const deliveries = await client.nextPublishes(expected)
  for (const { topic, payload } of deliveries) (received[topic] ??= []).push(Number(payload))
  const unreleased = deliveries.filter(({ qos }) => qos === 2)
  client.send(...deliveries.filter(({ qos }) => qos === 1).map(({ id }) => puback(id)))
  client.send(...unreleased.map(({ id }) => pubrec(id)))
  for (const { id } of unreleased) await client.nextAck('pubrel', id)
  client.send(...unreleased.map(({ id }) => pubcomp(id)))
  await client.expectNothing()
  return received
}

for (const qos of [0, 1, 2] as const) {
  test(
    `messages of two publishers at QoS ${qos} keep the order of each, for exact and wildcard filters`,
    { tags: ['MQTT3-4.6.0-5', 'MQTT3-4.6.0-6'] },
    async () => {
      const server = await startBroker()
      const subscribers = await Promise.all(
        ['n/a', 'n/+', '#'].map(async filter => {
          const client = await connectClient(server, filter)
          await client.subscribe([filter, 2])
          return { client, expected: filter === 'n/a' ? { 'n/a': numbers } : { 'n/a': numbers, 'n/b': numbers } }
        }),
      )
      const publishers = [await connectClient(server, 'a'), await connectClient(server, 'b')]
      await Promise.all(publishers.map(publisher => sendNumbered(publisher, `n/${publisher.clientId}`, qos)))
      for (const { client, expected } of subscribers) {
        expect(await receiveNumbered(client, count * Object.keys(expected).length)).toEqual(expected)
      }
    },
  )
}

for (const qos of [1, 2] as const) {
  test(
    `messages at QoS ${qos} that waited for an offline session come in the order they were published`,
    { tags: ['MQTT3-4.6.0-6', 'MQTT3-3.1.2-5'] },
    async () => {
      const server = await startBroker()
      const client = await connectLasting(server, 's')
      await client.subscribe(['n/a', 2])
      await server.drop(client)
      await sendNumbered(await connectClient(server, 'p'), 'n/a', qos)
      expect(await receiveNumbered(await connectLasting(server, 's'), count)).toEqual({ 'n/a': numbers })
    },
  )
}

test(
  'deliveries that are sent again keep the order they had, QoS 1 and 2 together',
  { tags: ['MQTT3-4.6.0-1', 'MQTT3-4.6.0-6', 'MQTT3-4.4.0-1'] },
  async () => {
    const server = await startBroker()
    const client = await connectLasting(server, 's')
    await client.subscribe(['a', 2])
    for (const [index, qos] of ([1, 2, 2, 1, 2] as const).entries()) {
      await server.broker.publish({ topic: 'a', qos, payload: `${index}` })
    }
    const first = await client.nextPublishes(5)
    await server.drop(client)
    const again = await connectLasting(server, 's')
    const second = await again.nextPublishes(5)
    expect(second.map(({ id, qos, dup }) => [id, qos, dup])).toEqual(first.map(({ id, qos }) => [id, qos, true]))
    expect(second.map(({ payload }) => payload)).toEqual(['0', '1', '2', '3', '4'])
  },
)

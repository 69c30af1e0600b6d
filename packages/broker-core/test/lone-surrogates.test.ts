import { expect, test } from 'vitest'
import type { Broker, Client } from '../src/index.ts'
import { startBroker } from './support/start-broker.ts'

/** Half of a surrogate pair has no UTF-8 form: it would arrive as another character. */
const half = 'half \ud800 pair'

type Entry = (broker: Broker, client: Client) => unknown

const topics: Readonly<Record<string, Entry>> = {
  'broker.publish': broker => broker.publish({ topic: half, payload: 'x' }),
  'client.publish': (_broker, client) => client.publish({ topic: half, payload: 'x' }),
}

const filters: Readonly<Record<string, Entry>> = {
  'broker.subscribe': broker => broker.subscribe(half, () => undefined),
  'broker.subscribe to a shared filter': broker => broker.subscribe(`$share/${half}/a`, () => undefined),
  'client.subscribe': (_broker, client) => client.subscribe({ topic: half, qos: 0 }),
  'client.unsubscribe': (_broker, client) => client.unsubscribe({ topic: half }),
}

const properties: Readonly<Record<string, object>> = {
  responseTopic: { responseTopic: half },
  contentType: { contentType: half },
  'the name of a user property': { userProperties: { [half]: 'x' } },
  'the value of a user property': { userProperties: { x: half } },
}

/** What a call throws, rejects with, or hands to its callback. */
async function refusal(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return 'nothing was refused'
}

for (const [name, entry] of Object.entries(topics)) {
  test(
    `${name} refuses a topic with half of a surrogate pair, and nobody gets it`,
    { tags: ['MQTT5-1.5.4-1'] },
    async () => {
      const server = await startBroker()
      const peer = await server.connect({ version: 5, clientId: 'c' })
      await peer.subscribe('#')
      const client = server.broker.client('c') as Client
      expect(await refusal(() => entry(server.broker, client))).toMatchObject({ code: 'TOPIC_HAS_SURROGATE' })
      await peer.expectNothing()
    },
  )
}

test.each(Object.entries(filters))(
  '%s refuses a filter with half of a surrogate pair [MQTT5-1.5.4-1]',
  async (_, entry) => {
    const server = await startBroker()
    await server.connect({ version: 5, clientId: 'c' })
    const client = server.broker.client('c') as Client
    expect(await refusal(() => entry(server.broker, client))).toMatchObject({ code: 'FILTER_HAS_SURROGATE' })
  },
)

test.each(Object.entries(properties))('broker.publish refuses half of a surrogate pair in %s', async (_, given) => {
  const server = await startBroker()
  const peer = await server.connect({ version: 5, clientId: 'c' })
  await peer.subscribe('#')
  const publishing = (): unknown => server.broker.publish({ topic: 't', payload: 'x', properties: given })
  expect(await refusal(publishing)).toMatchObject({ code: 'UTF8_INVALID' })
  await peer.expectNothing()
})

test('a pair of surrogates is one character, and passes', async () => {
  const server = await startBroker()
  const peer = await server.connect({ version: 4, clientId: 'c' })
  await peer.subscribe('\u{1f600}/+')
  await server.broker.publish({ topic: '\u{1f600}/\u{1f4a1}', payload: 'x' })
  expect(await peer.nextPublish()).toMatchObject({ topic: '\u{1f600}/\u{1f4a1}' })
})

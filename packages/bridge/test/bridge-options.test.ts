import { expect, test } from 'vitest'
import { bridge } from '../src/index.ts'

const good = { name: 'house', addresses: 'mqtt://b', topics: [{ filter: 'a' }] }

test.each<[object, string]>([
  [{ name: undefined }, 'option name of bridge is missing, it must be a text without +, #, / and spaces'],
  [{ name: 'a/b' }, "option name is 'a/b', it must be a text without +, #, / and spaces"],
  [{ addresses: undefined }, 'option addresses of bridge is missing'],
  [{ addresses: [] }, 'option addresses is an empty list'],
  [{ addresses: 'b:1883' }, "option addresses has 'b:1883', it must be a URL like mqtt://host:1883"],
  [{ addresses: 'http://b' }, "option addresses has 'http://b', it must be a URL"],
  [{ addresses: 'mqtt://u:geheim@b' }, "option addresses has 'mqtt://…@b', user name and password belong into"],
  [{ topics: undefined }, 'option topics of bridge is missing'],
  [{ topics: [] }, 'option topics is an empty list'],
  [{ topics: ['a'] }, "topics[0]: the options of topics[0] are 'a', they must be an object"],
  [{ topics: [{ filter: 'a' }, {}] }, 'topics[1].filter is missing'],
  [
    { topics: [{ filter: 'a', direction: 'up' }] },
    "topics[0]: option direction is 'up', it must be one of 'in', 'out', 'both'",
  ],
  [{ topics: [{ filter: 'a', qos: 3 }] }, 'topics[0]: option qos is 3, it must be 0, 1 or 2'],
  [{ topics: [{ filter: 'a/#/b' }] }, "topics[0] makes the filter 'a/#/b': "],
  [{ topics: [{ filter: 'a', localPrefix: 'x/+/' }] }, "topics[0].localPrefix is 'x/+/': a prefix is taken literally"],
  [
    { topics: [{ filter: '', localPrefix: 'x' }] },
    'topics[0].filter is empty: localPrefix and remotePrefix must name a topic each',
  ],
  [{ protocolVersion: 6 }, 'option protocolVersion is 6, it must be 3, 4 or 5'],
  [{ keepAlive: 1 }, 'option keepAlive is 1, it must be a whole number from 5 to 65535'],
  [{ receiveMaximum: 0 }, 'option receiveMaximum is 0, it must be a whole number from 1 to 65535'],
  [
    { reconnectDelay: { least: 10, greatest: 5 } },
    'reconnectDelay.greatest is 5, it must not be below reconnectDelay.least of 10',
  ],
  [{ reconnectDelay: { most: 5 } }, 'reconnectDelay: option most of reconnectDelay is unknown'],
  [{ startType: 'manual' }, "option startType is 'manual', it must be 'automatic' or 'once'"],
  [{ adresses: 'x' }, "option adresses of bridge is unknown (it is 'x'); did you mean addresses?"],
])('the options %j are refused at once', (options, message) => {
  expect(() => bridge({ ...good, ...options })).toThrow(message)
  expect(() => bridge({ ...good, ...options })).toThrow(
    expect.objectContaining({ code: 'BRIDGE_OPTION_INVALID' }) as Error,
  )
})

test('a bridge belongs to one broker', async () => {
  const made = bridge(good)
  const { startBroker } = await import('./support/brokers.ts')
  const { broker } = await startBroker({ id: 'first', plugins: [made] })
  await broker.ready
  await expect(made.attach(broker)).rejects.toMatchObject({
    code: 'BRIDGE_ATTACHED',
    message: 'bridge house belongs to broker first already',
  })
})

import { once } from 'node:events'
import { expect, test } from 'vitest'
import { bridge } from '../src/index.ts'
import type { Bridge, BridgeError, BridgeOptions } from '../src/index.ts'
import { agreeable, startFakeBroker } from './support/fake-broker.ts'
import { quick, startBridge, startBroker, watch } from './support/brokers.ts'

async function startFailing(options: Partial<BridgeOptions> & Pick<BridgeOptions, 'addresses'>): Promise<{
  readonly bridge: Bridge
  readonly error: BridgeError
  readonly errors: readonly { readonly message: string }[]
}> {
  const made = bridge({ name: 'house', topics: [{ filter: 'a/#', qos: 2, direction: 'both' }], ...quick, ...options })
  const failed = once(made, 'disconnected')
  const { errors } = await startBroker({ plugins: [made] })
  const [error] = (await failed) as [BridgeError]
  return { bridge: made, error, errors }
}

/** Of MQTT 3.1.1 §3.2.2.3 and MQTT 5.0 §3.2.2.2; an unacceptable version, retain and QoS are tried in another way first. */
const codes = {
  4: [2, 3, 4, 5],
  5: [0x80, 0x81, 0x82, 0x83, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9c, 0x9d, 0x9f],
} as const

test.each([
  ...codes[4].map(code => [4, code, `refused the connection with ${code}`] as const),
  ...codes[5].map(code => [5, code, `refused the connection with 0x${code.toString(16)}: who are you?`] as const),
])('a refusal of version %i with code %i is told with its reason, and tried again', async (version, code, text) => {
  const remote = await startFakeBroker((_packet, { send }) =>
    send({
      cmd: 'connack',
      sessionPresent: false,
      ...(version === 5 ? { reasonCode: code, properties: { reasonString: 'who are you?' } } : { returnCode: code }),
    }),
  )
  const { bridge: made, error, errors } = await startFailing({ addresses: remote.url, protocolVersion: version })
  expect(error).toMatchObject({ code: 'BRIDGE_REFUSED', reasonCode: code })
  expect(error.message).toContain(text)
  await expect.poll(() => remote.connects.length).toBeGreaterThan(2)
  expect(errors.map(({ message }) => message)).toEqual([`bridge house: ${error.message}`])
  expect(made.counters.failures).toBeGreaterThan(1)
})

test('a broker that does not know MQTT 5.0 is spoken to with 3.1.1, first as a bridge and then as a client', async () => {
  const remote = await startFakeBroker((packet, peer) => {
    if (packet.cmd !== 'connect') return agreeable(packet, peer)
    if (packet.protocolVersion === 5 || packet.bridgeMode === true) peer.socket.end(Buffer.of(0x20, 2, 0, 1))
    else agreeable(packet, peer)
    return undefined
  })
  await startBridge({ addresses: remote.url, topics: [{ filter: 'a' }] })
  expect(remote.connects.map(({ protocolVersion, bridgeMode }) => [protocolVersion, bridgeMode])).toEqual([
    [5, undefined],
    [4, true],
    [4, undefined],
  ])
})

test.each([
  [4, 1, [4, 4]],
  [5, 1, [5, 4, 4]],
  [5, 0x84, [5, 4, 4]],
] as const)(
  'of a broker that takes no version, %i is refused with %i, told and tried again, not faster than other refusals',
  async (version, code, attempts) => {
    const remote = await startFakeBroker((packet, { send, socket, version: spoken }) => {
      if (packet.cmd !== 'connect') return
      // In the oldest form there is, unless it has a code of MQTT 5.0 for it.
      if (spoken === 5 && code === 0x84) send({ cmd: 'connack', sessionPresent: false, reasonCode: code })
      else socket.write(Buffer.of(0x20, 2, 0, 1))
    })
    const { error } = await startFailing({ addresses: remote.url, protocolVersion: version })
    expect(error).toMatchObject({ code: 'BRIDGE_REFUSED', reasonCode: 1 })
    expect(remote.connects.slice(0, attempts.length).map(({ protocolVersion }) => protocolVersion)).toEqual(attempts)
  },
)

test.each([
  [0x9a, { qos: 1, retain: false }],
  [0x9b, { qos: 1, retain: true }],
])('what a broker does not support (0x%s) is left out of the next CONNECT', async (code, will) => {
  const remote = await startFakeBroker((packet, peer) => {
    if (packet.cmd !== 'connect' || remote.connects.length > 1) return agreeable(packet, peer)
    return peer.send({ cmd: 'connack', sessionPresent: false, reasonCode: code })
  })
  await startBridge({ addresses: remote.url, topics: [{ filter: 'a', qos: 2 }] })
  expect(remote.connects[1]?.will).toMatchObject(will)
})

test.each<[string, Buffer, RegExp]>([
  [
    'a topic with a wildcard',
    Buffer.from('30070003612f230078', 'hex'),
    /breaks the protocol: # is not allowed in PUBLISH/,
  ],
  ['a packet that there is not', Buffer.from('f000', 'hex'), /breaks the protocol/],
  ['a packet that only clients send', Buffer.from('8206000100016100', 'hex'), /breaks the protocol/],
  [
    'an alias without a topic',
    Buffer.from('3006000003230005', 'hex'),
    /breaks the protocol: topic alias 5 has no topic/,
  ],
])('%s ends the connection with the reason, and it is made again', async (_name, bytes, reason) => {
  const remote = await startFakeBroker((packet, peer) => {
    agreeable(packet, peer)
    if (packet.cmd === 'subscribe' && remote.connects.length === 1) peer.socket.write(bytes)
  })
  const { bridge: made, error } = await startFailing({ addresses: remote.url })
  expect(error).toMatchObject({ code: 'BRIDGE_PROTOCOL_ERROR' })
  expect(error.message).toMatch(reason)
  await expect.poll(() => made.state).toBe('connected')
})

test('bytes that break the protocol right behind CONNACK end the connection, and it is made again', async () => {
  const remote = await startFakeBroker((packet, peer) => {
    if (packet.cmd !== 'connect' || remote.connects.length > 1) return agreeable(packet, peer)
    // CONNACK of MQTT 5.0, accepted; then a PUBLISH to 'a/#'
    return peer.socket.write(Buffer.from('200300000030070003612f230078', 'hex'))
  })
  const { bridge: made, error } = await startFailing({ addresses: remote.url })
  expect(error).toMatchObject({ code: 'BRIDGE_PROTOCOL_ERROR' })
  await expect.poll(() => made.state).toBe('connected')
})

test('a broker that says nothing is given up after connectTimeout', async () => {
  const remote = await startFakeBroker(() => undefined)
  const { error } = await startFailing({ addresses: remote.url, connectTimeout: 100 })
  expect(error.message).toMatch(/lost the broker at .*: no CONNACK within 100 ms/)
})

test('a filter that is refused is reported, and the others are carried', async () => {
  const remote = await startFakeBroker((packet, peer) => {
    if (packet.cmd !== 'subscribe' || packet.subscriptions[0]?.topic !== 'secret') return agreeable(packet, peer)
    return peer.send({ cmd: 'suback', messageId: packet.messageId, granted: [0x87] })
  })
  const { errors } = await startBridge({
    addresses: remote.url,
    topics: [
      { filter: 'secret', direction: 'in' },
      { filter: 'a', direction: 'in' },
    ],
  })
  expect(errors).toMatchObject([
    {
      code: 'BRIDGE_SUBSCRIPTION_REFUSED',
      message: expect.stringContaining("refused to subscribe 'secret' with 0x87"),
    },
  ])
  expect(remote.packets.filter(({ cmd }) => cmd === 'subscribe')).toHaveLength(2)
})

test('messages of QoS 2 go at QoS 1 to a broker that takes no more, and are over for the publisher', async () => {
  const remote = await startFakeBroker((packet, peer) => {
    if (packet.cmd !== 'connect') return agreeable(packet, peer)
    return peer.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0, properties: { maximumQoS: 1 } })
  })
  const { url, broker } = await startBridge({
    addresses: remote.url,
    topics: [{ filter: 'a', qos: 2 }],
    notifications: false,
  })
  const { client } = await watch(url, 'none')
  for (let count = 0; count < 5; count += 1) await client.publishAsync('a', `${count}`, { qos: 2 })
  const messages = (): unknown[] =>
    remote.packets.filter(({ cmd }) => cmd === 'publish').map(packet => Reflect.get(packet, 'qos') as unknown)
  await expect.poll(messages).toEqual([1, 1, 1, 1, 1])
  await expect.poll(async () => (await broker.counts()).queuedMessages).toBe(0)
})

test('no more is under way than the other broker allows', async () => {
  let underWay = 0
  let most = 0
  const remote = await startFakeBroker((packet, peer) => {
    if (packet.cmd === 'connect') {
      peer.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0, properties: { receiveMaximum: 3 } })
    } else if (packet.cmd === 'publish') {
      underWay += 1
      most = Math.max(most, underWay)
      setTimeout(() => {
        underWay -= 1
        agreeable(packet, peer)
      }, 2)
    } else agreeable(packet, peer)
  })
  const { url } = await startBridge({ addresses: remote.url, topics: [{ filter: 'a', qos: 1 }], notifications: false })
  const { client } = await watch(url, 'none')
  await Promise.all(Array.from({ length: 50 }, (_, index) => client.publishAsync('a', `${index}`, { qos: 1 })))
  await expect.poll(() => remote.packets.filter(({ cmd }) => cmd === 'publish').length).toBe(50)
  expect(most).toBe(3)
})

test('what is too large for the other broker is dropped and counted, and holds up nothing', async () => {
  const remote = await startFakeBroker((packet, peer) => {
    if (packet.cmd !== 'connect') return agreeable(packet, peer)
    return peer.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0, properties: { maximumPacketSize: 200 } })
  })
  const {
    url,
    bridge: made,
    broker,
  } = await startBridge({
    addresses: remote.url,
    topics: [{ filter: 'a', qos: 2 }],
    notifications: false,
  })
  const { client } = await watch(url, 'none')
  for (const qos of [0, 1, 2] as const) await client.publishAsync('a', 'x'.repeat(500), { qos })
  await client.publishAsync('a', 'small', { qos: 2 })
  await expect.poll(() => made.counters.out).toMatchObject({ messages: 1, droppedTooLarge: 3 })
  await expect.poll(async () => (await broker.counts()).queuedMessages).toBe(0)
})

test('what the other broker refuses is counted, and over', async () => {
  const remote = await startFakeBroker((packet, peer) => {
    if (packet.cmd !== 'publish' || packet.qos === 0) return agreeable(packet, peer)
    const answer = { messageId: packet.messageId ?? 0, reasonCode: 0x87 }
    return peer.send(packet.qos === 1 ? { cmd: 'puback', ...answer } : { cmd: 'pubrec', ...answer })
  })
  const {
    url,
    bridge: made,
    broker,
  } = await startBridge({
    addresses: remote.url,
    topics: [{ filter: 'a', qos: 2 }],
    notifications: false,
  })
  const { client } = await watch(url, 'none')
  await client.publishAsync('a', '1', { qos: 1 })
  await client.publishAsync('a', '2', { qos: 2 })
  await expect.poll(() => made.counters.out.refused).toBe(2)
  await expect.poll(async () => (await broker.counts()).queuedMessages).toBe(0)
})

test('a session here that is new does not lose messages to identifiers that the other broker remembers', async () => {
  const remote = await startBroker()
  const options = { addresses: remote.url, clientId: 'b', topics: [{ filter: 'a', qos: 2 }] } as const
  const there = await watch(remote.url, 'a')
  // The first bridge dies between PUBREC and PUBREL: the other broker remembers identifier 1.
  const { Decoder, encode } = await import('@x/packet')
  const { connect } = await import('node:net')
  const socket = connect(remote.port, '127.0.0.1')
  const properties = { sessionExpiryInterval: 1000 }
  socket.write(encode({ cmd: 'connect', clientId: 'b', clean: true, protocolVersion: 5, keepalive: 0, properties }, 5))
  const publish = {
    cmd: 'publish',
    topic: 'a',
    payload: 'first',
    qos: 2,
    dup: false,
    retain: false,
    messageId: 1,
  } as const
  socket.write(encode(publish, 5))
  const decoder = new Decoder({ protocolVersion: 5, sender: 'server' })
  await new Promise<void>(resolve => {
    socket.on('data', chunk => {
      for (const packet of decoder.push(chunk)) if (packet.cmd === 'pubrec') resolve()
    })
  })
  socket.destroy()
  const { url } = await startBridge(options)
  const here = await watch(url, 'none')
  await here.client.publishAsync('a', 'second', { qos: 2 })
  await here.client.publishAsync('a', 'third', { qos: 2 })
  await expect.poll(() => there.seen).toEqual(['a first 2 false', 'a second 2 false', 'a third 2 false'])
})

test('a bridge that is closed tells 0 and says DISCONNECT', async () => {
  const remote = await startFakeBroker(agreeable)
  const { broker } = await startBridge({ addresses: remote.url, topics: [{ filter: 'a' }], notificationTopic: 'state' })
  await broker.close()
  await expect
    .poll(() => remote.packets.slice(-2))
    .toMatchObject([{ cmd: 'publish', topic: 'state', payload: Buffer.from('0'), retain: true }, { cmd: 'disconnect' }])
})

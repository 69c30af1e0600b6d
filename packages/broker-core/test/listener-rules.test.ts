import { expect, test } from 'vitest'
import { readConnack } from './support/frame.ts'
import { PropertyId, propertyValue } from './support/property.ts'
import { startBroker } from './support/start-broker.ts'
import { eachVersion } from './support/each-version.ts'
import { connect } from './support/wire.ts'
import type { Version } from './support/wire.ts'

test.each([
  { accepted: [3], refused: [4, 5] },
  { accepted: [4, 5], refused: [3] },
] as const)('a listener accepts the versions $accepted alone', async ({ accepted, refused }) => {
  const server = await startBroker()
  const listener = await server.listen({ acceptedVersions: accepted })
  for (const version of accepted) await (await listener.connect({ version, clientId: `v${version}` })).ping()
  for (const version of refused) {
    const client = await listener.open()
    client.version = version
    client.send(connect({ version, clientId: 'c' }))
    expect(readConnack(await client.next('connack'), version).reasonCode).toBe(version === 5 ? 0x84 : 1)
    await client.closed()
    await (await server.connect({ version, clientId: `elsewhere${version}` })).ping()
  }
})

async function refusalOf(
  listener: Awaited<ReturnType<Awaited<ReturnType<typeof startBroker>>['listen']>>,
  fields: Parameters<typeof connect>[0] & { version: Version },
): Promise<number> {
  const client = await listener.open()
  client.version = fields.version
  client.send(connect(fields))
  const { reasonCode } = readConnack(await client.next('connack'), fields.version)
  await client.closed()
  return reasonCode
}

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('the user name takes the place of the client identifier', async () => {
    const server = await startBroker()
    const listener = await server.listen({ usernameAsClientId: true })
    const client = await listener.connect({ ...lasting, clientId: 'given', username: 'ada' })
    await client.subscribe(['a', 1])
    expect(Object.keys(server.broker.clients)).toEqual(['ada'])
    const left = server.gone('ada')
    client.socket.resetAndDestroy()
    await left
    await server.broker.publish({ topic: 'a', qos: 1 })
    const again = await listener.connect({ ...lasting, clientId: 'another', username: 'ada' })
    expect(again.connack.sessionPresent).toBe(true)
    expect(await again.nextPublish()).toMatchObject({ topic: 'a' })
    const taken = await listener.connect({ version, clientId: 'third', username: 'ada' })
    await again.closed()
    await taken.ping()
    expect(await refusalOf(listener, { version, clientId: 'c' })).toBe(version === 5 ? 0x87 : 5)
    expect(await refusalOf(listener, { version, clientId: 'c', username: '' })).toBe(version === 5 ? 0x87 : 5)
  })

  versionTest('the will of a client with its user name for identifier is that client’s', async () => {
    const server = await startBroker()
    const listener = await server.listen({ usernameAsClientId: true })
    const publishers: (string | undefined)[] = []
    server.broker.on('publish', packet => {
      if (packet.topic === 'will') publishers.push(packet.clientId)
    })
    const watcher = await server.connect({ clientId: 'watcher' })
    await watcher.subscribe('will')
    const client = await listener.connect({ version, clientId: 'given', username: 'ada', will: { topic: 'will' } })
    client.socket.resetAndDestroy()
    await watcher.nextPublish()
    expect(publishers).toEqual(['ada'])
  })

  versionTest(
    'identifiers that begin otherwise are refused, generated ones too, before a user name takes their place',
    async () => {
      const server = await startBroker()
      const listener = await server.listen({ clientIdPrefix: 'a-', usernameAsClientId: true })
      const username = 'zoe'
      const refused = version === 5 ? 0x87 : 5
      for (const clientId of ['b', 'a', 'A-1', '']) {
        expect(await refusalOf(listener, { version, clientId, username })).toBe(refused)
      }
      await (await listener.connect({ version, clientId: 'a-1', username })).ping()
      expect(Object.keys(server.broker.clients)).toEqual([username])
      const named = await server.listen({ clientIdPrefix: 'a-', generatedClientIdPrefix: 'a-g' })
      await (await named.connect({ version, clientId: '' })).ping()
    },
  )

  versionTest('an empty client identifier is refused where a listener does not allow it', async () => {
    const server = await startBroker()
    const listener = await server.listen({ allowEmptyClientId: false })
    expect(await refusalOf(listener, { version, clientId: '' })).toBe(version === 5 ? 0x80 : 2)
    await (await listener.connect({ version, clientId: 'named' })).ping()
  })

  versionTest('generated client identifiers begin as the listener says', async () => {
    const server = await startBroker()
    const listener = await server.listen({ generatedClientIdPrefix: 'auto-' })
    const client = await listener.connect({ version, clientId: '' })
    const [id = ''] = Object.keys(server.broker.clients)
    expect(id).toMatch(/^auto-[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
    if (version === 5) expect(propertyValue(client.connack.properties, PropertyId.assignedClientIdentifier)).toBe(id)
  })

  versionTest('a listener has a maximum QoS of its own: for messages, wills and subscriptions', async () => {
    const server = await startBroker()
    const listener = await server.listen({ maximumQoS: 1 })
    const client = await listener.connect({ version, clientId: 'c' })
    if (version === 5) expect(propertyValue(client.connack.properties, PropertyId.maximumQoS)).toBe(1)
    expect((await client.subscribe(['a', 2])).reasonCodes).toEqual([1])
    client.publish({ topic: 'a', qos: 2 })
    await client.closedWith(0x9b)
    expect(await refusalOf(listener, { version, clientId: 'w', will: { topic: 'w', qos: 2 } })).toBe(
      version === 5 ? 0x9b : 5,
    )
    const elsewhere = await server.connect({ version, clientId: 'elsewhere' })
    expect((await elsewhere.subscribe(['a', 2])).reasonCodes).toEqual([2])
  })
})

test('MQTT 5 clients are told the topic aliases of their listener', async () => {
  const server = await startBroker()
  const listener = await server.listen({ topicAliasMaximum: 3 })
  const client = await listener.connect({ clientId: 'c' })
  expect(propertyValue(client.connack.properties, PropertyId.topicAliasMaximum)).toBe(3)
})

test.each([
  [{ mountPoint: 'a/#' }, "option mountPoint is 'a/#'"],
  [{ mountPoint: '' }, "option mountPoint is ''"],
  [{ acceptedVersions: [6 as never] }, 'option acceptedVersions is a list of 6'],
  [{ generatedClientIdPrefix: 'x'.repeat(51) }, 'it must be a text of at most 50 bytes'],
  [{ maximumQoS: 3 as never }, 'option maximumQoS is 3'],
] as const)('a rule that can not be is named: %j', async (rules, sentence) => {
  const { broker } = await startBroker()
  expect(() => broker.listenerProfile({ name: 'x', ...rules })).toThrow(sentence)
})

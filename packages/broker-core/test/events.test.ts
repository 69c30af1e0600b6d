import { expect, test } from 'vitest'
import type { BrokerPacket, Client } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { connect, disconnect, packet, pingreq, puback, pubcomp, pubrec } from './support/wire.ts'

function id(client: Client | null): string {
  return String(client === null ? null : client.id)
}

/** Every event of the broker and of its clients, as texts, in order. */
function record({ broker }: TestBroker): string[] {
  const seen: string[] = []
  broker.on('client', (client: Client) => {
    seen.push(`client ${id(client)} connecting=${client.connecting} connected=${client.connected}`)
    client.on('connected', () => seen.push(`${id(client)}: connected`))
  })
  broker.on('connackSent', (connack: { returnCode?: number; reasonCode?: number }, client: Client) =>
    seen.push(`connackSent ${connack.returnCode ?? connack.reasonCode} ${id(client)}`),
  )
  broker.on('clientReady', (client: Client) => seen.push(`clientReady ${id(client)} connected=${client.connected}`))
  broker.on('clientDisconnect', (client: Client) => seen.push(`clientDisconnect ${id(client)} closed=${client.closed}`))
  broker.on('clientError', (client: Client, error: Error) => seen.push(`clientError ${id(client)} ${error.message}`))
  broker.on('connectionError', (client: Client, error: Error) =>
    seen.push(`connectionError ${id(client)} ${error.message}`),
  )
  // What the broker says of itself is another test's subject.
  const isOwn = (topic: string): boolean => topic.startsWith('$SYS/')
  broker.on(
    'publish',
    (message: BrokerPacket, client: Client | null) =>
      isOwn(message.topic) ||
      seen.push(`publish ${message.topic} ${message.payload.toString()} q${message.qos} ${id(client)}`),
  )
  broker.on('subscribe', (list: { topic: string; qos: number }[], client: Client) =>
    seen.push(`subscribe ${list.map(({ topic, qos }) => `${topic}=${qos}`).join(',')} ${id(client)}`),
  )
  broker.on('unsubscribe', (list: string[], client: Client) => seen.push(`unsubscribe ${list.join(',')} ${id(client)}`))
  broker.on('ping', (ping: { cmd: string }, client: Client) => seen.push(`ping ${ping.cmd} ${id(client)}`))
  broker.on('ack', (_packet: unknown, client: Client) => seen.push(`ack ${id(client)}`))
  broker.on('closed', () => seen.push('closed'))
  return seen
}

eachVersion(({ version, lasting, test: versionTest }) => {
  versionTest('a client comes and goes: client, connackSent, clientReady, connected, clientDisconnect', async () => {
    const server = await startBroker()
    const seen = record(server)
    const client = await server.connect({ version, clientId: 'c' })
    const left = server.gone('c')
    client.send(disconnect())
    await left
    await client.closed()
    expect(seen).toEqual([
      'client c connecting=true connected=false',
      'connackSent 0 c',
      'clientReady c connected=true',
      'c: connected',
      'clientDisconnect c closed=true',
    ])
  })

  versionTest('a take-over: the older leaves before the newer comes', async () => {
    const server = await startBroker()
    await server.connect({ version, clientId: 'c' })
    const seen = record(server)
    await server.connect({ version, clientId: 'c' })
    expect(seen.slice(0, 2)).toEqual(['clientDisconnect c closed=true', 'client c connecting=true connected=false'])
  })

  versionTest('subscribe, unsubscribe, publish, ping', async () => {
    const server = await startBroker()
    const client = await server.connect({ version, clientId: 'c' })
    const seen = record(server)
    await client.subscribe(['a', 1], ['b', 2], ['a', 0])
    await client.unsubscribe('b', 'x')
    client.send(pingreq)
    await client.next('pingresp')
    client.publish({ topic: 'z', payload: 'p' })
    await client.publishDone({ topic: 'y', qos: 2, payload: 'p' })
    await server.broker.publish({ topic: 'own' })
    expect(seen).toEqual([
      'subscribe b=2,a=0 c',
      'unsubscribe b,x c',
      'ping pingreq c',
      'publish z p q0 c',
      'publish y p q2 c',
      'publish own  q0 null',
    ])
  })

  versionTest('a denied subscription is told with 128', async () => {
    const server = await startBroker({ authorizeSubscribe: (_client, wish) => (wish.topic === 'no' ? null : wish) })
    const client = await server.connect({ version, clientId: 'c' })
    const seen = record(server)
    await client.subscribe(['no', 1], ['yes', 1])
    expect(seen).toEqual(['subscribe no=128,yes=1 c'])
  })

  versionTest('ack for each delivery that is complete', async () => {
    const server = await startBroker()
    const client = await server.connect({ version, clientId: 'c' })
    await client.subscribe(['a', 2])
    const seen = record(server)
    for (const qos of [1, 2] as const) await server.broker.publish({ topic: 'a', qos })
    const [one, two] = await client.nextPublishes(2)
    client.send(puback(one?.id ?? 0), pubrec(two?.id ?? 0))
    await client.nextAck('pubrel')
    client.send(pubcomp(two?.id ?? 0))
    await client.ping()
    expect(seen.filter(event => event.startsWith('ack'))).toEqual(['ack c', 'ack c'])
  })

  versionTest('unsubscribe comes when a session ends with its connection, and not when it outlives it', async () => {
    const server = await startBroker()
    const passing = await server.connect({ version, clientId: 'passing' })
    await passing.subscribe('a', 'b')
    const staying = await server.connect({ ...lasting, clientId: 'staying' })
    await staying.subscribe('a')
    const seen = record(server)
    for (const client of [passing, staying]) {
      const left = server.gone(client.clientId)
      client.send(disconnect())
      await left
    }
    expect(seen).toEqual([
      'unsubscribe a,b passing',
      'clientDisconnect passing closed=true',
      'clientDisconnect staying closed=true',
    ])
  })

  versionTest('a resumed session has no subscribe event', async () => {
    const server = await startBroker()
    const client = await server.connect({ ...lasting, clientId: 's' })
    await client.subscribe('a')
    await server.drop(client)
    const seen = record(server)
    await server.connect({ ...lasting, clientId: 's' })
    expect(seen.filter(event => event.startsWith('subscribe'))).toEqual([])
  })

  versionTest('bytes that are no MQTT: connectionError before CONNECT, clientError after', async () => {
    const server = await startBroker()
    const seen = record(server)
    const stranger = await server.open()
    stranger.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    await stranger.closed()
    const client = await server.connect({ version, clientId: 'c' })
    client.send(packet(0x00))
    await client.closed()
    expect(seen[0]).toMatch(/^connectionError null ./)
    expect(seen.slice(5)).toEqual([expect.stringMatching(/^clientError c ./), 'clientDisconnect c closed=true'])
  })

  versionTest(
    'a refused login: connackSent, clientError with the code that was sent, no clientDisconnect',
    async () => {
      const server = await startBroker({ authenticate: () => false })
      const seen = record(server)
      const codes: unknown[] = []
      server.broker.on('clientError', (_client: Client, error: Error & { errorCode?: number }) =>
        codes.push(error.errorCode),
      )
      const client = await server.open()
      client.send(connect({ version, clientId: 'c' }))
      await client.closed()
      const code = version === 5 ? 0x87 : 5
      expect(seen).toEqual([`connackSent ${code} c`, 'clientError c not authorized'])
      expect(codes).toEqual([code])
    },
  )

  versionTest('connectedClients and client() follow the events', async () => {
    const server = await startBroker()
    expect(server.broker.client('c')).toBeUndefined()
    const client = await server.connect({ version, clientId: 'c' })
    expect(server.broker.connectedClients).toBe(1)
    expect(server.broker.client('c')).toMatchObject({ id: 'c', version, connected: true, closed: false })
    await server.drop(client)
    expect(server.broker.connectedClients).toBe(0)
    expect(server.broker.client('c')).toBeUndefined()
  })

  versionTest('closing the broker: all clients leave, then closed, once', async () => {
    const server = await startBroker()
    const clients = await Promise.all(['x', 'y'].map(clientId => server.connect({ version, clientId })))
    const seen = record(server)
    await Promise.all([server.broker.close(), server.broker.close()])
    for (const client of clients) await client.closedWith(0x8b)
    expect(seen).toEqual(['clientDisconnect x closed=true', 'clientDisconnect y closed=true', 'closed'])
  })
})

test('a listener that is added late sees what comes from then on, also of messages', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  await client.subscribe('a')
  client.publish({ topic: 'a', payload: 'before' })
  await client.nextPublish()
  const seen: string[] = []
  const listener = (message: BrokerPacket): void => void seen.push(message.payload.toString())
  server.broker.on('publish', listener)
  client.publish({ topic: 'a', payload: 'during' })
  await client.nextPublish()
  server.broker.off('publish', listener)
  client.publish({ topic: 'a', payload: 'after' })
  await client.nextPublish()
  expect(seen).toEqual(['during'])
})

test('a listener that throws keeps neither the client nor the broker from going on', async () => {
  const server = await startBroker()
  server.broker.on('ping', () => {
    throw new Error('listener')
  })
  const bystander = await server.connect({ clientId: 'b' })
  const client = await server.connect({ clientId: 'c' })
  await client.ping()
  await client.ping()
  expect(server.errors.splice(0)).toMatchObject(Array.from({ length: 2 }, () => ({ code: 'LISTENER_FAILED' })))
  await bystander.subscribe('a')
  await server.broker.publish({ topic: 'a' })
  await bystander.nextPublish()
})

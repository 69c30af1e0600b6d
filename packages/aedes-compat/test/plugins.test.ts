import { once } from 'node:events'
import { createServer, connect as openSocket } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createBroker } from '@x/broker'
import type { Broker, BrokerOptions } from '@x/broker'
import aedesLogging from 'aedes-logging'
import { protocolDecoder } from 'aedes-protocol-decoder'
import * as firstDecoder from 'aedes-protocol-decoder-1'
import aedesStats from 'aedes-stats'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'

async function start(options: BrokerOptions = {}): Promise<{ broker: Broker; port: number }> {
  const broker = createBroker(options)
  const server = createServer(broker.handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await broker.close()
    server.close()
  })
  return { broker, port: (server.address() as AddressInfo).port }
}

test('aedes-stats 4 publishes what it counts', async () => {
  const { broker, port } = await start({ id: 'b' })
  const seen = new Map<string, string>()
  await broker.subscribe('$SYS/b/#', packet => void seen.set(packet.topic, packet.payload.toString()))
  aedesStats(broker, { interval: 20 })
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`)
  await client.publishAsync('a', 'x', { qos: 1 })
  await expect.poll(() => seen.get('$SYS/b/clients/total')).toBe('1')
  expect(Number(seen.get('$SYS/b/uptime') ?? 0)).toBeGreaterThanOrEqual(0)
  await client.endAsync()
  await expect.poll(() => seen.get('$SYS/b/clients/total')).toBe('0')
})

test('aedes-logging 2 logs clients and messages', async () => {
  const { broker, port } = await start()
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  aedesLogging({
    instance: broker,
    pinoOptions: { level: 'debug' },
    messageLogLevel: 'info',
    logger: undefined,
    stream,
    servers: [],
  })
  expect(broker).toHaveProperty('logger')
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'logged' })
  await client.subscribeAsync('a')
  await client.publishAsync('a', 'x', { qos: 1 })
  await client.endAsync()
})

/** MQTT 3.1.1 CONNECT of a client `c`. */
const connectPacket = Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 1, 0x63])
const proxyHeader = Buffer.from('PROXY TCP4 192.0.2.7 127.0.0.1 51234 1883\r\n')

test.each([
  // Its types name no function.
  ['1', (firstDecoder as unknown as { protocolDecoder: typeof protocolDecoder }).protocolDecoder],
  [
    '2',
    (client: { conn: unknown; req?: unknown }, bytes: Buffer): unknown =>
      (protocolDecoder as (conn: unknown, bytes: Buffer, request: unknown) => unknown)(client.conn, bytes, client.req),
  ],
])('aedes-protocol-decoder %s reads the header of a proxy', async (_version, decode) => {
  const { broker, port } = await start({
    trustProxy: true,
    trustedProxies: ['127.0.0.1'],
    decodeProtocol: decode as NonNullable<BrokerOptions['decodeProtocol']>,
  })
  const arrived = once(broker, 'client')
  const socket: Socket = openSocket(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.write(Buffer.concat([proxyHeader, connectPacket]))
  const [client] = (await arrived) as [{ connDetails: { ipAddress: string; port: number; isProxy: number } }]
  expect(client.connDetails).toMatchObject({ ipAddress: '192.0.2.7', port: 51234 })
  expect(client.connDetails.isProxy).toBeGreaterThan(0)
})

test('what is no store or emitter is refused at once, with what it lacks', () => {
  expect(() => createBroker({ persistence: { storeRetained: () => undefined } })).toThrow(
    /^option persistence is not usable: the store lacks addSubscriptions\(\), .*streamWill\(\)$/,
  )
  expect(() => createBroker({ mq: { on: () => undefined } })).toThrow(
    'option mq is not usable: the emitter lacks removeListener(), emit(), close()',
  )
})

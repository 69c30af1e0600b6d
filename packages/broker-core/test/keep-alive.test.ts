import { expect, test } from 'vitest'
import type { Client } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import { connect, pingreq } from './support/wire.ts'

/** Two ticks of the deadline wheel. */
const slack = 500

eachVersion(({ version, test: versionTest }) => {
  versionTest(
    'silence ends the connection after 1.5 times Keep Alive, never earlier',
    { tags: ['MQTT3-3.1.2-24', 'MQTT5-3.1.2-22', 'MQTT5-3.2.2-22'] },
    async () => {
      const server = await startBrokerWithClock()
      const watcher = await server.connect({ version, clientId: 'watcher' })
      await watcher.subscribe('will')
      const silent = await server.connect({ version, clientId: 'silent', keepAlive: 2, will: { topic: 'will' } })
      server.clock.advance(2999)
      expect(server.broker.client('silent')?.connected).toBe(true)
      await watcher.expectNothing()
      server.clock.advance(1 + slack)
      await silent.closedWith(0x8d)
      expect((await watcher.nextPublish()).topic).toBe('will')
    },
  )

  versionTest('every packet starts the time anew', { tags: ['MQTT5-3.12.4-1'] }, async () => {
    const server = await startBrokerWithClock()
    const client = await server.connect({ version, clientId: 'busy', keepAlive: 2 })
    for (let round = 0; round < 5; round += 1) {
      server.clock.advance(2999)
      if (round % 2 === 0) await client.ping()
      else await client.publishDone({ topic: 'a', qos: 1 })
    }
    server.clock.advance(2999)
    expect(server.broker.connectedClients).toBe(1)
    server.clock.advance(1 + slack)
    await client.closedWith(0x8d)
  })

  versionTest('what the client receives does not count', async () => {
    const server = await startBrokerWithClock()
    const client = await server.connect({ version, clientId: 'listener', keepAlive: 2 })
    await client.subscribe('a')
    for (let round = 0; round < 4; round += 1) {
      server.clock.advance(1000)
      await server.broker.publish({ topic: 'a' })
    }
    const frames = await client.closed()
    expect(frames.filter(frame => frame.type === 'publish').length).toBeGreaterThanOrEqual(2)
  })

  versionTest('Keep Alive 0 never ends a connection', { tags: ['MQTT3-4.1.0-2'] }, async () => {
    const server = await startBrokerWithClock()
    const client = await server.connect({ version, clientId: 'quiet', keepAlive: 0 })
    server.clock.advance(600_000)
    await client.ping()
  })

  versionTest('a long Keep Alive is kept to the second', async () => {
    const server = await startBrokerWithClock()
    const client = await server.connect({ version, clientId: 'slow', keepAlive: 301 })
    server.clock.advance(451_499)
    expect(server.broker.connectedClients).toBe(1)
    server.clock.advance(1 + slack)
    await client.closedWith(0x8d)
  })

  versionTest('keepaliveTimeout comes before clientError and clientDisconnect', async () => {
    const server = await startBrokerWithClock()
    const events: string[] = []
    server.broker.on('keepaliveTimeout', (client: Client) => events.push(`keepaliveTimeout ${client.id}`))
    server.broker.on('clientError', (client: Client, error: Error) =>
      events.push(`clientError ${client.id} ${error.message}`),
    )
    server.broker.on('clientDisconnect', (client: Client) => events.push(`clientDisconnect ${client.id}`))
    const client = await server.connect({ version, clientId: 'c', keepAlive: 1 })
    server.clock.advance(1500 + slack)
    await client.closed()
    expect(events).toEqual(['keepaliveTimeout c', 'clientError c keep alive timeout', 'clientDisconnect c'])
  })
})

test('a connection without CONNECT is closed after connectTimeout, not before', async () => {
  const server = await startBrokerWithClock({ connectTimeout: 1000 })
  const failures: unknown[] = []
  server.broker.on('connectionError', (client: Client, error: Error) => failures.push([client.id, error.message]))
  const silent = await server.open()
  const dripping = await server.open()
  dripping.send(connect({ clientId: 'd' }).subarray(0, 5))
  server.clock.advance(999)
  expect(silent.socket.readableEnded).toBe(false)
  server.clock.advance(1 + 500)
  expect(await silent.closed()).toEqual([])
  expect(await dripping.closed()).toEqual([])
  expect(failures).toEqual([
    [null, expect.stringContaining('connect did not arrive in time')],
    [null, expect.stringContaining('connect did not arrive in time')],
  ])
})

test('an accepted CONNECT ends connectTimeout', async () => {
  const server = await startBrokerWithClock({ connectTimeout: 1000 })
  const client = await server.connect({ clientId: 'a' })
  server.clock.advance(60_000)
  await client.ping()
})

test('a client whose packets the program holds back is not blamed for its silence', async () => {
  const server = await startBrokerWithClock()
  const client = await server.connect({ clientId: 'held', keepAlive: 1 })
  const held = server.broker.client('held')
  held?.pause()
  server.clock.advance(10_000)
  held?.resume()
  await client.ping()
})

test('a client that never takes its last packet is cut off after closeTimeout', async () => {
  const server = await startBrokerWithClock({ closeTimeout: 1000 })
  const client = await server.connect({ clientId: 'deaf' })
  client.pause()
  client.socket.removeAllListeners('end')
  client.socket.allowHalfOpen = true
  const connection = server.broker.client('deaf')
  const left = server.gone('deaf')
  connection?.close()
  await left
  server.clock.advance(999)
  expect(connection?.conn.destroyed).toBe(false)
  server.clock.advance(1 + 500)
  expect(connection?.conn.destroyed).toBe(true)
})

/** Nothing of this process runs for so long, in ms: as while a program computes, but without the work. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

test('a client that sends while the program is busy is not taken for silent', async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c', keepAlive: 1 })
  // A turn of the wheel, then too long a task; the packet lies in the socket all the while.
  await new Promise(resolve => setTimeout(resolve, 300))
  client.send(pingreq)
  block(1800)
  await client.next('pingresp')
  await client.ping()
})

test('what is read right behind too long a task is not dated before it', async () => {
  const server = await startBroker()
  const [other, client] = [
    await server.connect({ clientId: 'o' }),
    await server.connect({ clientId: 'c', keepAlive: 1 }),
  ]
  await new Promise(resolve => setTimeout(resolve, 300))
  const busy = new Promise<void>(resolve => {
    server.broker.once('ping', () => {
      block(1800)
      resolve()
    })
  })
  other.send(pingreq)
  client.send(pingreq)
  await busy
  await client.next('pingresp')
  await new Promise(resolve => setTimeout(resolve, 300))
  await client.ping()
})

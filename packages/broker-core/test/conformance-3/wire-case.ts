import { expect, test } from 'vitest'
import type { BrokerOptions } from '../../src/index.ts'
import type { RawClient } from '../support/raw-client.ts'
import { startBroker } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { pingreq, publish } from '../support/wire.ts'
import type { ConnectFields } from '../support/wire.ts'

/** What one MQTT 3.1.1 client sends, and what must come back for it. */
export interface WireCase {
  /** The behaviour in words. */
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly options?: Partial<BrokerOptions>
  readonly send: Buffer
  /** All packets that come back, byte by byte. */
  readonly answer: readonly Buffer[]
  /** Whether the connection is open or closed afterwards. */
  readonly afterwards: 'open' | 'closed'
}

/** Rows of packets that a connected client sends. */
export function testConnected(cases: readonly WireCase[]): void {
  for (const row of cases) {
    test(row.title, { tags: row.tags }, async () => {
      const server = await startBroker(row.options)
      const watcher = await connectWatcher(server)
      await expectAnswer(await connectClient(server, 'c'), row)
      await watcher.expectNothing()
    })
  }
}

/** Rows of packets that come first on a connection. */
export function testFirst(cases: readonly WireCase[]): void {
  for (const row of cases) {
    test(row.title, { tags: row.tags }, async () => {
      const server = await startBroker(row.options)
      const watcher = await connectWatcher(server)
      await expectAnswer(await server.open(), row)
      await watcher.expectNothing()
      expect(server.broker.connectedClients).toBe(row.afterwards === 'open' ? 2 : 1)
    })
  }
}

/** What follows a violation in the same write must have no effect: the watcher of all topics would see this message. */
async function expectAnswer(client: RawClient, { send, answer, afterwards }: WireCase): Promise<void> {
  if (afterwards === 'closed') {
    client.send(send, publish({ version: 4, topic: 'after/the/violation' }))
    expect(hex(await client.closed())).toEqual(answer.map(frame => frame.toString('hex')))
    return
  }
  client.send(send, pingreq)
  const frames = []
  while (frames.length < answer.length) frames.push(await client.next())
  expect(hex(frames)).toEqual(answer.map(frame => frame.toString('hex')))
  await client.next('pingresp')
}

/** Frames as hexadecimal text, for comparing all of their bytes. */
export function hex(frames: readonly { readonly bytes: Buffer }[]): readonly string[] {
  return frames.map(frame => frame.bytes.toString('hex'))
}

/** A client of MQTT 3.1.1, with clean session unless the fields say otherwise. */
export function connectClient(server: TestBroker, clientId: string, fields: ConnectFields = {}): Promise<RawClient> {
  return server.connect({ version: 4, clientId, ...fields })
}

/** The same with CleanSession 0. */
export function connectLasting(server: TestBroker, clientId: string, fields: ConnectFields = {}): Promise<RawClient> {
  return connectClient(server, clientId, { cleanStart: false, ...fields })
}

/** Subscribed to every topic, at QoS 2. */
export async function connectWatcher(server: TestBroker): Promise<RawClient> {
  const watcher = await connectClient(server, 'watcher')
  await watcher.subscribe(['#', 2])
  return watcher
}

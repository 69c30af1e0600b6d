import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Aedes } from 'aedes'
import persistence from 'aedes-persistence-level'
import { ClassicLevel } from 'classic-level'
import mqtt from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { exportData, importData, inspectClient, inspectData, readAedesLevel } from '../src/data/index.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'aedes-level-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

async function connect(port: number, clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId, clean: false, reconnectPeriod: 0, ...options })
  onTestFinished(() => void client.end(true))
  await new Promise<void>(resolve => client.once('connect', () => resolve()))
  return client
}

/** What Aedes left in its LevelDB. */
async function fillLevel(directory: string): Promise<void> {
  const level = new ClassicLevel<string, Buffer>(directory)
  const broker = await Aedes.createBroker({ persistence: persistence(level) })
  const server = createServer(socket => broker.handle(socket)).listen(0, '127.0.0.1')
  await new Promise<void>(resolve => server.once('listening', () => resolve()))
  const { port } = server.address() as AddressInfo
  const lamp = await connect(port, 'lamp: ä')
  await lamp.subscribeAsync({ 'light/#': { qos: 2 }, 'news/+': { qos: 1 } })
  await lamp.endAsync()
  const publisher = await connect(port, 'switch')
  await publisher.publishAsync('kept', Buffer.from([0, 1, 255]), { qos: 1, retain: true })
  for (const qos of [1, 2] as const) await publisher.publishAsync('light/hall', `with QoS ${qos}`, { qos })
  await publisher.endAsync()
  server.close()
  await new Promise<void>(resolve => broker.close(() => resolve()))
  await level.close()
}

test('what aedes-persistence-level keeps is imported: retained messages, sessions and their queues', async () => {
  const level = join(root, 'level')
  await fillLevel(level)
  const directory = join(root, 'store')
  expect(await importData(directory, await readAedesLevel(level))).toMatchObject({ retained: 1, entry: 2 })
  expect(await inspectData(directory)).toMatchObject({ queued: { messages: 2 }, unexplained: [] })
  expect(await inspectClient(directory, 'lamp: ä')).toMatchObject({
    sessionExpiryInterval: 0xffff_ffff,
    subscriptions: [
      { filter: 'light/#', qos: 2 },
      { filter: 'news/+', qos: 1 },
    ],
    queue: [
      { sequence: 1, topic: 'light/hall', qos: 1, bytes: 10, state: 'waits' },
      { sequence: 2, topic: 'light/hall', qos: 2, bytes: 10, state: 'waits' },
    ],
  })
  const payloads: Buffer[] = []
  for await (const record of exportData(directory)) {
    if (record.kind === 'retained') payloads.push(Buffer.from(record.message.payload, 'base64'))
  }
  expect(payloads).toEqual([Buffer.from([0, 1, 255])])
})

test('a directory that is no LevelDB is refused, and not made', async () => {
  await expect(readAedesLevel(join(root, 'none'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('is no LevelDB'),
  })
})

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt from 'mqtt'
import type { MqttClient } from 'mqtt'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { anyPort, listeningUrl, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'

let directory = ''
const commands: StartedProcess[] = []
const clients: MqttClient[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'data-'))
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true)
  for (const command of commands.splice(0)) await command.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function start(...parameters: string[]): Promise<{ command: StartedProcess; url: string }> {
  const command = startCommand([...anyPort, '--data', join(directory, 'store'), ...parameters])
  commands.push(command)
  return { command, url: await listeningUrl(command) }
}

async function connect(url: string, clientId: string): Promise<{ client: MqttClient; received: string[] }> {
  const client = mqtt.connect(url, { clientId, clean: false, reconnectPeriod: 0, protocolVersion: 5, properties })
  clients.push(client)
  const received: string[] = []
  client.on('message', (topic, payload, packet) => received.push(`${topic} ${payload.toString()} ${packet.qos}`))
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('error', reject)
  })
  return { client, received }
}

const properties = { sessionExpiryInterval: 3600 }

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition).toBe(true)
}

test.each(['disk', 'process'])(
  'with --data-durability %s, what was acknowledged is there after kill -9',
  async durability => {
    const first = await start('--data-durability', durability)
    const lamp = await connect(first.url, 'lamp')
    await lamp.client.subscribeAsync('light/#', { qos: 2 })
    lamp.client.end(true)
    const { client: publisher } = await connect(first.url, 'switch')
    await publisher.publishAsync('light/hall', 'kept', { qos: 0, retain: true })
    for (const qos of [1, 2] as const) await publisher.publishAsync('light/hall', `offline ${qos}`, { qos })
    publisher.end(true)
    await first.command.stop('SIGKILL')

    const second = await start()
    const again = await connect(second.url, 'lamp')
    await until(() => again.received.length >= 2)
    expect(again.received).toEqual(['light/hall offline 1 1', 'light/hall offline 2 2'])
    const newcomer = await connect(second.url, 'newcomer')
    await newcomer.client.subscribeAsync('light/+', { qos: 1 })
    await until(() => newcomer.received.length > 0)
    expect(newcomer.received).toEqual(['light/hall kept 0'])
  },
)

test('the directory is for its user alone', async () => {
  await start()
  expect(statSync(join(directory, 'store')).mode & 0o777).toBe(0o700)
  expect(statSync(join(directory, 'store', 'data.mdb')).mode & 0o777).toBe(0o600)
})

test('a file of something else is refused with its path, and left as it is', async () => {
  const store = join(directory, 'store')
  const command = startCommand([...anyPort, '--data', store])
  commands.push(command)
  await listeningUrl(command)
  await command.stop('SIGTERM')
  writeFileSync(join(store, 'data.mdb'), 'something else entirely'.repeat(1000))
  const refused = startCommand([...anyPort, '--data', store])
  commands.push(refused)
  expect(await refused.exited).toMatchObject({ code: 1 })
  expect(refused.stderr).toContain(store)
  expect(refused.stderr.split('\n').filter(line => line !== '')).toHaveLength(1)
})

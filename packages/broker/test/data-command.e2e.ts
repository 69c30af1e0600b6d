import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt from 'mqtt'
import type { IClientOptions, IPublishPacket, MqttClient } from 'mqtt'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { clientEvent } from './client-event.ts'
import { connectWhenListening } from './connect-when-listening.ts'
import { StartedProcess, anyPort, commandFile, listeningUrl, startCommand } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'data-command-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

async function run(
  ...parameters: string[]
): Promise<{ code: number | null; lines: readonly string[]; stderr: string }> {
  const command = startCommand(['data', ...parameters])
  const { code } = await command.exited
  return { code, lines: command.lines, stderr: command.stderr }
}

interface Connected {
  readonly client: MqttClient
  readonly received: IPublishPacket[]
}

async function connect(url: string, clientId: string, options: IClientOptions = {}): Promise<Connected> {
  const client = mqtt.connect(url, { clientId, clean: false, reconnectPeriod: 0, ...options })
  onTestFinished(() => void client.end(true))
  const received: IPublishPacket[] = []
  client.on('message', (topic, payload, packet) => received.push(packet))
  await clientEvent(client, 'connect')
  return { client, received }
}

async function serve(directory: string): Promise<string> {
  const command = startCommand([...anyPort, '--data', directory, '--sys-interval', '0'])
  onTestFinished(() => command.stop())
  return listeningUrl(command)
}

function shown(packets: readonly IPublishPacket[]): readonly string[] {
  return packets.map(
    ({ topic, payload, qos, retain }) => `${topic} ${payload.toString()} ${qos}${retain ? ' retained' : ''}`,
  )
}

async function until(condition: () => void): Promise<void> {
  await vi.waitFor(condition, { timeout: 40_000, interval: 10 })
}

test('export and import move a store, inspect shows it, and all of that while its broker runs but the import', async () => {
  const directory = join(root, 'store')
  const url = await serve(directory)
  const lamp = await connect(url, 'lamp')
  await lamp.client.subscribeAsync('light/#', { qos: 1 })
  await lamp.client.endAsync()
  const { client: publisher } = await connect(url, 'switch', { clean: true })
  await publisher.publishAsync('news', 'kept', { qos: 1, retain: true })
  await publisher.publishAsync('light/hall', 'on', { qos: 1 })

  const inspected = await run('inspect', directory)
  expect(inspected).toMatchObject({ code: 0, stderr: '' })
  expect(inspected.lines.join('\n')).toMatch(
    /sessions +1, 0 of them open[^]*queue +1 messages of "lamp"[^]*unexplained +nothing/,
  )
  const one = await run('inspect', directory, 'lamp')
  expect(one.lines).toEqual([
    '"lamp": closed, never ends',
    'subscription  "light/#" QoS 1',
    'queued 1  "light/hall" QoS 1, 2 bytes, waits',
  ])
  expect(await run('inspect', directory, 'nobody')).toMatchObject({ code: 1 })
  const exported = await run('export', directory)
  const file = join(root, 'dump.ndjson')
  writeFileSync(file, exported.lines.join('\n'))
  expect(await run('import', directory, file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is open in'),
  })
  expect(await run('backup', directory, join(root, 'backup.mdb'))).toMatchObject({ code: 0, stderr: '' })

  const copy = join(root, 'copy')
  expect((await run('import', copy, file)).lines).toEqual(['1 sessions, 1 queued and 1 retained messages are stored'])
  expect(await run('compact', copy)).toMatchObject({ code: 0, stderr: '' })
  const second = await serve(copy)
  const again = await connect(second, 'lamp')
  await until(() => expect(shown(again.received)).toEqual(['light/hall on 1']))
  await again.client.subscribeAsync('news', { qos: 0 })
  await until(() => expect(shown(again.received)).toEqual(['light/hall on 1', 'news kept 0 retained']))
})

test('wrong words are refused with the right ones', async () => {
  expect(await run('look', root)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      "data 'look' is unknown, it must be one of inspect, export, import, compact, backup",
    ),
  })
  expect(await run('backup', root)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('data backup takes DIR FILE'),
  })
  expect(await run('import', root)).toMatchObject({ code: 2 })
  expect((await run('--help')).lines[0]).toMatch(/^x-broker data:/)
  expect(await run('inspect', join(root, 'none'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('has no data.mdb'),
  })
})

describe.skipIf(spawnSync('mosquitto', ['-h']).error !== undefined)(
  "what Debian's mosquitto wrote (needs mosquitto)",

  () => {
    async function startMosquitto(): Promise<{ port: number; process: StartedProcess }> {
      const port = await freePort()
      const file = join(root, 'mosquitto.conf')
      const lines = [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        'persistence true',
        `persistence_location ${root}/`,
        // It would give its rights away before it writes.
        `user ${process.env['USER'] ?? 'root'}`,
        'log_dest none',
      ]
      writeFileSync(file, lines.join('\n'))
      const started = new StartedProcess('mosquitto', ['-c', file])
      onTestFinished(() => started.stop())
      const probe = await connectWhenListening(`mqtt://127.0.0.1:${port}`)
      await probe.endAsync()
      return { port, process: started }
    }

    async function stop(mosquitto: StartedProcess): Promise<void> {
      mosquitto.signal('SIGTERM')
      await mosquitto.exited
    }

    test('is imported: retained messages, sessions, and what was queued with QoS 1 and 2', async () => {
      const { port, process: mosquitto } = await startMosquitto()
      const url = `mqtt://127.0.0.1:${port}`
      const lamp = await connect(url, 'lamp')
      await lamp.client.subscribeAsync({ 'light/#': { qos: 2 }, 'news/+': { qos: 1 } })
      await lamp.client.endAsync()
      const properties = { sessionExpiryInterval: 3600 }
      const meter = await connect(url, 'meter', { protocolVersion: 5, properties })
      await meter.client.subscribeAsync('light/hall', {
        qos: 1,
        nl: true,
        rap: true,
        rh: 1,
        properties: { subscriptionIdentifier: 5 },
      })
      await meter.client.endAsync()
      const { client: publisher } = await connect(url, 'switch', { clean: true, protocolVersion: 5 })
      await publisher.publishAsync('kept/1', 'retained', { qos: 1, retain: true })
      await publisher.publishAsync('light/hall', 'with QoS 1', { qos: 1 })
      const userProperties = { colour: 'red' }
      await publisher.publishAsync('light/hall', 'with QoS 2', {
        qos: 2,
        properties: { userProperties, contentType: 'text' },
      })
      await publisher.publishAsync('light/hall', 'expired', { qos: 1, properties: { messageExpiryInterval: 1 } })
      publisher.end(true)
      await stop(mosquitto)

      const directory = join(root, 'store')
      const imported = await run('import', directory, '--mosquitto', join(root, 'mosquitto.db'))
      expect(imported).toMatchObject({ code: 0, stderr: '' })
      expect(imported.lines).toEqual(['2 sessions, 6 queued and 1 retained messages are stored'])
      const shownClient = await run('inspect', directory, 'meter')
      expect(shownClient.lines[0]).toMatch(/^"meter": closed, 3600 s, ends 20/)
      // Its second has passed by then.
      await new Promise(resolve => setTimeout(resolve, 1100))
      const moved = await serve(directory)
      const reader = await connect(moved, 'reader', { clean: true })
      await reader.client.subscribeAsync('kept/#', { qos: 1 })
      await until(() => expect(shown(reader.received)).toEqual(['kept/1 retained 1 retained']))
      const again = await connect(moved, 'lamp')
      await until(() => expect(shown(again.received)).toEqual(['light/hall with QoS 1 1', 'light/hall with QoS 2 2']))
      const meterAgain = await connect(moved, 'meter', { protocolVersion: 5, properties })
      await until(() => expect(meterAgain.received).toHaveLength(2))
      expect(meterAgain.received[1]?.properties).toMatchObject({
        userProperties,
        contentType: 'text',
        subscriptionIdentifier: 5,
      })
      await reader.client.publishAsync('news/1', 'after the move', { qos: 1 })
      await until(() => expect(shown(again.received).at(-1)).toBe('news/1 after the move 1'))
    })

    test('what was on its way goes on with the same packet identifier', async () => {
      const { port, process: mosquitto } = await startMosquitto()
      const url = `mqtt://127.0.0.1:${port}`
      // It gets its messages, and acknowledges none.
      const properties = { sessionExpiryInterval: 3600 }
      const silent = await connect(url, 'silent', { protocolVersion: 5, properties, customHandleAcks: () => {} })
      const sent: (number | undefined)[] = []
      silent.client.on('packetreceive', packet => {
        if (packet.cmd === 'publish') sent.push(packet.messageId)
      })
      await silent.client.subscribeAsync('light/#', { qos: 1 })
      const { client: publisher } = await connect(url, 'switch', { clean: true })
      for (const text of ['first', 'second']) await publisher.publishAsync('light/hall', text, { qos: 1 })
      // The client library reads on when it has acknowledged.
      await until(() => expect(sent).toHaveLength(1))
      silent.client.stream.destroy()
      publisher.end(true)
      await stop(mosquitto)

      const directory = join(root, 'store')
      await run('import', directory, '--mosquitto', join(root, 'mosquitto.db'))
      const again = await connect(await serve(directory), 'silent', { protocolVersion: 5, properties })
      await until(() => expect(again.received).toHaveLength(2))
      expect(again.received[0]?.messageId).toBe(sent[0])
      expect(again.received.map(({ dup }) => dup)).toEqual([true, true])
    })

    test('a file that is damaged, or something else, is refused and nothing is stored', async () => {
      const { port, process: mosquitto } = await startMosquitto()
      const { client } = await connect(`mqtt://127.0.0.1:${port}`, 'lamp')
      await client.publishAsync('kept', 'retained', { qos: 1, retain: true })
      client.end(true)
      await stop(mosquitto)
      const file = join(root, 'mosquitto.db')
      const bytes = readFileSync(file)
      const directory = join(root, 'store')
      const attempt = async (content: Buffer): Promise<string> => {
        writeFileSync(file, content)
        const { code, stderr } = await run('import', directory, '--mosquitto', file)
        expect(code).toBe(1)
        return stderr
      }
      expect(await attempt(bytes.subarray(0, -3))).toContain('is damaged: it is cut off')
      expect(await attempt(Buffer.from('something else'))).toContain('is no persistence file of Mosquitto')
      const older = Buffer.from(bytes)
      older.writeUInt32BE(3, 19)
      expect(await attempt(older)).toContain('has version 3')
    })
  },
)

test('an export that nobody reads to its end ends', async () => {
  const directory = join(root, 'store')
  const url = await serve(directory)
  const { client } = await connect(url, 'lamp')
  for (let index = 0; index < 50; index += 1) {
    await client.publishAsync(`kept/${index}`, 'x'.repeat(20_000), { qos: 1, retain: true })
  }
  const head = spawnSync('sh', [
    '-c',
    `"${process.execPath}" "$0" data export "$1" | head -c 100`,
    commandFile,
    directory,
  ])
  expect(head.stdout.toString()).toMatch(/^\{"kind":"dump","version":1\}/)
  expect(head.stderr.toString()).toBe('')
})

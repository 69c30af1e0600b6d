import { once } from 'node:events'
import { connect as connectSocket, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createBroker } from '@x/broker'
import { Aedes } from 'aedes'
import persistence from 'aedes-persistence-redis'
import { Redis } from 'ioredis'
import { connect } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { describe, expect, onTestFinished, test } from 'vitest'
import { StartedProcess, commandFile } from '../../broker/test/started-command.ts'
import { redisMissing, startRedis } from './redis-server.ts'

async function client(port: number, clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
  const made = connect(`mqtt://127.0.0.1:${port}`, { clientId, clean: false, reconnectPeriod: 0, ...options })
  onTestFinished(() => void made.end(true))
  made.on('error', () => undefined)
  await new Promise<void>(resolve => made.once('connect', () => resolve()))
  return made
}

const text = (value: string): Buffer => Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)])
const frame = (type: number, ...parts: (Buffer | number[])[]): Buffer => {
  const body = Buffer.concat(parts.map(part => Buffer.from(part)))
  return Buffer.concat([Buffer.from([type, body.length]), body])
}

/** A client of MQTT 3.1.1 that says what it is told, and nothing by itself. */
class RawClient {
  readonly #socket: Socket
  #bytes = Buffer.alloc(0)

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => void (this.#bytes = Buffer.concat([this.#bytes, chunk])))
    socket.on('error', () => undefined)
  }

  static async connect(port: number, clientId: string): Promise<RawClient> {
    const socket = connectSocket(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const made = new RawClient(socket)
    await once(socket, 'connect')
    made.say(frame(0x10, text('MQTT'), [4, 0, 0, 60], text(clientId)))
    await made.hears(0x20)
    return made
  }

  say(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** The next packet, which has to be of this type. Packets of less than 128 bytes. */
  async hears(type: number): Promise<Buffer> {
    await expect.poll(() => this.#bytes.length >= 2 + (this.#bytes[1] ?? 255)).toBe(true)
    const packet = this.#bytes.subarray(0, 2 + (this.#bytes[1] as number))
    this.#bytes = this.#bytes.subarray(packet.length)
    expect((packet[0] as number) & 0xf0).toBe(type)
    return packet
  }

  async leaves(): Promise<void> {
    this.#socket.destroy()
    if (!this.#socket.closed) await once(this.#socket, 'close')
  }
}

async function aedes(port: number): Promise<number> {
  const conn = new Redis({ port, host: '127.0.0.1' })
  onTestFinished(async () => {
    // Aedes deletes the will of a client after it has called back that it is closed.
    await expect.poll(async () => conn.exists('will')).toBe(0)
    conn.disconnect()
  })
  const broker = await Aedes.createBroker({ persistence: (persistence as (options: object) => object)({ conn }) })
  const server = createServer(socket => broker.handle(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    await new Promise<void>(resolve => broker.close(() => resolve()))
  })
  return (server.address() as AddressInfo).port
}

async function run(...words: string[]): Promise<{ code: number | null; text: string; stderr: string }> {
  const command = new StartedProcess(process.execPath, [commandFile, 'redis', ...words])
  const { code } = await command.exited
  return { code, text: command.lines.join('\n'), stderr: command.stderr }
}

/** What a client gets, once it has so many. */
function received(of: MqttClient): string[] {
  const messages: string[] = []
  of.on('message', (topic, payload) => void messages.push(`${topic} ${payload.toString()}`))
  return messages
}

describe.skipIf(redisMissing !== undefined)('x-broker redis import-aedes (apt-get install redis-server)', () => {
  test('takes over what Aedes has stored, once, and its clients go on as if nothing had happened', async () => {
    const redis = await startRedis()
    onTestFinished(async () => redis.stop())
    const admin = new Redis({ port: redis.port, host: '127.0.0.1' })
    onTestFinished(() => admin.disconnect())
    const old = await aedes(redis.port)

    const lamp = await client(old, 'lamp: ä')
    await lamp.subscribeAsync({ 'light/#': { qos: 2 }, 'news/+': { qos: 1 } })
    await lamp.endAsync()
    const reader = await RawClient.connect(old, 'reader')
    reader.say(frame(0x82, [0, 1], text('read/#'), [2]))
    await reader.hears(0x90)
    const publisher = await client(old, 'switch', { clean: true })
    await publisher.publishAsync('kept', Buffer.from('of old'), { qos: 1, retain: true })
    await publisher.publishAsync('light/hall', 'one', { qos: 1 })
    await publisher.publishAsync('light/hall', 'two', { qos: 2 })
    await publisher.publishAsync('read/me', 'three', { qos: 2 })
    const packetId = (await reader.hears(0x30)).subarray(2 + 2 + 'read/me'.length).subarray(0, 2)
    reader.say(frame(0x50, packetId))
    await reader.hears(0x60)
    await reader.leaves()
    const sender = await RawClient.connect(old, 'sender')
    sender.say(frame(0x82, [0, 1], text('nothing'), [0]))
    await sender.hears(0x90)
    sender.say(frame(0x34, text('light/late'), [0, 7], Buffer.from('four')))
    await sender.hears(0x50)
    await sender.leaves()
    // As 11 keeps it.
    for (const [id, packet] of Object.entries(await admin.hgetallBuffer('incoming:sender')))
      await admin.set(`incoming:sender:${id}`, packet)
    await admin.del('incoming:sender')
    await client(old, 'mortal', { clean: true, will: { topic: 'light/will', payload: Buffer.from('five'), qos: 1 } })
    await expect.poll(async () => admin.llen('will')).toBe(1)

    const url = `redis://127.0.0.1:${redis.port}`
    const counted = [
      'sessions      3',
      'subscriptions 4',
      'queued        4 messages, 1 of them received by its client',
      'received      1 QoS 2 messages whose PUBREL is still to come',
      'retained      1 messages',
      'wills         1, which a broker publishes within 30 s',
    ]
    const aside = ['skipped       0 that are there already']
    const tried = await run('import-aedes', url, '--dry-run')
    expect(tried).toEqual({ code: 0, text: ['would take over', ...counted, ...aside].join('\n'), stderr: '' })
    const taken = await run('import-aedes', url)
    expect(taken).toEqual({ code: 0, text: ['has taken over', ...counted, ...aside].join('\n'), stderr: '' })
    const repeated = await run('import-aedes', url)
    expect(repeated.text).toMatch(/^sessions +0$/m)
    expect(repeated.text).toMatch(/^skipped +5 that are there already$/m)

    const broker = createBroker({ redis: url })
    onTestFinished(async () => broker.close())
    const listening = await broker.listen({ port: 0, host: '127.0.0.1' })
    const port = Number(new URL(listening.url).port)
    await broker.ready
    const [will = ''] = await admin.hkeys('{x1.p0}:w')
    await admin.zadd('{x1.p0}:t', 1, `3${will}`)
    const again = connect(`mqtt://127.0.0.1:${port}`, { clientId: 'lamp: ä', clean: false, reconnectPeriod: 0 })
    onTestFinished(() => void again.end(true))
    const messages = received(again)
    expect(await new Promise(resolve => void again.once('connect', resolve))).toMatchObject({ sessionPresent: true })
    await expect.poll(() => messages).toHaveLength(4)
    expect(messages.slice(0, 3)).toEqual(['light/hall one', 'light/hall two', 'light/late four'])
    expect(messages[3]).toBe('light/will five')
    await again.subscribeAsync('kept', { qos: 1 })
    await expect.poll(() => messages.at(-1)).toBe('kept of old')

    const readerAgain = await RawClient.connect(port, 'reader')
    expect((await readerAgain.hears(0x60)).subarray(2)).toEqual(packetId)
    readerAgain.say(frame(0x70, packetId))
    const senderAgain = await RawClient.connect(port, 'sender')
    senderAgain.say(frame(0x62, [0, 7]))
    await senderAgain.hears(0x70)
    expect((await run('inspect', url)).text).toMatch(/^unexplained +nothing$/m)
    expect(messages).toHaveLength(5)
  })

  test('says in a sentence why it took nothing over', async () => {
    const command = await run('import-aedes', 'redis://127.0.0.1:1')
    expect(command).toMatchObject({ code: 1, stderr: expect.stringMatching(/^x-broker: .*127\.0\.0\.1:1/) })
    expect(await run('import-aedes')).toMatchObject({ code: 2, stderr: expect.stringMatching(/takes URL/) })
  })
})

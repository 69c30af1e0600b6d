import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { connect } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { clientEvent } from '../../broker/test/client-event.ts'
import { nedbMissing } from './old-stores.ts'
import { redisMissing, startRedis } from './redis-server.ts'
import type { RedisServer } from './redis-server.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const host = fileURLToPath(new URL('fixtures/stored-broker.ts', import.meta.url))

let redis: RedisServer | undefined
afterAll(() => redis?.stop())

/** Where a fresh store of the package keeps its data. */
async function freshPlace(store: string): Promise<string> {
  if (store === 'aedes-persistence-redis') {
    redis ??= await startRedis()
    await redis.flush()
    return `${redis.port}`
  }
  const directory = temporaryFolder()
  return directory
}

interface RunningBroker {
  connect(clientId: string, options?: IClientOptions): Promise<MqttClient & { messages: string[]; resumed: boolean }>
  kill(): Promise<void>
}

async function startBroker(store: string, place: string): Promise<RunningBroker> {
  const parameters = ['--import', 'tsx', host]
  const environment = { ...process.env, STORE: store, PLACE: place }
  const child: ChildProcess = spawn(process.execPath, parameters, {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  onTestFinished(kill)
  if (child.stdout === null) throw new Error('no output')
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string]
  return {
    kill,
    async connect(clientId, options) {
      const client = connect(`mqtt://127.0.0.1:${port}`, { clientId, reconnectPeriod: 0, clean: false, ...options })
      onTestFinished(() => void client.end(true))
      client.on('error', () => undefined)
      const messages: string[] = []
      client.on('message', (topic, payload) => messages.push(`${topic} ${payload.toString()}`))
      const [{ sessionPresent }] = (await clientEvent(client, 'connect')) as [{ sessionPresent: boolean }]
      return Object.assign(client, { messages, resumed: sessionPresent })
    },
  }
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition).toBe(true)
}

describe.each(['aedes-persistence-level', 'aedes-persistence-nedb', 'aedes-persistence-redis'])('%s', store => {
  const missing = { 'aedes-persistence-redis': redisMissing, 'aedes-persistence-nedb': nedbMissing }[store]

  test('after a broker was killed its queues, retained messages and subscriptions are there, and its wills come', async context => {
    if (missing !== undefined) context.skip(missing)
    const place = await freshPlace(store)
    const first = await startBroker(store, place)
    const away = await first.connect('away')
    await away.subscribeAsync('news/#', { qos: 1 })
    await away.subscribeAsync('twice', { qos: 2 })
    const watcher = await first.connect('watcher')
    await watcher.subscribeAsync('will', { qos: 1 })
    await away.endAsync()
    await watcher.endAsync()
    const mortal = await first.connect('mortal', {
      clean: true,
      will: { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false },
    })
    for (const text of ['one', 'two']) await mortal.publishAsync('news/today', text, { qos: 1 })
    await mortal.publishAsync('twice', 'once', { qos: 2 })
    await mortal.publishAsync('state', 'on', { qos: 1, retain: true })
    await first.kill()

    const second = await startBroker(store, place)
    const back = await second.connect('away')
    expect(back.resumed).toBe(true)
    await until(() => back.messages.length >= 3)
    expect(back.messages).toEqual(['news/today one', 'news/today two', 'twice once'])
    const mourner = await second.connect('watcher')
    await until(() => mourner.messages.includes('will gone'))
    const reader = await second.connect('reader', { clean: true })
    await reader.subscribeAsync('state')
    await until(() => reader.messages.includes('state on'))
    await reader.publishAsync('news/tomorrow', 'three', { qos: 1 })
    await until(() => back.messages.includes('news/tomorrow three'))
  })
})

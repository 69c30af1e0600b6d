import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Broker } from '@x/broker'
import type { MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'
import {
  OwnRules,
  hashPassword,
  parseAclFile,
  parsePasswordFile,
  readAclFile,
  readDynamicSecurity,
} from '../src/index.ts'
import type { AccessOptions } from '../src/index.ts'
import { start as startRunning } from './support/running.ts'
import type { Running } from './support/running.ts'

// One test for each class of faults that other brokers had with access.

/** Topics that have come to each client, from its first packet on. */
const inboxes = new WeakMap<MqttClient, string[]>()

async function start(options: AccessOptions): Promise<Running> {
  const server = await startRunning(options)
  return {
    ...server,
    connect: (given, prepare) => {
      const inbox: string[] = []
      return server.connect(given, client => {
        inboxes.set(client, inbox)
        client.on('message', topic => inbox.push(topic))
        prepare?.(client)
      })
    },
  }
}

const rulesOf = (...rules: string[]): AccessOptions => ({ allowAnonymous: true, rules: [new OwnRules({ rules })] })

/** Topics that have come, once a last message has. */
async function received(client: MqttClient, broker: Broker): Promise<string[]> {
  const isOver = new Promise<void>(resolve => {
    client.on('message', topic => (topic === 'end' ? resolve() : undefined))
  })
  await client.subscribeAsync('end', { qos: 1 })
  await broker.publish({ topic: 'end', qos: 1 })
  await isOver
  return (inboxes.get(client) ?? []).filter(topic => topic !== 'end')
}

test('access rights bypassed: a client identifier or user name with wildcards widens no rule, whatever kind of rules there are', async () => {
  const own = ['allow subscribe|receive own/${clientid}/#', 'allow subscribe|receive end']
  const acl = parseAclFile('pattern read own/%c/#\ntopic read end\n', 'acl')
  for (const options of [rulesOf(...own), { allowAnonymous: true, rules: [acl] }]) {
    const server = await start(options)
    await server.broker.publish({ topic: 'own/victim/x', payload: 'x', retain: true })
    for (const clientId of ['+', '#', 'a/+', 'victim/#', '/']) {
      const client = await server.connect({ clientId })
      await client.subscribeAsync('own/victim/#').catch(() => undefined)
      expect(await received(client, server.broker)).toEqual([])
      await client.endAsync(true)
    }
  }
})

test('access rights bypassed: no rule at all allows nothing, and a rule for others neither', async () => {
  for (const options of [
    rulesOf(),
    rulesOf('allow publish|subscribe|receive # for user other'),
    { allowAnonymous: true, rules: [parseAclFile('# nothing\n', 'acl')] },
  ]) {
    const { connect } = await start(options)
    const client = await connect()
    await expect(client.publishAsync('a', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
    await expect(client.publishAsync('__proto__', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  }
})

test('denied subscription stored anyway: a denied filter beside an allowed one is not stored: nothing of it waits for the session', async () => {
  const server = await start(rulesOf('allow subscribe a/#', 'allow subscribe end', 'allow receive #'))
  const session = { clientId: 'c', clean: false, properties: { sessionExpiryInterval: 60 } }
  const client = await server.connect(session)
  await client.subscribeAsync(['secret/#', 'a/#'], { qos: 1 }).catch(() => undefined)
  expect(Object.keys(server.broker.clients['c']?.subscriptions ?? {})).toEqual(['a/#'])
  await client.endAsync()
  for (const topic of ['secret/x', 'a/x']) await server.broker.publish({ topic, payload: 'x', qos: 1 })
  const back = await server.connect(session)
  await expect.poll(() => inboxes.get(back)).toContain('a/x')
  expect(inboxes.get(back)).toEqual(['a/x'])
})

test('access rights bypassed: what was allowed and is not any more: retained messages, live ones, queued ones and resumed subscriptions', async () => {
  const before = rulesOf('allow publish|subscribe|receive #')
  const after = rulesOf('allow publish|receive|subscribe a/#', 'allow subscribe|receive end')
  const server = await start(before)
  const session = { clientId: 'c', clean: false, properties: { sessionExpiryInterval: 60 } }
  const sleeper = await server.connect(session)
  await sleeper.subscribeAsync('#', { qos: 1 })
  const awake = await server.connect({ clientId: 'awake' })
  await awake.subscribeAsync('b/#')
  await sleeper.endAsync()
  await server.broker.publish({ topic: 'b/queued', payload: 'x', qos: 1 })
  await server.broker.publish({ topic: 'b/retained', payload: 'x', retain: true })
  server.access.replace(after, Object.values(server.broker.clients))
  await server.broker.publish({ topic: 'b/live', payload: 'x' })
  await expect(awake.subscribeAsync('b/+')).rejects.toThrow()
  expect(await received(awake, server.broker)).not.toContain('b/live')
  const back = await server.connect(session)
  expect(Object.keys(server.broker.clients['c']?.subscriptions ?? {})).toEqual([])
  await back.subscribeAsync('a/last', { qos: 1 })
  await server.broker.publish({ topic: 'a/last', payload: 'x', qos: 1 })
  await expect.poll(() => inboxes.get(back)).toContain('a/last')
  expect(inboxes.get(back)?.filter(topic => topic.startsWith('b/'))).toEqual([])
})

test('refused login evicts the live client: a refused login leaves the client of that identifier connected', async () => {
  const users = parsePasswordFile(`ann:${await hashPassword('right', { algorithm: 'sha512' })}\n`, 'users')
  const server = await start({ logins: [users] })
  const login = { clientId: 'ann', username: 'ann' }
  const client = await server.connect({ ...login, password: 'right' })
  await expect(server.connect({ ...login, password: 'wrong' })).rejects.toMatchObject({ code: 0x87 })
  await client.publishAsync('a', '', { qos: 1 })
  expect(client.connected).toBe(true)
})

test('object keyed by wire strings: names of object members are names', async () => {
  const names = ['__proto__', 'constructor', 'hasOwnProperty']
  const server = await start({
    allowAnonymous: true,
    rules: [
      new OwnRules({
        rules: names.map(name => `allow publish ${name} for group ${name}`),
        groups: { ['constructor']: ['ann'] },
      }),
    ],
  })
  for (const name of names) {
    const client = await server.connect({ clientId: name, username: name, password: 'x' })
    for (const topic of names) await expect(client.publishAsync(topic, '', { qos: 1 })).rejects.toThrow()
  }
  const ann = await server.connect({ username: 'ann', password: 'x' })
  await ann.publishAsync('constructor', '', { qos: 1 })
  await expect(ann.publishAsync('__proto__', '', { qos: 1 })).rejects.toThrow()
})

test('access rights bypassed: a will to a control topic is refused, and one that no rule allows is not sent', async () => {
  const dynamicSecurity = readDynamicSecurity(join(temporaryFolder(), 'd.json'), { initialPassword: 'first-password' })
  await dynamicSecurity.begin()
  const admin = { username: 'admin', password: 'first-password' }
  const command = '$CONTROL/dynamic-security/v1'
  const payload = Buffer.from('{"commands":[{"command":"createClient","username":"thief","password":"x"}]}')
  const server = await start({ dynamicSecurity })
  const options = { ...admin, will: { topic: command, payload, qos: 0 as const, retain: false } }
  const isClosed = new Promise<void>(resolve => {
    server.connect(options, client => client.once('close', () => resolve())).catch(() => undefined)
  })
  await isClosed
  expect(Object.keys(server.broker.clients)).toEqual([])
  await expect(server.connect({ username: 'thief', password: 'x' })).rejects.toMatchObject({ code: 0x87 })
  const free = await start(rulesOf('allow publish|subscribe|receive free'))
  const watcher = await free.connect()
  await watcher.subscribeAsync('free')
  for (const topic of ['secret', 'free']) {
    const client = await free.connect({ will: { topic, payload, qos: 0, retain: true } })
    client.stream.destroy()
  }
  await expect.poll(() => inboxes.get(watcher)).toEqual(['free'])
})

test('reload fails open: a file that is wrong, or that can not be read, leaves the rules as they were', async () => {
  const file = join(temporaryFolder(), 'acl')
  writeFileSync(file, 'topic a/#\n')
  const server = await start({ allowAnonymous: true, rules: [readAclFile(file)] })
  const reload = (): unknown => server.access.replace({ allowAnonymous: true, rules: [readAclFile(file)] }, [])
  const client = await server.connect()
  writeFileSync(file, 'topic #\ntopik\n')
  expect(reload).toThrow(`${file}:2: `)
  rmSync(file)
  expect(reload).toThrow('there is no such file')
  await client.publishAsync('a/x', '', { qos: 1 })
  await expect(client.publishAsync('b', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
})

test('world-readable files: what is written has mode 0600, whatever the mask and the mode before', async () => {
  const file = join(temporaryFolder(), 'd.json')
  const mask = process.umask(0)
  onTestFinished(() => void process.umask(mask))
  const dynamicSecurity = readDynamicSecurity(file)
  await dynamicSecurity.begin()
  for (const one of [file, `${file}.pw`]) expect(statSync(one).mode & 0o777).toBe(0o600)
})

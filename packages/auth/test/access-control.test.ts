import { createBroker } from '@x/broker'
import type { Broker } from '@x/broker'
import mqtt from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { AccessControl, hashPassword, parseAclFile, parsePasswordFile } from '../src/index.ts'
import type { AccessOptions, LoginCheck } from '../src/index.ts'

interface Running {
  readonly broker: Broker
  readonly access: AccessControl
  connect(options?: IClientOptions): Promise<MqttClient>
}

async function start(options: AccessOptions): Promise<Running> {
  const access = new AccessControl(options)
  const broker = createBroker({ ...access.hooks })
  onTestFinished(() => broker.close())
  const { port } = await broker.listen({ port: 0, host: '127.0.0.1', name: 'main' })
  return {
    broker,
    access,
    connect: async given => {
      const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
        reconnectPeriod: 0,
        protocolVersion: 5,
        ...given,
      })
      onTestFinished(() => void client.end(true))
      return opened(client)
    },
  }
}

async function usersOf(passwords: Readonly<Record<string, string>>): Promise<string> {
  const lines = Object.entries(passwords).map(
    async ([name, password]) => `${name}:${await hashPassword(password, { algorithm: 'sha512' })}\n`,
  )
  return (await Promise.all(lines)).join('')
}

/** What has come to each client, from its first packet on. */
const inboxes = new WeakMap<MqttClient, string[]>()

function opened(client: MqttClient): Promise<MqttClient> {
  const inbox: string[] = []
  inboxes.set(client, inbox)
  client.on('message', topic => inbox.push(topic))
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client)).once('error', reject)
  })
}

/** Topics that have come, once nothing is on its way any more. */
async function received(client: MqttClient, broker: Broker): Promise<string[]> {
  const end = `end/${Math.random()}`
  const isOver = new Promise<void>(resolve => {
    client.on('message', topic => (topic === end ? resolve() : undefined))
  })
  await client.subscribeAsync(end)
  await broker.publish({ topic: end })
  await isOver
  return (inboxes.get(client) ?? []).filter(topic => topic !== end)
}

const acl = `topic read end/#
topic public/#
user ann
topic read end/#
topic house/#
topic deny house/secret
pattern write clients/%c/status
`

test('users come in with their password; who may not is told 0x87, or 5 in MQTT 3', async () => {
  const server = await start({ logins: [parsePasswordFile(await usersOf({ ann: 'a' }), 'users')] })
  await server.connect({ username: 'ann', password: 'a' })
  for (const wrong of [
    {},
    { username: 'ann' },
    { username: 'ann', password: 'b' },
    { username: 'bob', password: 'a' },
  ]) {
    await expect(server.connect(wrong)).rejects.toMatchObject({ code: 0x87 })
    await expect(server.connect({ ...wrong, protocolVersion: 4 })).rejects.toMatchObject({ code: 5 })
  }
})

test('allowAnonymous lets in clients without name, and with one where no check knows it', async () => {
  const logins = [parsePasswordFile(await usersOf({ ann: 'a' }), 'users')]
  const server = await start({ logins, allowAnonymous: true })
  await server.connect()
  await expect(server.connect({ username: 'bob', password: 'x' })).rejects.toMatchObject({ code: 0x87 })
  const open = await start({ allowAnonymous: true })
  await open.connect({ username: 'bob', password: 'x' })
  const closed = await start({})
  await expect(closed.connect({ username: 'bob', password: 'x' })).rejects.toMatchObject({ code: 0x87 })
})

test('the first check that has an opinion decides, and one that fails lets nobody in', async () => {
  const saying = (verdict: 'accept' | 'refuse' | 'unknown'): LoginCheck => ({
    check: async () => verdict,
    recheck: () => verdict,
  })
  const failing = { ...saying('accept'), check: () => Promise.reject(new Error('no data base')) }
  await (await start({ logins: [saying('unknown'), saying('accept'), saying('refuse')] })).connect()
  for (const logins of [
    [saying('unknown'), saying('refuse'), saying('accept')],
    [failing, saying('accept')],
  ]) {
    await expect((await start({ logins, allowAnonymous: true })).connect()).rejects.toMatchObject({ code: 0x87 })
  }
})

test('rules hold where a message is published, delivered, retained, queued and a will', async () => {
  const logins = [parsePasswordFile(await usersOf({ ann: 'a' }), 'users')]
  const server = await start({ logins, rules: [parseAclFile(acl, 'acl')], allowAnonymous: true })
  const { broker } = server
  for (const topic of ['house/lamp', 'house/secret', 'public/x'])
    await broker.publish({ topic, payload: 'x', retain: true })
  const session = { clientId: 'ann', clean: false, properties: { sessionExpiryInterval: 60 } }
  const ann = await server.connect({ ...session, username: 'ann', password: 'a' })
  expect(await ann.subscribeAsync(['house/#', 'public/#'], { qos: 1 })).toMatchObject([{ qos: 1 }, { qos: 1 }])
  expect(await received(ann, broker)).toEqual(['house/lamp'])
  await expect(ann.publishAsync('house/secret', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  await expect(ann.publishAsync('clients/other/status', '', { qos: 2 })).rejects.toMatchObject({ code: 0x87 })
  await ann.publishAsync('clients/ann/status', '', { qos: 1 })
  await ann.endAsync()
  const will = { topic: 'house/will', payload: Buffer.from('x'), qos: 1 as const }
  const nobody = await server.connect({ will, clientId: 'nobody' })
  nobody.stream.destroy()
  const other = await server.connect({ will: { ...will, topic: 'public/will' }, clientId: 'other' })
  other.stream.destroy()
  await broker.publish({ topic: 'house/secret', qos: 1 })
  await broker.publish({ topic: 'house/late', qos: 1 })
  const back = await server.connect({ ...session, username: 'ann', password: 'a' })
  expect(await received(back, broker)).not.toContain('house/secret')
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribeAsync('public/#')
  expect(await received(watcher, broker)).toEqual(['public/x'])
})

test('no rule opens the topics of the broker for publishing, and without rules they are closed too', async () => {
  for (const rules of [[], [parseAclFile('topic $SYS/#\ntopic #', 'acl')]]) {
    const server = await start({ rules, allowAnonymous: true })
    const client = await server.connect()
    await expect(client.publishAsync('$SYS/broker/x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
    await client.publishAsync('$SYS/broker/connection/house/state', '1', { qos: 1 })
    await client.publishAsync('a', '', { qos: 1 })
  }
})

test('replaced rules count at once; who has lost its place is returned, may do nothing, and its will is not sent', async () => {
  const text = await usersOf({ ann: 'a', bob: 'b', cid: 'c' })
  const server = await start({ logins: [parsePasswordFile(text, 'users')], allowAnonymous: true })
  const { broker, access } = server
  const will = { topic: 'will', payload: Buffer.from('x') }
  const ann = await server.connect({ clientId: 'ann', username: 'ann', password: 'a', will })
  await server.connect({ clientId: 'bob', username: 'bob', password: 'b' })
  await server.connect({ clientId: 'cid', username: 'cid', password: 'c' })
  await server.connect({ clientId: 'nobody' })
  const watched: string[] = []
  await broker.subscribe('#', packet => void watched.push(packet.topic))
  const again = `${await usersOf({ bob: 'b' })}${text.split('\n')[2]}\n`
  const lost = access.replace({ logins: [parsePasswordFile(again, 'users')] }, Object.values(broker.clients))
  expect(lost.map(({ id }) => id).toSorted()).toEqual(['ann', 'bob', 'nobody'])
  await expect(ann.publishAsync('a', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  const ended = new Promise(resolve => {
    ann.once('disconnect', ({ reasonCode }) => resolve(reasonCode))
  })
  for (const client of lost) client.close()
  expect(await ended).toBe(0x98)
  await server.connect({ username: 'bob', password: 'b' })
  expect(watched.filter(topic => topic === 'will' || topic === 'a')).toEqual([])
})

test('a listener may have users and rules of its own', async () => {
  const server = await start({ allowAnonymous: true, listeners: { inner: { logins: [], allowAnonymous: false } } })
  await server.connect()
  const { port = 0 } = await server.broker.listen({ port: 0, host: '127.0.0.1', name: 'inner' })
  await expect(server.connect({ port })).rejects.toMatchObject({ code: 0x87 })
})

test('an unknown name costs as much as a wrong password, and few passwords are compared at a time', async () => {
  const slow = await hashPassword('right', { algorithm: 'sha512-pbkdf2', iterations: 20_000 })
  const users = parsePasswordFile(`ann:${slow}`, 'users', { maximumConcurrentHashes: 1 })
  const timed = async (username: string): Promise<number> => {
    const begin = process.cpuUsage()
    for (let round = 0; round < 5; round += 1) {
      await users.check({ clientId: 'c', username, password: Buffer.from('wrong') })
    }
    return process.cpuUsage(begin).user
  }
  await timed('ann')
  expect((await timed('nobody')) / (await timed('ann'))).toBeGreaterThan(0.3)
  expect(() => parsePasswordFile('', 'users', { maximumConcurrentHashes: 0 })).toThrow('from 1 to 64')
})

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createBroker } from '@x/broker'
import mqtt from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { AccessControl, DynamicSecurity, hashPassword, readDynamicSecurity } from '../src/index.ts'
import type { Commander } from '../src/index.ts'
import { addressOf } from '../src/access-client.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const nobody: Commander = { clientId: 'c', username: undefined, addressesOf: () => [] }

interface Response {
  readonly command: string
  readonly error?: string
  readonly data?: Record<string, unknown>
  readonly correlationData?: string
}

function fileOf(content: object | string = {}): string {
  const directory = temporaryFolder()
  const file = join(directory, 'dynsec.json')
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

async function executed(security: DynamicSecurity, request: unknown): Promise<Response[]> {
  const payload = Buffer.from(typeof request === 'string' ? request : JSON.stringify(request))
  return (JSON.parse(await security.execute(nobody, payload)) as { responses: Response[] }).responses
}

const run = (security: DynamicSecurity, ...commands: object[]): Promise<Response[]> => executed(security, { commands })

test.for<[why: string, request: unknown, responses: object[]]>([
  ['no JSON', '{', [{ command: 'Unknown command', error: 'Payload not valid JSON' }]],
  ['no list', {}, [{ command: 'Unknown command', error: 'Invalid/missing commands' }]],
  ['no object at all', '[]', [{ command: 'Unknown command', error: 'Invalid/missing commands' }]],
  ['no object in the list', { commands: [1] }, [{ command: 'Unknown command', error: 'Command not an object' }]],
  ['no name', { commands: [{}] }, [{ command: 'Unknown command', error: 'Missing command' }]],
  [
    'what is no command ends the request',
    { commands: [{ command: 'getDetails', correlationData: 5 }, { command: 'getDetails' }] },
    [{ command: 'getDetails', error: 'Invalid correlationData data type.' }],
  ],
  [
    'a command that fails does not stop those behind it, and what it was given is returned',
    { commands: [{ command: 'boo', correlationData: 'x' }, { COMMAND: 'GETanonymousGROUP' }] },
    [
      { command: 'boo', error: 'Unknown command', correlationData: 'x' },
      { command: 'GETanonymousGROUP', data: { group: { groupname: '' } } },
    ],
  ],
  [
    'the example of the protocol',
    {
      commands: [
        {
          command: 'createRole',
          rolename: 'watch',
          acls: [{ acltype: 'subscribePattern', topic: 'out/#', allow: true }],
        },
        { command: 'getRole', rolename: 'watch', correlationData: '7' },
        { command: 'deleteRole', rolename: 'none' },
      ],
    },
    [
      { command: 'createRole' },
      {
        command: 'getRole',
        data: {
          role: {
            rolename: 'watch',
            allowwildcardsubs: true,
            acls: [{ acltype: 'subscribePattern', topic: 'out/#', priority: 0, allow: true }],
          },
        },
        correlationData: '7',
      },
      { command: 'deleteRole', error: 'Role not found' },
    ],
  ],
])('requests: %s', async ([, request, responses]) => {
  expect(await executed(readDynamicSecurity(fileOf()), request)).toEqual(responses)
})

test.for<[command: object, error: string]>([
  [{ command: 'createClient' }, 'Invalid/missing username'],
  [{ command: 'createClient', username: 5 }, 'Invalid/missing username'],
  [{ command: 'createClient', username: '' }, 'Empty username'],
  [{ command: 'createClient', username: 'a\u0000' }, 'Username not valid UTF-8'],
  [{ command: 'createClient', username: '\uffff' }, 'Username not valid UTF-8'],
  [{ command: 'createClient', username: '\u{1fffe}' }, 'Username not valid UTF-8'],
  [{ command: 'createClient', username: 'a\u0085' }, 'Username not valid UTF-8'],
  [{ command: 'createClient', username: 'n', clientid: '\ud800' }, 'Client ID not valid UTF-8'],
  [{ command: 'setClientId', username: 'u', clientid: '\ufdd0' }, 'Client ID not valid UTF-8'],
  [{ command: 'createGroup', groupname: '\n' }, 'Group name not valid UTF-8'],
  [{ command: 'createRole', rolename: '\uffff' }, 'Role name not valid UTF-8'],
  [{ command: 'createClient', username: 'n', password: 5 }, 'Invalid/missing password'],
  [{ command: 'createClient', username: 'n', clientid: 5 }, 'Invalid/missing client id'],
  [{ command: 'createClient', username: 'n', textname: 5 }, 'Invalid/missing textname'],
  [{ command: 'createClient', username: 'n', textdescription: 5 }, 'Invalid/missing textdescription'],
  [{ command: 'createClient', username: 'n', roles: [{ rolename: 'none' }] }, 'Role not found'],
  [{ command: 'createClient', username: 'n', groups: [{ groupname: 'none' }] }, 'Group not found'],
  [{ command: 'createClient', username: 'n', roles: 'r' }, "'roles' not an array or missing/invalid rolename"],
  [{ command: 'modifyClient', username: 'u', groups: [{}] }, "'groups' not an array or missing/invalid groupname"],
  [
    { command: 'modifyGroup', groupname: 'g', roles: [{ rolename: 5 }] },
    "'roles' not an array or missing/invalid rolename",
  ],
  [{ command: 'modifyClient', username: 'none' }, 'Client not found'],
  [{ command: 'deleteClient', username: '\uffff' }, 'Username not valid UTF-8'],
  [{ command: 'getGroup', groupname: '\uffff' }, 'Group name not valid UTF-8'],
  [{ command: 'modifyRole', rolename: '\uffff' }, 'Role name not valid UTF-8'],
  [{ command: 'setClientPassword', username: 'u', password: '' }, 'Empty password is not allowed'],
  [{ command: 'createGroup', groupname: '' }, 'Empty groupname'],
  [{ command: 'modifyGroup', groupname: 'none' }, 'Group not found'],
  [{ command: 'modifyGroup', groupname: 'g', clients: [{ username: 'none' }] }, 'Client not found'],
  [{ command: 'deleteGroup', groupname: 'g' }, 'Deleting the anonymous group is forbidden'],
  [{ command: 'createRole', rolename: 'n', allowwildcardsubs: 'x' }, 'Invalid allowwildcardsubs'],
  [{ command: 'modifyRole', rolename: 'none' }, 'Role does not exist'],
  [{ command: 'addRoleACL', rolename: 'r', acltype: 'x', topic: 'a' }, 'Unknown acltype'],
  [{ command: 'addRoleACL', rolename: 'r', acltype: 'subscribePattern', topic: 'a#' }, 'Invalid ACL topic'],
  [{ command: 'addRoleACL', rolename: 'r', acltype: 'subscribePattern' }, 'Invalid/missing topic'],
  [{ command: 'removeRoleACL', rolename: 'r', acltype: 'subscribePattern', topic: 'a' }, 'ACL not found'],
  [{ command: 'setDefaultACLAccess' }, 'Missing/invalid actions array'],
  [{ command: 'addClientRole', username: '__proto__', rolename: 'constructor' }, 'Client not found'],
])('%j is refused, and changes nothing', async ([refused, error]) => {
  const file = fileOf({
    clients: [{ username: 'u' }],
    groups: [{ groupname: 'g' }],
    roles: [{ rolename: 'r' }],
    anonymousGroup: 'g',
  })
  const before = readFileSync(file, 'utf8')
  const security = readDynamicSecurity(file)
  expect(await run(security, refused)).toMatchObject([{ error }])
  expect(readFileSync(file, 'utf8')).toBe(before)
})

test('a request is in the file once it is answered, and what the file has can be read again', async () => {
  const file = fileOf()
  const security = readDynamicSecurity(file)
  await run(
    security,
    { command: 'createRole', rolename: 'r', textname: 'R', allowwildcardsubs: false },
    { command: 'createGroup', groupname: 'g', roles: [{ rolename: 'r', priority: 4 }] },
    { command: 'createClient', username: 'u', password: 'p', clientid: 'i', groups: [{ groupname: 'g', priority: 2 }] },
    { command: 'disableClient', username: 'u' },
    { command: 'setAnonymousGroup', groupname: 'g' },
    { command: 'setDefaultACLAccess', acls: [{ acltype: 'subscribe', allow: true }] },
  )
  const again = readDynamicSecurity(file)
  const questions = [
    { command: 'getDetails' },
    { command: 'listClients', verbose: true },
    { command: 'listGroups', verbose: true },
    { command: 'listRoles', verbose: true },
    { command: 'getAnonymousGroup' },
    { command: 'getDefaultACLAccess' },
  ]
  const answers = await run(security, ...questions)
  expect(await run(again, ...questions)).toEqual(answers)
  expect(answers[0]?.data).toEqual({ clientCount: 1, groupCount: 1, roleCount: 1, changeIndex: 6 })
  expect(await again.check({ clientId: 'i', username: 'u', password: Buffer.from('p') })).toBe('refuse')
  await run(again, { command: 'enableClient', username: 'u' })
  expect(await again.check({ clientId: 'i', username: 'u', password: Buffer.from('p') })).toHaveProperty('evidence')
  expect(await again.check({ clientId: 'other', username: 'u', password: Buffer.from('p') })).toBe('refuse')
  expect(await again.check({ clientId: 'i', username: 'none', password: Buffer.from('p') })).toBe('defer')
})

test('a change that can not be written is none, and its client is told', async () => {
  const file = fileOf()
  const security = readDynamicSecurity(file)
  const failures: unknown[] = []
  security.observe({ failed: error => failures.push(error) })
  mkdirSync(`${file}.new`)
  expect(await run(security, { command: 'createRole', rolename: 'r' })).toEqual([
    { command: 'createRole', error: 'Internal error' },
  ])
  expect(failures).toHaveLength(1)
  rmdirSync(`${file}.new`)
  expect(await run(security, { command: 'getRole', rolename: 'r' })).toMatchObject([{ error: 'Role not found' }])
})

test('requests of several clients are executed one after the other', async () => {
  const security = readDynamicSecurity(fileOf())
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      run(security, { command: 'createClient', username: 'u', password: `p${index}` }),
    ),
  )
  expect(answers.flat().filter(({ error }) => error === undefined)).toHaveLength(1)
  expect(await run(security, { command: 'getDetails' })).toMatchObject([{ data: { clientCount: 1, changeIndex: 1 } }])
})

async function started(content: object): Promise<{
  security: DynamicSecurity
  connect(options?: IClientOptions): Promise<MqttClient>
}> {
  const security = readDynamicSecurity(fileOf(content))
  const access = new AccessControl({ dynamicSecurity: security, allowAnonymous: true })
  const broker = createBroker({ ...access.hooks })
  onTestFinished(() => broker.close())
  const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
  return {
    security,
    connect: async (options = {}) => {
      const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, protocolVersion: 5, ...options })
      onTestFinished(() => void client.end(true))
      return new Promise((resolve, reject) => {
        client.once('connect', () => resolve(client)).once('error', reject)
      })
    },
  }
}

const password = await hashPassword('p', { algorithm: 'sha512-pbkdf2' })
const everything = ['publishClientSend', 'publishClientReceive', 'subscribePattern', 'unsubscribePattern']
const content = {
  clients: [
    { username: 'ann', encoded_password: password, roles: [{ rolename: 'all' }] },
    { username: 'bob', encoded_password: password, roles: [{ rolename: 'narrow' }] },
  ],
  groups: [{ groupname: 'anonymous', roles: [{ rolename: 'public' }] }],
  roles: [
    {
      rolename: 'all',
      acls: ['#', '$CONTROL/#'].flatMap(topic => everything.map(acltype => ({ acltype, topic, allow: true }))),
    },
    { rolename: 'narrow', acls: everything.map(acltype => ({ acltype, topic: 'b/%u/#', allow: true })) },
    { rolename: 'public', acls: everything.map(acltype => ({ acltype, topic: 'public/#', allow: true })) },
  ],
  anonymousGroup: 'anonymous',
}

/** What a request on the wire is answered. */
async function command(client: MqttClient, ...commands: object[]): Promise<Response[]> {
  const answer = new Promise<string>(resolve => {
    client.once('message', (_topic, payload) => resolve(payload.toString()))
  })
  await client.subscribeAsync(`${DynamicSecurity.topic}/response`)
  client.publish(DynamicSecurity.topic, JSON.stringify({ commands }), { qos: 1 })
  return (JSON.parse(await answer) as { responses: Response[] }).responses
}

test('rights decide what is published, subscribed to and unsubscribed from, and only who may sends commands', async () => {
  const server = await started(content)
  const bob = await server.connect({ username: 'bob', password: 'p' })
  await expect(bob.publishAsync('b/ann/x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  await bob.publishAsync('b/bob/x', '', { qos: 1 })
  await expect(bob.subscribeAsync('b/+/x')).rejects.toThrow()
  expect(await bob.subscribeAsync('b/bob/+')).toMatchObject([{ qos: 0 }])
  await expect(bob.publishAsync(DynamicSecurity.topic, '{}', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  const nameless = await server.connect()
  await nameless.publishAsync('public/x', '', { qos: 1 })
  await expect(nameless.publishAsync('b/x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  await expect(server.connect({ username: 'cid', password: 'p' })).rejects.toMatchObject({ code: 0x87 })
  await expect(server.connect({ username: 'bob', password: 'q' })).rejects.toMatchObject({ code: 0x87 })
})

test.for<[why: string, change: object, who: IClientOptions]>([
  ['a client is deleted', { command: 'deleteClient', username: 'bob' }, { username: 'bob', password: 'p' }],
  ['a client is disabled', { command: 'disableClient', username: 'bob' }, { username: 'bob', password: 'p' }],
  [
    'a password is set',
    { command: 'setClientPassword', username: 'bob', password: 'p' },
    { username: 'bob', password: 'p' },
  ],
  ['a role is deleted', { command: 'deleteRole', rolename: 'narrow' }, { username: 'bob', password: 'p' }],
  [
    'a role may do more',
    { command: 'addRoleACL', rolename: 'narrow', acltype: 'publishClientSend', topic: 'x', allow: true },
    { username: 'bob', password: 'p' },
  ],
  [
    'the anonymous may do something else',
    { command: 'removeGroupRole', groupname: 'anonymous', rolename: 'public' },
    {},
  ],
])('when %s, its clients are ended with 0x98 and without will, and others stay', async ([, change, who]) => {
  const server = await started(content)
  const admin = await server.connect({ username: 'ann', password: 'p' })
  const seen: string[] = []
  admin.on('message', topic => seen.push(topic))
  await admin.subscribeAsync('#')
  const will = { topic: who.username === undefined ? 'public/will' : 'b/bob/will', payload: Buffer.from('x') }
  const client = await server.connect({ ...who, will })
  const ended = new Promise(resolve => {
    client.once('disconnect', ({ reasonCode }) => resolve(reasonCode))
  })
  expect(await command(admin, change)).toEqual([{ command: (change as Response).command }])
  expect(await ended).toBe(0x98)
  expect(admin.connected).toBe(true)
  await admin.publishAsync('last', '', { qos: 1 })
  await expect.poll(() => seen).toContain('last')
  expect(seen.filter(topic => topic.endsWith('will'))).toEqual([])
})

test.for<object>([
  { command: 'addRoleACL', rolename: 'all', acltype: 'publishClientSend', topic: 'x', allow: true },
  { command: 'removeClientRole', username: 'ann', rolename: 'all' },
  { command: 'setClientPassword', username: 'ann', password: 'q' },
  { command: 'deleteClient', username: 'ann' },
])('who changes its own rights has the response, and nothing else, before it is ended: %j', async change => {
  const server = await started(content)
  const [admin, other] = [
    await server.connect({ username: 'ann', password: 'p' }),
    await server.connect({ username: 'ann', password: 'p' }),
  ]
  const reasonOf = (client: MqttClient): Promise<number | undefined> =>
    new Promise(resolve => {
      client.once('disconnect', ({ reasonCode }) => resolve(reasonCode))
    })
  const ended = Promise.all([reasonOf(admin), reasonOf(other)])
  const seen: string[] = []
  other.on('message', topic => seen.push(topic))
  await other.subscribeAsync('$CONTROL/#')
  expect(await command(admin, change)).toEqual([{ command: (change as Response).command }])
  expect(await ended).toEqual([0x98, 0x98])
  expect(seen).toEqual([])
})

test('subscriptions that are no longer allowed are gone when a session is resumed', async () => {
  const server = await started(content)
  const session = { clientId: 'bob', clean: false, properties: { sessionExpiryInterval: 60 } }
  const login = { ...session, username: 'bob', password: 'p' }
  const bob = await server.connect(login)
  await bob.subscribeAsync('b/bob/#', { qos: 1 })
  const admin = await server.connect({ username: 'ann', password: 'p' })
  await command(admin, {
    command: 'removeRoleACL',
    rolename: 'narrow',
    acltype: 'subscribePattern',
    topic: 'b/%u/#',
  })
  await (await server.connect(login)).endAsync()
  await command(admin, {
    command: 'addRoleACL',
    rolename: 'narrow',
    acltype: 'subscribePattern',
    topic: 'b/%u/#',
    allow: true,
  })
  const back = await server.connect(login)
  const seen: string[] = []
  back.on('message', topic => seen.push(topic))
  await admin.publishAsync('b/bob/old', '', { qos: 1 })
  await back.subscribeAsync('b/bob/new', { qos: 1 })
  await admin.publishAsync('b/bob/new', '', { qos: 1 })
  await expect.poll(() => seen).toContain('b/bob/new')
  expect(seen).toEqual(['b/bob/new'])
})

test('getClient shows where a client is connected from', async () => {
  const server = await started(content)
  const admin = await server.connect({ username: 'ann', password: 'p' })
  const [answer] = await command(admin, { command: 'getClient', username: 'ann' })
  expect(answer?.data).toMatchObject({ client: { username: 'ann', connections: [{ address: '127.0.0.1' }] } })
})

test.each([
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8::7', '2001:db8::7'],
])('a client at %s is at %s', (remoteAddress, shown) => {
  expect(addressOf({ conn: { remoteAddress } })).toBe(shown)
})

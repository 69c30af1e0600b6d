import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { connectWhenListening } from './connect-when-listening.ts'
import { StartedProcess, commandFile, listeningUrl, oneProcess, portOf } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const plugin = execFileSync('sh', ['-c', 'ls /usr/lib/*/mosquitto_dynamic_security.so'], { encoding: 'utf8' }).trim()
const admin = { username: 'admin', password: 'first-password' }

interface Running {
  readonly port: number
  readonly file: string
  readonly broker: StartedProcess
}

interface Ended {
  readonly code: number
  readonly output: string
}

/** Runs it to its end. It is waited for and not blocked on: the log of a started broker is read meanwhile. */
function ended(program: string, parameters: readonly string[]): Promise<Ended> {
  return new Promise(resolve => {
    const child = execFile(
      program,
      parameters,
      { timeout: 60_000, env: { ...process.env, ...oneProcess } },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, output: `${stdout}${stderr}` })
      },
    )
  })
}

/** What `mosquitto_ctrl dynsec` prints. */
async function ctrl({ port }: Pick<Running, 'port'>, line: string, { username, password } = admin): Promise<string> {
  const login = ['-p', String(port), '-u', username, '-P', password]
  return (await ended('mosquitto_ctrl', [...login, 'dynsec', ...line.split(' ')])).output
}

/** With a file of `mosquitto_ctrl dynsec init`, and a configuration of Mosquitto's. */
async function started(program: 'mosquitto' | 'x-broker', more = ''): Promise<Running> {
  const directory = temporaryFolder(0o755)
  const [file, conf, port] = [join(directory, 'dynsec.json'), join(directory, 'm.conf'), await freePort()]
  await ended('mosquitto_ctrl', ['dynsec', 'init', file, admin.username, admin.password])
  const user = process.getuid?.() === 0 ? 'user root\n' : ''
  writeFileSync(
    conf,
    `${user}log_dest stdout\nlistener ${port} 127.0.0.1\nallow_anonymous true\nplugin ${plugin}\nplugin_opt_config_file ${file}\n${more}`,
  )
  const ours = program === 'x-broker'
  const broker = new StartedProcess(
    ours ? process.execPath : program,
    [...(ours ? [commandFile] : []), '-c', conf],
    oneProcess,
  )
  onTestFinished(() => broker.stop())
  await (await connectWhenListening(`mqtt://127.0.0.1:${port}`)).endAsync()
  return { port, file, broker }
}

async function connected({ port }: Running, options: IClientOptions): Promise<MqttClient> {
  const given = { reconnectPeriod: 0, protocolVersion: 5, ...options } as const
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, given)
  onTestFinished(() => void client.end(true))
  return client
}

/** The responses to commands that `admin` sends to a topic in one request. */
async function executed(running: Running, commands: object[], api = 'dynamic-security'): Promise<object[]> {
  const client = await connected(running, admin)
  const payload = new Promise<string>(resolve => {
    client.once('message', (_topic, message) => resolve(message.toString()))
  })
  await client.subscribeAsync(`$CONTROL/${api}/v1/response`)
  await client.publishAsync(`$CONTROL/${api}/v1`, JSON.stringify({ commands }))
  const { responses } = JSON.parse(await payload) as { responses: object[] }
  await client.endAsync()
  return responses
}

/** Each kind of command that `mosquitto_ctrl` sends, and some that are refused. Each costs a process, which a busy machine is slow to start.
 * None does what Mosquitto 2.0.11 dies of: to delete the group of the anonymous, or one with members after a change to it. */
const session: readonly string[] = [
  'createRole sensor',
  'createRole sensor',
  'addRoleACL sensor publishClientSend in/%u/# allow',
  'addRoleACL sensor publishClientSend in/%u/secret deny 10',
  'addRoleACL sensor subscribePattern out/# allow 5',
  'getRole sensor',
  'createClient alice -p secret',
  'createClient bob -p secret -c bob-id',
  'setClientPassword alice other',
  'setClientId alice alice-id',
  'addClientRole alice sensor 3',
  'createGroup plant',
  'createGroup nobody',
  'addGroupRole plant sensor 7',
  'addGroupClient plant alice 2',
  'addGroupClient plant none',
  'getGroup plant',
  'getClient alice',
  'setAnonymousGroup nobody',
  'getAnonymousGroup',
  'setDefaultACLAccess subscribe allow',
  'getDefaultACLAccess',
  'disableClient bob',
  'getClient bob',
  'enableClient bob',
  'listClients 1 1',
  'listGroups',
  'listRoles',
  'removeGroupRole plant sensor',
  'removeGroupClient plant alice',
  'removeClientRole alice sensor',
  'removeRoleACL sensor publishClientSend in/%u/secret',
  'deleteGroup plant',
  'deleteRole sensor',
  'deleteClient alice',
]

async function printed(running: Running): Promise<string[]> {
  const all: string[] = []
  for (const line of session) all.push(`${line}: ${await ctrl(running, line)}`)
  return all
}

test('mosquitto_ctrl prints the same for every command, whichever broker executes it', async () => {
  const [theirs, ours] = await Promise.all([started('mosquitto'), started('x-broker')])
  const [fromTheirs, fromOurs] = await Promise.all([printed(theirs), printed(ours)])
  expect(fromOurs).toEqual(fromTheirs)
  expect(await ctrl(ours, 'deleteClient alice')).toContain('Client not found')
  expect(statSync(ours.file).mode & 0o777).toBe(0o600)
}, 300_000)

test('commands count at once for connected clients, are kept over SIGHUP and in the file, and are logged', async () => {
  const running = await started('x-broker')
  await executed(running, [
    { command: 'createClient', username: 'alice', password: 'secret' },
    { command: 'createRole', rolename: 'r', acls: [{ acltype: 'publishClientSend', topic: 'a/#', allow: true }] },
  ])
  const hers = { clientId: 'alice', username: 'alice', password: 'secret' }
  const alice = await connected(running, hers)
  await expect(alice.publishAsync('a/x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  const reason = new Promise(resolve => {
    alice.once('disconnect', ({ reasonCode }) => resolve(reasonCode))
  })
  await executed(running, [{ command: 'addClientRole', username: 'alice', rolename: 'r' }])
  expect(await reason).toBe(0x98)
  const again = await connected(running, hers)
  await again.publishAsync('a/x', '', { qos: 1 })
  running.broker.signal('SIGHUP')
  await running.broker.line(/SIGHUP: configuration/)
  await again.publishAsync('a/x', '', { qos: 1 })
  await running.broker.line(/dynsec: .*admin \| addClientRole/)
  const kept = (): string[] => {
    const { clients } = JSON.parse(readFileSync(running.file, 'utf8')) as { clients: { username: string }[] }
    return clients.map(({ username }) => username)
  }
  await expect.poll(kept).toEqual(['admin', 'alice'])
})

test('a file that is not there is made, with a password of admin beside it that works', async () => {
  const directory = temporaryFolder()
  const [file, conf] = [join(directory, 'd.json'), join(directory, 'x.yaml')]
  writeFileSync(conf, `listeners: [{ port: 0 }]\naccess: { dynamicSecurityFile: ${file} }\nstore: { memory: true }\n`)
  expect(await ended(process.execPath, [commandFile, '-c', conf, '--check-config'])).toMatchObject({ code: 0 })
  expect(existsSync(file)).toBe(false)
  const broker = new StartedProcess(process.execPath, [commandFile, '-c', conf], oneProcess)
  onTestFinished(() => broker.stop())
  const port = portOf(await listeningUrl(broker))
  const [, password = ''] = /^admin (.{20})$/m.exec(readFileSync(`${file}.pw`, 'utf8')) ?? []
  const roles = await ctrl({ port }, 'listRoles', { username: 'admin', password })
  expect(roles.split('\n')).toContain('super-admin')
  for (const one of [file, `${file}.pw`]) expect(statSync(one).mode & 0o777).toBe(0o600)
})

test('plugin_opt_password_init_file has the first password of admin', async () => {
  const [directory, port] = [temporaryFolder(), await freePort()]
  const [file, conf, first] = [join(directory, 'd.json'), join(directory, 'm.conf'), join(directory, 'first')]
  const lines = [`listener ${port} 127.0.0.1`, `plugin ${plugin}`, `plugin_opt_config_file ${file}`]
  writeFileSync(conf, [...lines, `plugin_opt_password_init_file ${first}`, ''].join('\n'))
  writeFileSync(first, 'short\n')
  expect(await ended(process.execPath, [commandFile, '-c', conf, '--check-config'])).toEqual({
    code: 3,
    output: expect.stringContaining('the first password of admin has 5 characters, it must have 12 or more') as string,
  })
  writeFileSync(first, 'first-password\nmore\n')
  const broker = new StartedProcess(process.execPath, [commandFile, '-c', conf], oneProcess)
  onTestFinished(() => broker.stop())
  await (await connectWhenListening(`mqtt://127.0.0.1:${port}`, admin)).endAsync()
  expect(existsSync(`${file}.pw`)).toBe(false)
})

test.for<[why: string, text: string, message: string]>([
  ['JSON that is cut off', '{\n"clients": [', 'it is no JSON'],
  ['no object', '[]', 'd.json: it is no JSON object'],
])('%s ends with exit code 3 and says why', async ([, text, message]) => {
  const directory = temporaryFolder()
  const [file, conf] = [join(directory, 'd.json'), join(directory, 'x.yaml')]
  writeFileSync(file, text)
  writeFileSync(conf, `access: { dynamicSecurityFile: ${file} }\n`)
  const { code, output } = await ended(process.execPath, [commandFile, '-c', conf, '--check-config'])
  expect(output).toContain(message)
  expect(code).toBe(3)
})

test('$CONTROL/broker/v1 lists listeners and plugins where the configuration says so', async () => {
  const socket = join(temporaryFolder(), 's')
  const running = await started('x-broker', `enable_control_api true\nlistener 0 ${socket}\nprotocol websockets\n`)
  for (const type of ['publishClientSend', 'subscribePattern', 'publishClientReceive']) {
    await ctrl(running, `addRoleACL admin ${type} $CONTROL/broker/# allow`)
  }
  const listener = { port: running.port, protocol: 'mqtt', 'bind-address': '127.0.0.1', tls: false }
  const local = { port: 0, protocol: 'mqtt+websockets', 'socket-path': socket, tls: false }
  expect(await executed(running, [{ command: 'listListeners' }, { command: 'listPlugins' }], 'broker')).toMatchObject([
    { command: 'listListeners', data: { listeners: [listener, local] } },
    { command: 'listPlugins', data: { plugins: [{ 'control-endpoints': ['$CONTROL/dynamic-security/v1'] }] } },
  ])
})

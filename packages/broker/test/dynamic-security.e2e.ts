import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { connectWhenListening } from './connect-when-listening.ts'
import { StartedProcess, commandFile, freePort, listeningUrl, portOf } from './started-command.ts'

const plugin = execFileSync('sh', ['-c', 'ls /usr/lib/*/mosquitto_dynamic_security.so'], { encoding: 'utf8' }).trim()
const login = ['-u', 'admin', '-P', 'first-password']

interface Running {
  readonly port: number
  readonly file: string
  readonly broker: StartedProcess
  /** What `mosquitto_ctrl dynsec` prints. */
  ctrl(...parameters: string[]): string
}

/** With a file of `mosquitto_ctrl dynsec init`, and a configuration of Mosquitto's. */
async function started(program: 'mosquitto' | 'x-broker', more = ''): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), 'dynsec-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const [file, conf, port] = [join(directory, 'dynsec.json'), join(directory, 'm.conf'), await freePort()]
  execFileSync('mosquitto_ctrl', ['dynsec', 'init', file, 'admin', 'first-password'])
  const user = process.getuid?.() === 0 ? 'user root\n' : ''
  writeFileSync(
    conf,
    `${user}log_dest stdout\nlistener ${port} 127.0.0.1\nallow_anonymous true\nplugin ${plugin}\nplugin_opt_config_file ${file}\n${more}`,
  )
  chmodSync(directory, 0o755)
  const ours = program === 'x-broker'
  const broker = new StartedProcess(ours ? process.execPath : program, [...(ours ? [commandFile] : []), '-c', conf])
  onTestFinished(() => broker.stop())
  await (await connectWhenListening(`mqtt://127.0.0.1:${port}`)).endAsync()
  const ctrl = (...parameters: string[]): string => {
    const given = ['-p', String(port), ...login, 'dynsec', ...parameters]
    const { stdout, stderr } = spawnSync('mosquitto_ctrl', given, { encoding: 'utf8', timeout: 20_000 })
    return `${stdout}${stderr}`
  }
  return { port, file, broker, ctrl }
}

/** Every command that `mosquitto_ctrl` knows, with those that are refused. */
const session: readonly string[] = [
  'createRole sensor',
  'createRole sensor',
  'createRole watch',
  'createRole spare',
  'addRoleACL sensor publishClientSend in/%u/# allow',
  'addRoleACL sensor publishClientSend in/%u/# deny',
  'addRoleACL sensor publishClientSend in/%u/secret deny 10',
  'addRoleACL watch subscribePattern out/# allow 5',
  'addRoleACL watch subscribeLiteral only/this allow',
  'addRoleACL watch unsubscribeLiteral only/this deny 3',
  'getRole sensor',
  'getRole watch',
  'createClient alice -p secret',
  'createClient alice -p secret',
  'createClient bob -p secret -c bob-id',
  'setClientPassword alice other',
  'setClientId alice alice-id',
  'setClientId alice',
  'addClientRole alice sensor 3',
  'addClientRole alice none',
  'addClientRole alice spare',
  'getClient alice',
  'removeClientRole alice spare',
  'createGroup plant',
  'createGroup plant',
  'createGroup nobody',
  'addGroupRole plant watch 7',
  'addGroupRole plant none',
  'addGroupClient plant alice 2',
  'addGroupClient plant none',
  'addGroupClient plant bob',
  'getGroup plant',
  'getClient alice',
  'getClient bob',
  'setAnonymousGroup nobody',
  'getAnonymousGroup',
  'setDefaultACLAccess publishClientSend allow',
  'setDefaultACLAccess subscribe allow',
  'getDefaultACLAccess',
  'listClients',
  'listClients 1 1',
  'listGroups',
  'listRoles',
  'listRoles 2 1',
  'disableClient bob',
  'getClient bob',
  'enableClient bob',
  'removeGroupRole plant watch',
  'removeGroupClient plant bob',
  'removeRoleACL sensor publishClientSend in/%u/secret',
  'removeRoleACL sensor publishClientSend in/%u/secret',
  'getRole sensor',
  'deleteGroup plant',
  'deleteGroup plant',
  'deleteRole sensor',
  'deleteRole sensor',
  'getClient alice',
  'deleteClient alice',
]

test('mosquitto_ctrl prints the same for every command, whichever broker executes it', async () => {
  const theirs = await started('mosquitto')
  const ours = await started('x-broker')
  const printed = ({ ctrl }: Running): string[] => session.map(line => `${line}: ${ctrl(...line.split(' '))}`)
  expect(printed(ours)).toEqual(printed(theirs))
  expect(statSync(ours.file).mode & 0o777).toBe(0o600)
  expect(ours.ctrl('deleteClient', 'alice')).toContain('Client not found')
}, 300_000)

async function connected({ port }: Running, options: IClientOptions): Promise<MqttClient> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    reconnectPeriod: 0,
    protocolVersion: 5,
    ...options,
  })
  onTestFinished(() => void client.end(true))
  return client
}

test('commands count at once for connected clients, are kept over SIGHUP and a restart, and are logged', async () => {
  const running = await started('x-broker')
  for (const line of ['createClient alice -p secret', 'createRole r', 'addRoleACL r publishClientSend a/# allow']) {
    running.ctrl(...line.split(' '))
  }
  const hers = { clientId: 'alice', username: 'alice', password: 'secret' }
  const alice = await connected(running, hers)
  await expect(alice.publishAsync('a/x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  const ended = new Promise(resolve => {
    alice.once('disconnect', ({ reasonCode }) => resolve(reasonCode))
  })
  running.ctrl('addClientRole', 'alice', 'r')
  expect(await ended).toBe(0x98)
  const again = await connected(running, hers)
  await again.publishAsync('a/x', '', { qos: 1 })
  running.broker.signal('SIGHUP')
  await running.broker.line(/SIGHUP: configuration/)
  expect(again.connected).toBe(true)
  expect(running.ctrl('listClients')).toContain('alice')
  await running.broker.line(/dynsec: .*admin \| addClientRole/)
  const kept = JSON.parse(readFileSync(running.file, 'utf8')) as { clients: { username: string }[] }
  expect(kept.clients.map(({ username }) => username)).toEqual(['admin', 'alice'])
}, 60_000)

test('a file that is not there is made, with a password of admin beside it that works', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dynsec-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const [file, conf] = [join(directory, 'd.json'), join(directory, 'x.yaml')]
  writeFileSync(conf, `listeners: [{ port: 0 }]\naccess: { dynamicSecurityFile: ${file} }\nstore: { memory: true }\n`)
  expect(spawnSync(process.execPath, [commandFile, '-c', conf, '--check-config']).status).toBe(0)
  expect(existsSync(file)).toBe(false)
  const broker = new StartedProcess(process.execPath, [commandFile, '-c', conf])
  onTestFinished(() => broker.stop())
  const port = portOf(await listeningUrl(broker))
  const [, password = ''] = /^admin (.{20})$/m.exec(readFileSync(`${file}.pw`, 'utf8')) ?? []
  const ctrl = ['-p', String(port), '-u', 'admin', '-P', password, 'dynsec', 'listRoles']
  const { stdout } = spawnSync('mosquitto_ctrl', ctrl, { encoding: 'utf8', timeout: 20_000 })
  expect(stdout.split('\n')).toContain('super-admin')
  for (const one of [file, `${file}.pw`]) expect(statSync(one).mode & 0o777).toBe(0o600)
}, 60_000)

test('plugin_opt_password_init_file has the first password of admin', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dynsec-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const [file, conf, first, port] = [
    join(directory, 'd.json'),
    join(directory, 'm.conf'),
    join(directory, 'first'),
    await freePort(),
  ]
  const lines = [`listener ${port} 127.0.0.1`, `plugin ${plugin}`, `plugin_opt_config_file ${file}`]
  writeFileSync(conf, [...lines, `plugin_opt_password_init_file ${first}`, ''].join('\n'))
  writeFileSync(first, 'short\n')
  const { status, stderr } = spawnSync(process.execPath, [commandFile, '-c', conf, '--check-config'], {
    encoding: 'utf8',
  })
  expect(stderr).toContain('the first password of admin has 5 characters, it must have 12 or more')
  expect(status).toBe(3)
  writeFileSync(first, 'first-password\nmore\n')
  const broker = new StartedProcess(process.execPath, [commandFile, '-c', conf])
  onTestFinished(() => broker.stop())
  const url = `mqtt://127.0.0.1:${port}`
  await (await connectWhenListening(url, { username: 'admin', password: 'first-password' })).endAsync()
  expect(existsSync(`${file}.pw`)).toBe(false)
}, 60_000)

test.for<[why: string, text: string, code: number, message: string]>([
  ['JSON that is cut off', '{\n"clients": [', 3, 'it is no JSON'],
  ['no object', '[]', 3, 'd.json: it is no JSON object'],
])('%s ends with exit code 3 and says why', ([, text, code, message]) => {
  const directory = mkdtempSync(join(tmpdir(), 'dynsec-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const [file, conf] = [join(directory, 'd.json'), join(directory, 'x.yaml')]
  writeFileSync(file, text)
  writeFileSync(conf, `access: { dynamicSecurityFile: ${file} }\n`)
  const { status, stderr } = spawnSync(process.execPath, [commandFile, '-c', conf, '--check-config'], {
    encoding: 'utf8',
  })
  expect(stderr).toContain(message)
  expect(status).toBe(code)
})

test('$CONTROL/broker/v1 lists listeners and plugins where the configuration says so', async () => {
  const running = await started('x-broker', 'enable_control_api true\n')
  running.ctrl('addRoleACL', 'admin', 'publishClientSend', '$CONTROL/broker/#', 'allow')
  const topic = '$CONTROL/broker/v1'
  running.ctrl('addRoleACL', 'admin', 'subscribePattern', '$CONTROL/broker/#', 'allow')
  running.ctrl('addRoleACL', 'admin', 'publishClientReceive', '$CONTROL/broker/#', 'allow')
  const admin = await connected(running, { username: 'admin', password: 'first-password' })
  const answer = new Promise<string>(resolve => {
    admin.on('message', (_topic, payload) => resolve(payload.toString()))
  })
  await admin.subscribeAsync(`${topic}/response`)
  admin.publish(topic, JSON.stringify({ commands: [{ command: 'listListeners' }, { command: 'listPlugins' }] }))
  const { responses } = JSON.parse(await answer) as { responses: { command: string; data: object }[] }
  expect(responses).toMatchObject([
    {
      command: 'listListeners',
      data: { listeners: [{ port: running.port, protocol: 'mqtt', 'bind-address': '127.0.0.1', tls: false }] },
    },
    { command: 'listPlugins', data: { plugins: [{ 'control-endpoints': ['$CONTROL/dynamic-security/v1'] }] } },
  ])
}, 60_000)

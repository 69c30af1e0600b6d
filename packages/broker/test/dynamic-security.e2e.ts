import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { connectWhenListening } from './connect-when-listening.ts'
import { StartedProcess, commandFile, freePort } from './started-command.ts'

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
async function started(program: 'mosquitto' | 'x-broker'): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), 'dynsec-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const [file, conf, port] = [join(directory, 'dynsec.json'), join(directory, 'm.conf'), await freePort()]
  execFileSync('mosquitto_ctrl', ['dynsec', 'init', file, 'admin', 'first-password'])
  const user = process.getuid?.() === 0 ? 'user root\n' : ''
  writeFileSync(
    conf,
    `${user}log_dest stdout\nlistener ${port} 127.0.0.1\nallow_anonymous true\nplugin ${plugin}\nplugin_opt_config_file ${file}\n`,
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

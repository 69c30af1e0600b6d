import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { StartedProcess, commandFile, listeningUrl, oneProcess, portOf } from './started-command.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

function started(parameters: readonly string[], environment: Record<string, string> = {}): StartedProcess {
  const command = new StartedProcess(process.execPath, [commandFile, ...parameters, '--memory'], environment)
  onTestFinished(() => command.stop())
  return command
}

async function connected(port: number, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, protocolVersion: 5, ...options })
  onTestFinished(() => void client.end(true))
  return client
}

function passwd(file: string, user: string, password: string): void {
  const flags = existsSync(file) ? ['-b'] : ['-c', '-b']
  spawnSync(process.execPath, [commandFile, 'passwd', ...flags, '-H', 'sha512', file, user, password])
}

/** A configuration with users, rules and a log, and the files it names. */
function configured(): { file: string; users: string; acl: string; log: string; pid: string } {
  const directory = temporaryFolder()
  const [file, users, acl, log, pid] = ['x.yaml', 'users', 'acl', 'log', 'pid'].map(name => join(directory, name)) as [
    string,
    string,
    string,
    string,
    string,
  ]
  passwd(users, 'ann', 'a')
  passwd(users, 'bob', 'b')
  writeFileSync(acl, 'user ann\ntopic house/#\nuser bob\ntopic #\n')
  writeFileSync(
    file,
    `listeners:\n  - port: 0\naccess:\n  passwordFile: ${users}\n  aclFile: ${acl}\nlog:\n  destination: stdout\n  file: ${log}\npidFile: ${pid}\n`,
  )
  return { file, users, acl, log, pid }
}

test.for<[text: string, code: number, problem: string]>([
  ['log:\n  level: loud\n', 3, 'x.yaml:2: log.level is'],
  ['access: { passwordFile: /nowhere/users }\n', 13, '/nowhere/users: there is no such file'],
  [
    'listeners: [{ tls: { cert: /nowhere/a, key: /nowhere/b } }]\n',
    1,
    'listeners[0].tls.cert /nowhere/a: there is no such file',
  ],
])('%j ends with exit code %i and says why, checked or started', ([text, code, problem]) => {
  const file = join(temporaryFolder(), 'x.yaml')
  writeFileSync(file, text)
  for (const task of [['--check-config'], []]) {
    const { status, stderr } = spawnSync(process.execPath, [commandFile, '-c', file, ...task], { encoding: 'utf8' })
    expect(status).toBe(code)
    expect(stderr).toContain(problem)
  }
})

test('a file that is well is OK, and one that is missing is not', () => {
  const { file } = configured()
  const check = (path: string) =>
    spawnSync(process.execPath, [commandFile, '-c', path, '--test-config'], { encoding: 'utf8' })
  expect(check(file)).toMatchObject({ status: 0, stdout: '', stderr: `${file}: the configuration is OK\n` })
  const printed = spawnSync(process.execPath, [commandFile, '-c', file, '-v', '--print-config'], { encoding: 'utf8' })
  expect(printed.stdout).toContain('level: debug')
  expect(check('/nowhere.yaml')).toMatchObject({
    status: 3,
    stderr: 'x-broker: /nowhere.yaml: there is no such file\n',
  })
})

test('the configuration is printed without its secrets, and with them where that is asked for', () => {
  const file = join(temporaryFolder(), 'm.conf')
  const bridge = 'connection b\naddress h\ntopic #\nremote_username u\nremote_password hush\n'
  writeFileSync(file, `${bridge}bridge_identity i\nbridge_psk c0ffee\n`)
  const shown = (...more: readonly string[]): string => {
    const parameters = [commandFile, '-c', file, '--redis', 'redis://u:pw@h:6379/0', '--print-config', ...more]
    return spawnSync(process.execPath, parameters, { encoding: 'utf8' }).stdout
  }
  const hidden = shown()
  expect(hidden).toContain('# secrets are hidden: --show-secrets prints them')
  expect(hidden).toContain('password: (hidden)')
  expect(hidden).toContain('pskKey: (hidden)')
  expect(hidden).toContain('redis://u:(hidden)@h:6379/0')
  expect(hidden).not.toMatch(/hush|c0ffee|pw@/)
  expect(shown('--show-secrets')).toMatch(/password: hush[^]*pskKey: c0ffee/)
})

test('users, rules, log file and PID file are those of the configuration', async () => {
  const { file, log, pid } = configured()
  // With workers, SIGUSR2 replaces them.
  const command = started(['--config', file], oneProcess)
  const port = portOf(await listeningUrl(command))
  await expect(connected(port)).rejects.toMatchObject({ code: 0x87 })
  await expect(connected(port, { username: 'ann', password: 'b' })).rejects.toMatchObject({ code: 0x87 })
  const ann = await connected(port, { username: 'ann', password: 'a' })
  await ann.publishAsync('house/x', '', { qos: 1 })
  await expect(ann.publishAsync('other', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  expect(statSync(log).mode & 0o777).toBe(0o600)
  await expect.poll(() => readFileSync(log, 'utf8')).toContain('listening on')
  expect(readFileSync(pid, 'utf8')).toMatch(/^\d+\n$/)
  renameSync(log, `${log}.1`)
  command.signal('SIGUSR2')
  await command.line(/SIGUSR2/)
  await expect.poll(() => readFileSync(log, 'utf8')).toContain('SIGUSR2')
  command.signal('SIGTERM')
  expect(await command.exited).toEqual({ code: 0, signal: null })
  expect(existsSync(pid)).toBe(false)
})

test('SIGHUP takes new users, rules and listeners, and ends who has lost its place', async () => {
  const { file, users, acl } = configured()
  const command = started(['--config', file])
  const port = portOf(await listeningUrl(command))
  const ann = await connected(port, { username: 'ann', password: 'a' })
  const bob = await connected(port, { username: 'bob', password: 'b' })
  const ended = new Promise(resolve => {
    bob.once('disconnect', ({ reasonCode }) => resolve(reasonCode))
  })
  spawnSync(process.execPath, [commandFile, 'passwd', '-D', users, 'bob'])
  passwd(users, 'cid', 'c')
  writeFileSync(acl, 'user ann\ntopic garden/#\n')
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace('  - port: 0\n', '  - port: 0\n  - name: second\n    port: 0\n'),
  )
  command.signal('SIGHUP')
  expect(await command.line(/SIGHUP/)).toContain('1 client(s) lost their place')
  expect(await ended).toBe(0x98)
  await expect(ann.publishAsync('house/x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  await ann.publishAsync('garden/x', '', { qos: 1 })
  const second = portOf((JSON.parse(await command.line(/"url":.*"listener":"second"/)) as { url: string }).url)
  await connected(second, { username: 'cid', password: 'c' })
  await expect(connected(port, { username: 'bob', password: 'b' })).rejects.toMatchObject({ code: 0x87 })
})

test.for<[what: string, change: (files: ReturnType<typeof configured>) => void, said: RegExp]>([
  [
    'the configuration',
    ({ file }) => writeFileSync(file, 'nonsense: 1\n'),
    /nothing has changed: .*x\.yaml:1: nonsense is unknown/,
  ],
  [
    'the password file',
    ({ users }) => writeFileSync(users, 'ann:plain\n'),
    /nothing has changed: .*users:1: user 'ann'/,
  ],
  ['the ACL file', ({ acl }) => writeFileSync(acl, 'topik #\n'), /nothing has changed: .*acl:1: /],
  ['a missing ACL file', ({ acl }) => rmSync(acl), /nothing has changed: .*acl: there is no such file/],
  [
    'a listener whose port is taken',
    ({ file }) =>
      writeFileSync(
        file,
        readFileSync(file, 'utf8').replace('  - port: 0\n', '  - port: 0\n  - socketPath: /nowhere/x\n'),
      ),
    /nothing has changed: .*\/nowhere\/x/,
  ],
])('a SIGHUP with a fault in %s changes nothing', async ([, change, said]) => {
  const files = configured()
  const command = started(['--config', files.file])
  const port = portOf(await listeningUrl(command))
  const ann = await connected(port, { username: 'ann', password: 'a' })
  change(files)
  command.signal('SIGHUP')
  await command.line(said)
  await ann.publishAsync('house/x', '', { qos: 1 })
  await expect(ann.publishAsync('garden', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  await connected(port, { username: 'bob', password: 'b' })
})

test('without a configuration this machine alone can connect, and is told how others can', async () => {
  const command = started(['--port', '0'])
  const urls = [await command.line(/127\.0\.0\.1/), await command.line(/this machine alone|only this machine/)]
  expect(urls[1]).toContain('--allow-anonymous')
  await connected(portOf(await listeningUrl(command)))
})

test('elsewhere, anonymous clients come in only when that was said', async () => {
  const closed = started(['--port', '0', '--host', '0.0.0.0'])
  const port = portOf(await listeningUrl(closed))
  await closed.line(/lets in nobody: give --password-file FILE, or --allow-anonymous/)
  await expect(connected(port)).rejects.toMatchObject({ code: 0x87 })
  const open = started(['--port', '0', '--host', '*', '--allow-anonymous'])
  await connected(portOf(await listeningUrl(open)))
})

test('as root, the rights of an account are taken, and one that does not exist ends with 14', async context => {
  if (process.getuid?.() !== 0) context.skip('only root can become somebody else')
  const directory = temporaryFolder()
  chmodSync(directory, 0o755)
  const file = join(directory, 'x.yaml')
  writeFileSync(file, 'listeners: [{ port: 0 }]\nuser: nobody\n')
  const command = started(['-c', file])
  await listeningUrl(command)
  expect(process.platform).toBe('linux')
  command.signal('SIGTERM')
  expect((await command.exited).code).toBe(0)
  writeFileSync(file, 'user: no-such-account\n')
  const { status, stderr } = spawnSync(process.execPath, [commandFile, '-c', file], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([14, "x-broker: user is 'no-such-account', there is no such account\n"])
})

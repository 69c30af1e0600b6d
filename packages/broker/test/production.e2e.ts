import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { IClientOptions } from 'mqtt'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { repositoryFile } from './readme-blocks.ts'
import { StartedProcess, commandFile, packageFolder } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'

const machine = mkdtempSync(join(tmpdir(), 'production-'))
afterAll(() => rmSync(machine, { recursive: true }))

/** The text of the page, for a machine that is a folder, and any free port. */
function onMachine(text: string): string {
  return text
    .replaceAll('/etc/', `${machine}/etc/`)
    .replaceAll('/var/lib/', `${machine}/var/lib/`)
    .replaceAll('8883', '0')
}

/** Commands that change what is not the test's to change. They write down how they were called. */
function preparePath(): string {
  const bin = join(machine, 'bin')
  const modules = join(machine, 'modules/@x/broker')
  for (const folder of [bin, modules, join(machine, 'etc/systemd/system')]) mkdirSync(folder, { recursive: true })
  copyFileSync(join(packageFolder, 'x-broker.service'), join(modules, 'x-broker.service'))
  const write = (name: string, script: string): void =>
    writeFileSync(join(bin, name), `#!/bin/sh\necho ${name} "$@" >> ${machine}/calls\n${script}\n`, { mode: 0o755 })
  write('x-broker', `exec ${process.execPath} ${commandFile} "$@"`)
  write('npm', `[ "$1" != root ] || echo ${machine}/modules`)
  for (const name of ['useradd', 'chown', 'systemctl']) write(name, '')
  return `${bin}:${process.env['PATH']}`
}

test('the page leads from nothing to TLS, users, rules and a service in under 20 lines', async () => {
  const [, page = ''] = repositoryFile('packages/broker/CONFIGURATION.md').split('\n## For production\n')
  const [, script = ''] = /```sh\n([^]*?)```/.exec(page) ?? []
  expect(script.split('\n').length).toBeLessThan(20)
  const environment = { ...process.env, PATH: preparePath() }
  const run = spawnSync('bash', ['-e', '-c', onMachine(script)], {
    env: environment,
    input: 'secret\n',
    encoding: 'utf8',
  })
  expect(run.stderr).toContain('the configuration is OK')
  expect(run.status).toBe(0)
  const calls = readFileSync(join(machine, 'calls'), 'utf8')
  expect(calls).toMatch(/^npm install --global @x\/broker\nuseradd --system .*x-broker\n/)
  expect(calls).toMatch(/systemctl enable --now x-broker\n$/)

  const unit = readFileSync(join(machine, 'etc/systemd/system/x-broker.service'), 'utf8')
  const [, before = '', start = ''] = /^ExecStartPre=(.*)\nExecStart=(.*)$/m.exec(unit) ?? []
  expect(spawnSync('sh', ['-c', onMachine(before)], { env: environment }).status).toBe(0)
  const [command = '', ...parameters] = onMachine(start).split(' ')
  const broker = new StartedProcess(command, parameters, { PATH: environment.PATH })
  onTestFinished(() => broker.stop())
  const listening = await broker.line(/listening on mqtts/)
  await exchange(/mqtts:\/\/localhost:(\d+)/.exec(listening)?.[1] ?? '')
})

async function exchange(port: string): Promise<void> {
  const ca = readFileSync(join(machine, 'etc/x-broker/cert.pem'))
  // The certificate is that of the machine's name.
  const server = { servername: hostname() }
  const connect = (options: IClientOptions) =>
    connectAsync(`mqtts://127.0.0.1:${port}`, {
      ca,
      ...server,
      reconnectPeriod: 0,
      protocolVersion: 5,
      ...options,
    })
  await expect(connect({})).rejects.toMatchObject({ code: 0x87 })
  await expect(connect({ username: 'ann', password: 'wrong' })).rejects.toMatchObject({ code: 0x87 })
  const ann = await connect({ username: 'ann', password: 'secret' })
  onTestFinished(() => void ann.end(true))
  await ann.subscribeAsync('house/#')
  const arrived = new Promise(resolve => {
    ann.once('message', topic => resolve(topic))
  })
  await ann.publishAsync('house/lamp', 'on', { qos: 1 })
  expect(await arrived).toBe('house/lamp')
  await expect(ann.publishAsync('elsewhere', 'on', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
}

test('the unit is one that systemd takes', () => {
  const analyze = spawnSync('systemd-analyze', ['verify', join(packageFolder, 'x-broker.service')], {
    encoding: 'utf8',
  })
  // Where there is no systemd nothing can be said.
  if (analyze.error === undefined) expect(analyze.stderr).not.toMatch(/x-broker\.service/)
  else expect(existsSync(join(packageFolder, 'x-broker.service'))).toBe(true)
})

test('the container runs what there is, as somebody who is not root, and its health check finds out whether the broker serves', async () => {
  const dockerfile = repositoryFile('packages/broker/docker/Dockerfile')
  expect(dockerfile).toMatch(/^USER node$/m)
  const configuration = join(machine, 'container.yaml')
  const text = repositoryFile('packages/broker/docker/x-broker.yaml')
  const file = text.replace('port: 1883', 'port: 0').replaceAll('/var/lib/', `${machine}/lib/`)
  // Without users nobody comes in, but everybody gets an answer.
  writeFileSync(configuration, file.replace(/^access.*\n/m, ''))
  const broker = new StartedProcess(process.execPath, [commandFile, '--config', configuration])
  onTestFinished(() => broker.stop())
  const listening = await broker.line(/listening on mqtt:/)
  const [, running = ''] = /localhost:(\d+)/.exec(listening) ?? []

  const [, list = '[]'] = /^HEALTHCHECK .*? CMD (.*)$/m.exec(dockerfile) ?? []
  const [, , code = ''] = JSON.parse(list) as string[]
  const check = (place: string): number | null =>
    spawnSync(process.execPath, ['-e', code.replace('1883', place)], { timeout: 20_000 }).status
  expect(check(running)).toBe(0)
  expect(check(String(await freePort()))).toBe(1)

  const compose = parse(repositoryFile('packages/broker/docker/compose.yaml')) as {
    services: { broker: { read_only: boolean; volumes: string[] } }
  }
  expect(compose.services.broker.read_only).toBe(true)
  expect(compose.services.broker.volumes).toContain('./x-broker.yaml:/etc/x-broker/x-broker.yaml:ro')
})

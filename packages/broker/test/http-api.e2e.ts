import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { commandFile, listeningUrl, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** As it is: no `..` is resolved, and nothing is encoded. */
async function ask(url: string, path: string, options: { method?: string; auth?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const asked = request({ hostname, port, path, ...options }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    asked.on('error', reject).end()
  })
}

async function start(lines: readonly string[], ...parameters: string[]): Promise<{ url: string; mqtt: string }> {
  const directory = temporaryFolder()
  const file = join(directory, 'm.conf')
  const [mqttPort, port] = [await freePort(), await freePort()]
  const all = [`listener ${mqttPort} 127.0.0.1`, `listener ${port} 127.0.0.1`, 'protocol http_api', ...lines]
  writeFileSync(file, `log_dest stdout\n${all.join('\n')}\n`)
  const started: StartedProcess = startCommand(['--config', file, ...parameters])
  onTestFinished(async () => started.stop())
  const mqtt = await listeningUrl(started)
  const { httpApi: url } = JSON.parse(await started.line(/"httpApi":/)) as { httpApi: string }
  return { url, mqtt }
}

/** A page, and beside it what is no part of it. */
function site(): string {
  const directory = temporaryFolder()
  const www = join(directory, 'www')
  mkdirSync(join(www, 'deep'), { recursive: true })
  writeFileSync(join(www, 'index.html'), '<p>hello')
  writeFileSync(join(www, 'deep', 'a.js'), 'let a')
  writeFileSync(join(directory, 'secret'), 'secret')
  symlinkSync(join(directory, 'secret'), join(www, 'link'))
  return www
}

test("http_api of Mosquitto's configuration answers what Mosquitto does", async () => {
  const { url, mqtt } = await start(['allow_anonymous true', 'sys_interval 1', `http_dir ${site()}`])
  const version = await ask(url, '/api/v1/version')
  expect(version).toMatchObject({ status: 200, body: expect.stringMatching(/^\d+\.\d+\.\d+/) as unknown })
  expect(version.headers).toMatchObject({
    'content-type': 'text/plain; charset=utf-8',
    'access-control-allow-origin': '*',
  })
  const client = await connectAsync(mqtt)
  onTestFinished(() => void client.end(true))
  const tree = async (): Promise<unknown> => JSON.parse((await ask(url, '/api/v1/systree')).body)
  await expect.poll(tree).toMatchObject({ '$SYS/broker/clients/connected': 1 })
  const { listeners } = JSON.parse((await ask(url, '/api/v1/listeners')).body) as { listeners: object[] }
  const common = { tls: false, mtls: false, allow_anonymous: true }
  expect(listeners).toMatchObject([
    { port: Number(new URL(mqtt).port), protocol: 'mqtt', ...common },
    { port: Number(new URL(url).port), protocol: 'httpapi', ...common },
  ])
  expect(await ask(url, '/api/v1/clients')).toMatchObject({ status: 404 })
  expect(await ask(url, '/api/v1/version', { method: 'POST' })).toMatchObject({
    status: 405,
    headers: { allow: 'GET' },
  })
})

test('files of http_dir are sent, and no others, wherever a path or a link leads', async () => {
  const { url } = await start(['allow_anonymous true', `http_dir ${site()}`])
  const page = { status: 200, body: '<p>hello', headers: { 'content-type': 'text/html; charset=utf-8' } }
  expect(await ask(url, '/')).toMatchObject(page)
  expect(await ask(url, '/index.html?a=b')).toMatchObject(page)
  expect(await ask(url, '/deep/a.js')).toMatchObject({ status: 200, body: 'let a' })
  for (const path of [
    '/../secret',
    '/..%2fsecret',
    '/deep/../../secret',
    '/link',
    '/deep',
    '/deep/',
    '/none',
    '//etc/passwd',
  ])
    expect(await ask(url, path), path).toMatchObject({ status: 404, body: 'Not found' })
  expect(await ask(url, '/%zz')).toMatchObject({ status: 401 })
})

test('who asks must come in as a client, and may read what the ACL file allows', async () => {
  const [acl, users] = [join(temporaryFolder(), 'acl'), join(temporaryFolder(), 'users')]
  spawnSync(process.execPath, [commandFile, 'passwd', '-c', '-b', '-H', 'sha512', users, 'ann', 'right'])
  writeFileSync(acl, 'user ann\ntopic read /api/v1/version\n')
  const { url } = await start([`password_file ${users}`, `acl_file ${acl}`])
  const refused = {
    status: 401,
    body: 'Not authorised',
    headers: { 'www-authenticate': 'Basic realm="Mosquitto API"' },
  }
  expect(await ask(url, '/api/v1/version')).toMatchObject(refused)
  expect(await ask(url, '/api/v1/version', { auth: 'ann:wrong' })).toMatchObject(refused)
  expect(await ask(url, '/api/v1/version', { auth: 'ann:right' })).toMatchObject({ status: 200 })
  expect(await ask(url, '/api/v1/systree', { auth: 'ann:right' })).toMatchObject(refused)
  for (let attempt = 0; attempt < 10; attempt += 1) await ask(url, '/', { auth: 'ann:wrong' })
  expect(await ask(url, '/api/v1/version', { auth: 'ann:right' })).toMatchObject({ status: 429 })
})

test('with workers one of them serves it', async () => {
  const { url } = await start(['allow_anonymous true'], '--workers', '2')
  expect(await ask(url, '/api/v1/version')).toMatchObject({ status: 200 })
})

test('a directory that is missing, or a path in place of a port, is said before anything is opened', () => {
  for (const [lines, problem] of [
    ['listener 0 /tmp/x\nprotocol http_api', 'protocol http_api needs a port'],
    ['listener 1 127.0.0.1\nprotocol http_api\nhttp_dir /nowhere/www', '/nowhere/www: there is no such directory'],
  ] as const) {
    const file = join(temporaryFolder(), 'm.conf')
    writeFileSync(file, `${lines}\n`)
    const { status, stderr } = spawnSync(process.execPath, [commandFile, '-c', file, '--check-config'], {
      encoding: 'utf8',
    })
    expect(stderr).toContain(problem)
    expect(status).toBe(3)
  }
})

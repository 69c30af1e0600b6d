import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { hashPassword } from '@x/auth'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { anyPort, listeningUrl, oneProcess, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'

type Fields = Readonly<Record<string, unknown>>

interface Api {
  readonly url: string
  ask(method: string, path: string, body?: object): Promise<Fields>
}

function start(...parameters: string[]): StartedProcess {
  const command = startCommand([...anyPort, '--admin-port', '0', ...parameters])
  onTestFinished(async () => command.stop('SIGTERM'))
  return command
}

function apiAt(url: string, authorization: string): Api {
  return {
    url,
    ask: async (method, path, body) => {
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return (await response.json()) as Fields
    },
  }
}

async function apiOf(command: StartedProcess): Promise<Api> {
  const { admin, msg } = JSON.parse(await command.line(/"admin":/)) as { admin: string; msg: string }
  const [, key] = /#key=([\w-]+)$/.exec(msg) ?? []
  return apiAt(admin, `Bearer ${key}`)
}

function files(contents: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'x-admin-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(folder, name), text)
  return folder
}

test('--admin-port serves API and dashboard on this machine alone, and its first line names them with a key', async () => {
  const command = start()
  const api = await apiOf(command)
  expect(command.lines[0]).toContain(`dashboard and API on ${api.url}/#key=`)
  expect(api.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const client = await connectAsync(await listeningUrl(command), { clientId: 'c' })
  onTestFinished(() => client.endAsync(true))
  expect(await api.ask('GET', '/clients')).toMatchObject({ items: [{ clientId: 'c' }] })
  const page = await fetch(api.url)
  expect(await page.text()).toContain('<script type="module" src="/main.js">')
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect((await fetch(`${api.url}/main.js`)).headers.get('content-type')).toContain('text/javascript')
})

test('logs from another level on, packets included, when it is told to', async () => {
  const command = start()
  const api = await apiOf(command)
  const client = await connectAsync(await listeningUrl(command), { clientId: 'c' })
  onTestFinished(() => client.endAsync(true))
  expect(await api.ask('GET', '/log/level')).toEqual({ level: 'info' })
  expect(await api.ask('PUT', '/log/level', { level: 'debug' })).toEqual({ level: 'debug' })
  // Workers hear of it a moment later.
  let published = 0
  const isLogged = async (): Promise<boolean> => {
    published += 1
    const topic = `number/${published}`
    await client.publishAsync(topic, 'x', { qos: 1 })
    await client.publishAsync('behind', 'x', { qos: 1 })
    return command.lines.some(line => line.includes(`PUBLISH '${topic}'`))
  }
  await expect.poll(isLogged).toBe(true)
  await api.ask('PUT', '/log/level', { level: 'info' })
  await expect.poll(isLogged).toBe(false)
})

test('reads the configuration again, and says why it can not', async () => {
  const folder = files({ 'x.yaml': 'listeners: [{ port: 0 }]\nadmin: { port: 0 }\nstore: { memory: true }\n' })
  // Workers are told to, and say in the log what came of it.
  const command = startCommand(['--config', join(folder, 'x.yaml')], oneProcess)
  onTestFinished(async () => command.stop('SIGTERM'))
  const api = await apiOf(command)
  await command.line(/"url":/)
  expect(await api.ask('POST', '/reload')).toMatchObject({ result: expect.stringMatching(/are read again; 0 client/) })
  writeFileSync(join(folder, 'x.yaml'), 'listeners: [{ prot: 0 }]\n')
  expect(await api.ask('POST', '/reload')).toMatchObject({
    code: 'RELOAD_FAILED',
    detail: expect.stringMatching(/prot/),
  })
})

test('lets in users of the password file who have a role, and keys, and nobody else', async () => {
  const folder = files({ users: `ann:${await hashPassword('right', { algorithm: 'sha512-pbkdf2' })}\n` })
  const configuration = {
    listeners: [{ port: 0 }],
    store: { memory: true },
    access: { passwordFile: join(folder, 'users'), allowAnonymous: true },
    admin: {
      port: 0,
      users: { ann: 'viewer', eve: 'admin' },
      keys: [{ name: 'ops', role: 'operator', key: 'a long key of ops' }],
    },
  }
  writeFileSync(join(folder, 'x.json'), JSON.stringify(configuration))
  const command = startCommand(['--config', join(folder, 'x.json')])
  onTestFinished(async () => command.stop('SIGTERM'))
  const { admin, msg } = JSON.parse(await command.line(/"admin":/)) as { admin: string; msg: string }
  expect(msg).not.toContain('key=')
  const basic = (text: string): Api => apiAt(admin, `Basic ${Buffer.from(text).toString('base64')}`)
  expect(await basic('ann:right').ask('GET', '/clients')).toEqual({ items: [], cursor: null, missing: [] })
  expect(await basic('ann:wrong').ask('GET', '/clients')).toMatchObject({ code: 'KEY_INVALID' })
  expect(await basic('ann:right').ask('POST', '/publish', { topic: 'a' })).toMatchObject({ code: 'ROLE_INSUFFICIENT' })
  // Anonymous clients may connect, but nobody knows a password of eve.
  expect(await basic('eve:any').ask('GET', '/clients')).toMatchObject({ code: 'KEY_INVALID' })
  const ops = apiAt(admin, 'Bearer a long key of ops')
  expect(await ops.ask('POST', '/publish', { topic: 'a' })).toEqual({ topic: 'a', bytes: 0 })
})

test('does not start when the address of the API is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const command = startCommand([...anyPort, '--admin-port', String(port)])
  expect(await command.exited).toMatchObject({ code: 1 })
  expect(command.stderr).toMatch(new RegExp(`the API can't be served on 127\\.0\\.0\\.1:${port}`))
})

test('with workers one of them shows the sessions and numbers of all, and another one when it has ended', async () => {
  const command = start('--workers', '2')
  const api = await apiOf(command)
  await command.line(/workers accept connections/)
  const mqtt = await listeningUrl(command)
  const options = {
    protocolVersion: 5,
    clean: false,
    reconnectPeriod: 0,
    properties: { sessionExpiryInterval: 1000 },
  } as const
  const ids = ['a', 'b', 'c', 'd']
  const clients = await Promise.all(ids.map(async clientId => connectAsync(mqtt, { ...options, clientId })))
  onTestFinished(async () => void (await Promise.all(clients.map(async client => client.endAsync(true)))))
  const sessions = async (): Promise<unknown[]> =>
    ((await api.ask('GET', '/sessions'))['items'] as Fields[]).map(({ clientId }) => clientId).toSorted()
  await expect.poll(sessions).toEqual(ids)
  const connected = async (): Promise<unknown> => {
    const { counts, workers } = await api.ask('GET', '/broker')
    return [(counts as Fields)['connectedClients'], (workers as unknown[]).length]
  }
  await expect.poll(connected).toEqual([4, 2])
  const ended = Promise.all(
    clients.map(async client => new Promise<void>(resolve => void client.once('close', () => resolve()))),
  )
  for (const id of ids) expect(await api.ask('DELETE', `/sessions/${id}`)).toEqual({ clientId: id })
  await ended
  expect(await api.ask('PUT', '/log/level', { level: 'debug' })).toEqual({ level: 'debug' })
})

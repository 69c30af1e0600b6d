import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { problemTable } from '../src/problem.ts'
import { StartedAdmin } from './started-admin.ts'

const viewer = 'Bearer key of a viewer, long'
const operator = 'Bearer key of an operator, long'

const refusals: readonly (readonly [method: string, path: string, body: unknown, status: number, code: string])[] = [
  ['GET', '/api/v1/clients?limit=100000', undefined, 400, 'REQUEST_INVALID'],
  ['GET', '/api/v1/clients?limit=0', undefined, 400, 'REQUEST_INVALID'],
  ['GET', '/api/v1/clients?limit=many', undefined, 400, 'REQUEST_INVALID'],
  ['GET', '/api/v1/clients?limit=1&limit=2', undefined, 400, 'REQUEST_INVALID'],
  ['GET', '/api/v1/clients?offset=3', undefined, 400, 'REQUEST_INVALID'],
  ['GET', '/api/v1/clients?cursor=unknown.1', undefined, 400, 'CURSOR_INVALID'],
  ['GET', '/api/v1/clients?cursor=', undefined, 400, 'CURSOR_INVALID'],
  ['GET', `/api/v1/sessions?cursor=${'x'.repeat(500)}`, undefined, 400, 'REQUEST_INVALID'],
  ['GET', '/api/v1/clients/nobody', undefined, 404, 'CLIENT_UNKNOWN'],
  ['DELETE', '/api/v1/clients/nobody', undefined, 404, 'CLIENT_UNKNOWN'],
  ['DELETE', '/api/v1/clients/nobody?reasonCode=0', undefined, 400, 'REQUEST_INVALID'],
  ['GET', '/api/v1/sessions/__proto__', undefined, 404, 'SESSION_UNKNOWN'],
  ['DELETE', '/api/v1/sessions/nobody/queue', undefined, 404, 'SESSION_UNKNOWN'],
  ['GET', '/api/v1/sessions/%E0%A4%A', undefined, 404, 'PATH_UNKNOWN'],
  ['GET', '/api/v1/retained?filter=a%23', undefined, 400, 'FILTER_INVALID'],
  ['GET', '/api/v1/retained/message', undefined, 400, 'REQUEST_INVALID'],
  ['GET', '/api/v1/retained/message?topic=a/%2B', undefined, 400, 'FILTER_INVALID'],
  ['DELETE', '/api/v1/retained/message?topic=a', undefined, 404, 'RETAINED_UNKNOWN'],
  ['GET', '/api/v1/groups/members?name=none', undefined, 404, 'GROUP_UNKNOWN'],
  ['POST', '/api/v1/publish', '{"topic":', 400, 'BODY_MALFORMED'],
  ['POST', '/api/v1/publish', '[]', 400, 'REQUEST_INVALID'],
  ['POST', '/api/v1/publish', '', 400, 'BODY_MALFORMED'],
  ['POST', '/api/v1/publish', {}, 400, 'REQUEST_INVALID'],
  ['POST', '/api/v1/publish', { topic: 'a', qos: 3 }, 400, 'REQUEST_INVALID'],
  ['POST', '/api/v1/publish', { topic: 'a', more: 1 }, 400, 'REQUEST_INVALID'],
  ['POST', '/api/v1/publish', { topic: 'a/#' }, 400, 'MESSAGE_INVALID'],
  ['POST', '/api/v1/traces', {}, 400, 'REQUEST_INVALID'],
  ['POST', '/api/v1/traces', { clientId: 'a', filter: 'b' }, 400, 'REQUEST_INVALID'],
  ['POST', '/api/v1/traces', { filter: 'a#' }, 400, 'FILTER_INVALID'],
  ['POST', '/api/v1/traces', { clientId: 'a', minutes: 1e9 }, 400, 'REQUEST_INVALID'],
  ['DELETE', '/api/v1/traces/none', undefined, 404, 'TRACE_UNKNOWN'],
  ['POST', '/api/v1/reload', undefined, 501, 'NOT_SUPPORTED'],
  ['PUT', '/api/v1/log/level', { level: 'loud' }, 400, 'REQUEST_INVALID'],
  ['GET', '/api/v1/none', undefined, 404, 'PATH_UNKNOWN'],
  ['GET', '/../../etc/passwd', undefined, 404, 'PATH_UNKNOWN'],
  ['PUT', '/api/v1/clients/a', {}, 405, 'METHOD_NOT_ALLOWED'],
  ['DELETE', '/api/v1/broker', undefined, 405, 'METHOD_NOT_ALLOWED'],
]

test('refuses bad input with a problem that has a code, and goes on', async () => {
  const admin = await StartedAdmin.start()
  for (const [method, path, body, status, code] of refusals) {
    const answer = await admin.ask(method, path, body)
    expect([method, path, answer.status, answer.body['code']]).toEqual([method, path, status, code])
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.body).toMatchObject({
      status,
      title: expect.stringMatching(/.+/),
      detail: expect.stringMatching(/.+/),
    })
  }
  expect((await admin.ask('GET', '/api/v1/broker')).status).toBe(200)
})

test('says which field is wrong', async () => {
  const admin = await StartedAdmin.start()
  const { body } = await admin.ask('GET', '/api/v1/clients?limit=5000')
  expect(body['errors']).toEqual([{ field: 'query/limit', detail: 'must be <= 1000' }])
})

test('refuses a body of another type', async () => {
  const admin = await StartedAdmin.start()
  const response = await fetch(`${admin.url}/api/v1/publish`, {
    method: 'POST',
    headers: { authorization: operator, 'content-type': 'text/xml' },
    body: '<a/>',
  })
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED'])
})

test('refuses a body that is too large as soon as its length is known', async () => {
  const admin = await StartedAdmin.start()
  const asked = httpRequest(`${admin.url}/api/v1/publish`, {
    method: 'POST',
    headers: { authorization: operator, 'content-type': 'application/json', 'content-length': '2000000' },
  })
  asked.on('error', () => undefined)
  asked.write('{')
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  expect(response.statusCode).toBe(413)
  asked.destroy()
})

test('refuses requests without a key, with a wrong one, and beyond a role', async () => {
  const admin = await StartedAdmin.start({}, {})
  const codeOf = async (header: string, method = 'GET', path = '/api/v1/clients', body?: unknown): Promise<unknown> => {
    const answer = await admin.ask(method, path, body, header)
    return [answer.status, answer.body['code']]
  }
  const bare = await fetch(`${admin.url}/api/v1/clients`)
  expect([bare.status, bare.headers.get('www-authenticate')]).toEqual([401, 'Bearer, Basic realm="x-broker"'])
  for (const header of ['Bearer wrong', 'Bearer ', 'Basic !!!', 'Digest x', viewer.slice(0, -1)]) {
    expect([header, await codeOf(header)]).toEqual([header, [401, 'KEY_INVALID']])
  }
  expect(await codeOf(viewer)).toEqual([200, undefined])
  expect(await codeOf(viewer, 'POST', '/api/v1/publish', { topic: 'a' })).toEqual([403, 'ROLE_INSUFFICIENT'])
  expect(await codeOf(viewer, 'DELETE', '/api/v1/clients/a')).toEqual([403, 'ROLE_INSUFFICIENT'])
  expect(await codeOf(viewer, 'POST', '/api/v1/tickets')).toEqual([403, 'ROLE_INSUFFICIENT'])
  expect(await codeOf(operator, 'POST', '/api/v1/reload')).toEqual([403, 'ROLE_INSUFFICIENT'])
  expect(await codeOf(operator, 'POST', '/api/v1/publish', { topic: 'a' })).toEqual([200, undefined])
})

test('refuses an address that sends too many wrong keys, also with a right one', async () => {
  const admin = await StartedAdmin.start({ maximumFailures: 3 })
  for (let count = 0; count < 3; count += 1) await admin.ask('GET', '/api/v1/clients', undefined, 'Bearer wrong')
  const answer = await admin.ask('GET', '/api/v1/clients')
  expect([answer.status, answer.body['code'], answer.headers.get('retry-after')]).toEqual([
    429,
    'TOO_MANY_FAILURES',
    '60',
  ])
})

test('refuses an address that asks too often', async () => {
  const admin = await StartedAdmin.start({ maximumRequestRate: 1 })
  const answers = await Promise.all(Array.from({ length: 20 }, async () => admin.ask('GET', '/api/v1/log')))
  const codes = answers.map(({ body }) => body['code'])
  expect(codes).toContain('TOO_MANY_REQUESTS')
  expect(codes.filter(code => code === undefined).length).toBeGreaterThanOrEqual(2)
})

test('lets users of the program in with their roles, and nobody else', async () => {
  const verify = ({ username, password }: { username: string; password: string }): boolean =>
    password === `${username}!`
  const admin = await StartedAdmin.start({ users: { ben: 'viewer' }, verify })
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`
  const statusOf = async (text: string, method = 'GET', path = '/api/v1/clients'): Promise<number> =>
    (await admin.ask(method, path, undefined, basic(text))).status
  expect(await statusOf('ben:ben!')).toBe(200)
  expect(await statusOf('ben:no')).toBe(401)
  expect(await statusOf('eve:eve!')).toBe(401)
  expect(await statusOf('__proto__:__proto__!')).toBe(401)
  expect(await statusOf('ben:ben!', 'DELETE', '/api/v1/clients/x')).toBe(403)
})

test('logs each change, and each that was refused, with who asked', async () => {
  const lines: [fields: object, text: string][] = []
  const log = (fields: object, text: string): void => void lines.push([fields, text])
  const admin = await StartedAdmin.start({ logger: { debug: log, info: log, warn: log, error: log } })
  await admin.ask('POST', '/api/v1/publish', { topic: 'a\u202eb' }, operator)
  await admin.ask('DELETE', '/api/v1/clients/nobody', undefined, operator)
  await admin.ask('DELETE', '/api/v1/clients/nobody', undefined, viewer)
  expect(lines).toMatchObject([
    [{ admin: 'otto', role: 'operator', address: '127.0.0.1' }, 'otto published on a.b'],
    [{ code: 'CLIENT_UNKNOWN' }, 'otto closed the connection of client nobody: refused (CLIENT_UNKNOWN)'],
    [{ code: 'ROLE_INSUFFICIENT' }, 'vera closed the connection of client nobody: refused (ROLE_INSUFFICIENT)'],
  ])
})

test('makes a key for this run when there is none, and refuses options that can not be', async () => {
  const admin = await StartedAdmin.start({ keys: [] })
  const key = admin.broker.admin?.key ?? ''
  expect(key.length).toBeGreaterThan(20)
  expect((await admin.ask('GET', '/api/v1/broker', undefined, `Bearer ${key}`)).status).toBe(200)
  const short = { keys: [{ name: 'a', role: 'admin' as const, key: 'short' }] }
  await expect(StartedAdmin.start(short)).rejects.toThrow('option keys is a list of object')
})

test('a WebSocket needs a ticket, which is good once', async () => {
  const admin = await StartedAdmin.start()
  const upgrade = async (ticket: string, origin?: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = httpRequest(`${admin.url}/mqtt?ticket=${ticket}`, {
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-protocol': 'mqtt',
          ...(origin !== undefined && { origin }),
        },
      })
      asked.on('upgrade', (response, socket) => {
        socket.destroy()
        resolve(response.statusCode ?? 0)
      })
      asked.on('response', response => resolve(response.statusCode ?? 0))
      asked.on('error', reject)
      asked.end()
    })
  const { ticket } = (await admin.ask('POST', '/api/v1/tickets')).body as { ticket: string }
  expect(await upgrade('wrong')).toBe(401)
  expect(await upgrade(ticket, 'https://evil.example')).toBe(401)
  expect(await upgrade(ticket)).toBe(101)
  expect(await upgrade(ticket)).toBe(401)
})

test('the README explains each code', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const explained = [...readme.matchAll(/^\| `([A-Z_]+)` +\|/gm)].map(([, code]) => code)
  const own = ['ADMIN_LISTEN_FAILED', 'ADMIN_ATTACHED', 'ADMIN_REQUEST_FAILED']
  expect(explained.toSorted()).toEqual([...Object.keys(problemTable), ...own].toSorted())
})

import type { ServerResponse } from 'node:http'
import { expect, onTestFinished, test, vi } from 'vitest'
import { HttpLogin, OwnRules, hashPassword, parsePasswordFile } from '../src/index.ts'
import type { HttpOptions } from '../src/index.ts'
import { serve, start } from './support/running.ts'
import type { Question, Served } from './support/running.ts'

const notAuthorized = { code: 0x87 }
const serverUnavailable = { code: 0x88 }

const json = (value: object) => (response: ServerResponse) => void response.end(JSON.stringify(value))
const status =
  (code: number, body = '') =>
  (response: ServerResponse) =>
    void response.writeHead(code).end(body)

/** What the server does about each user. */
const behaviours: Readonly<Record<string, (response: ServerResponse) => void>> = {
  good: json({ result: 'allow' }),
  bare: status(204),
  bad: json({ result: 'deny' }),
  unknown: json({ result: 'ignore' }),
  forbidden: status(403),
  missing: status(404),
  failing: status(500),
  busy: status(429),
  words: status(200, 'yes'),
  empty: status(200),
  odd: json({ result: 'Allow' }),
  list: json([{ result: 'allow' }]),
  wrongRule: json({ result: 'allow', rules: ['allow all'] }),
  wrongGroups: json({ result: 'allow', groups: 'family' }),
  redirect: response => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  redirectToYes: response => void response.writeHead(307, { location: '/yes' }).end('{"result":"allow"}'),
  huge: status(200, `{"result":"allow","x":"${'x'.repeat(1_000_000)}"}`),
  cut: response => {
    response.writeHead(200, { 'content-length': '100' }).write('{"result":"allow"}')
    setImmediate(() => response.destroy())
  },
  hanging: () => undefined,
  halfway: response => void response.write('{"result":'),
  named: json({
    result: 'allow',
    username: 'ann',
    groups: ['family'],
    claims: { house: 7 },
    rules: ['allow publish own/#'],
  }),
  brief: json({ result: 'allow', expire_at: 1 }),
}

async function served(): Promise<Served> {
  return serve(({ username }: Question, response) => behaviours[String(username)]?.(response))
}

async function started(options: Partial<HttpOptions> = {}, more: { allowAnonymous?: boolean } = {}) {
  const server = await served()
  const login = new HttpLogin({ url: server.url, maximumFailures: 1000, timeout: 60_000, ...options })
  return { server, login, ...(await start({ logins: [login], ...more })) }
}

test('the server lets in and refuses; it gets identifier, name and password', async () => {
  const { connect, server } = await started({}, { allowAnonymous: true })
  await connect({ clientId: 'c', username: 'good', password: 'ü' })
  await connect({ username: 'bare' })
  await connect()
  expect(server.questions).toEqual([
    { clientid: 'c', username: 'good', password: 'ü' },
    { clientid: expect.any(String) as string, username: 'bare', password: '' },
  ])
  for (const username of ['bad', 'unknown', 'forbidden', 'missing']) {
    await expect(connect({ username })).rejects.toMatchObject(notAuthorized)
  }
})

test.for([
  'failing',
  'busy',
  'words',
  'empty',
  'odd',
  'list',
  'wrongRule',
  'wrongGroups',
  'redirect',
  'redirectToYes',
  'huge',
  'cut',
])('a server that fails or lies lets in nobody: %s', async username => {
  const { connect, login } = await started({}, { allowAnonymous: true })
  await expect(connect({ username })).rejects.toMatchObject(serverUnavailable)
  expect(login.statistics).toMatchObject({ requests: 1, failures: 1 })
})

test('where its status alone counts, 2xx lets in', async () => {
  const { connect } = await started({ answers: 'status' })
  await connect({ username: 'words' })
  await connect({ username: 'empty' })
  await expect(connect({ username: 'forbidden' })).rejects.toMatchObject(notAuthorized)
  await expect(connect({ username: 'redirect' })).rejects.toMatchObject(serverUnavailable)
})

test('what it says of a client counts for rules, and for when the connection ends', async () => {
  const server = await served()
  const rules = new OwnRules({
    rules: ['allow publish house/${claim.house}/# for group family', 'allow publish users/${username}'],
  })
  const { connect } = await start({ logins: [new HttpLogin({ url: server.url })], rules: [rules] })
  const client = await connect({ username: 'named' })
  for (const topic of ['house/7/x', 'users/ann', 'own/x']) await client.publishAsync(topic, '', { qos: 1 })
  for (const topic of ['house/8/x', 'users/named', 'x']) {
    await expect(client.publishAsync(topic, '', { qos: 1 })).rejects.toMatchObject(notAuthorized)
  }
  let reason: number | undefined
  await connect({ username: 'brief' }, brief => {
    brief.once('disconnect', ({ reasonCode }) => (reason = reasonCode))
  })
  await expect.poll(() => reason).toBe(0x87)
})

test.for(['hanging', 'halfway'])(
  'a server that is %s holds up whom it is asked about, and nobody else',
  async username => {
    const server = await served()
    const users = parsePasswordFile(`ann:${await hashPassword('right', { algorithm: 'sha512' })}\n`, 'users', {
      unknownUsers: 'defer',
    })
    const { connect } = await start({ logins: [users, new HttpLogin({ url: server.url, timeout: 60_000 })] })
    const held = Array.from({ length: 20 }, (_, index) => connect({ username, password: `${index}` }))
    let refused = 0
    for (const one of held) one.catch(() => (refused += 1))
    await expect.poll(() => server.questions.length).toBe(20)
    await connect({ username: 'ann', password: 'right' })
    await connect({ username: 'good' })
    expect(refused).toBe(0)
    await server.close()
    await expect.poll(() => refused).toBe(20)
  },
)

test('after timeout it is waited for no longer', async () => {
  const { connect } = await started({ timeout: 50 })
  for (const username of ['hanging', 'halfway']) {
    await expect(connect({ username })).rejects.toMatchObject(serverUnavailable)
  }
})

test('more questions than it may have are refused at once', async () => {
  const { connect, login, server } = await started({ maximumRequests: 1 })
  connect({ username: 'hanging' }).catch(() => undefined)
  await expect.poll(() => server.questions.length).toBe(1)
  await expect(connect({ username: 'good' })).rejects.toMatchObject(serverUnavailable)
  expect(login.statistics).toEqual({ requests: 1, failures: 0, cached: 0, refused: 1 })
})

test('a clock that is set back keeps neither what was said nor a pause for longer', async () => {
  const { connect, server } = await started({ maximumFailures: 1, pause: 1, cacheTime: 1 })
  await connect({ username: 'good' })
  await expect(connect({ username: 'failing' })).rejects.toMatchObject(serverUnavailable)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 86_400_000 })
  onTestFinished(() => void vi.useRealTimers())
  await expect
    .poll(() =>
      connect({ username: 'good' }).then(
        () => server.questions.filter(({ username }) => username === 'good').length,
        () => 0,
      ),
    )
    .toBeGreaterThan(1)
})

test('after failures in a row it is left alone for a while; then one question finds out whether it is back', async () => {
  const { connect, login, server } = await started({ maximumFailures: 2, pause: 3_600_000 })
  for (let count = 0; count < 2; count += 1) {
    await expect(connect({ username: 'failing', password: `${count}` })).rejects.toMatchObject(serverUnavailable)
  }
  await expect(connect({ username: 'good' })).rejects.toMatchObject(serverUnavailable)
  expect(server.questions).toHaveLength(2)
  expect(login.statistics).toMatchObject({ failures: 2, refused: 1 })
  const other = await started({ maximumFailures: 1, pause: 1 })
  await expect(other.connect({ username: 'failing' })).rejects.toMatchObject(serverUnavailable)
  await expect
    .poll(() =>
      other.connect({ username: 'good' }).then(
        () => 'in',
        () => 'out',
      ),
    )
    .toBe('in')
  await other.connect({ username: 'good', password: 'x' })
})

test('an answer counts for cacheTime, for the same question alone', async () => {
  const { connect, login, server } = await started()
  const ask = (password: string): Promise<unknown> => connect({ clientId: 'c', username: 'good', password })
  for (const password of ['a', 'a', 'b', 'a']) await ask(password)
  expect(server.questions.map(({ password }) => password)).toEqual(['a', 'b'])
  expect(login.statistics.cached).toBe(2)
  const forgetful = await started({ cacheTime: 0 })
  for (let count = 0; count < 2; count += 1) await forgetful.connect({ clientId: 'c', username: 'good' })
  expect(forgetful.server.questions).toHaveLength(2)
})

test('whom it has let in stays after a change, unless another server is asked from then on', async () => {
  const { access, broker, connect, server } = await started()
  await connect({ clientId: 'ann', username: 'good' })
  const lost = (url: string): string[] =>
    access.replace({ logins: [new HttpLogin({ url })] }, Object.values(broker.clients)).map(({ id }) => id)
  expect(lost(server.url)).toEqual([])
  expect(lost('http://127.0.0.1:1/')).toEqual(['ann'])
})

test.for<[options: Partial<HttpOptions>, message: RegExp]>([
  [{ url: 'ftp://x' }, /url is 'ftp:\/\/x', it must be a URL with http or https/],
  [{ timeout: 0 }, /timeout is 0, it must be a whole number from 1 to 60000/],
  [{ maximumRequests: 0.5 }, /maximumRequests is 0.5/],
  [{ cacheTime: -1 }, /cacheTime is -1/],
  [{ maximumFailures: 0 }, /maximumFailures is 0/],
  [{ pause: Number.NaN }, /pause is NaN/],
])('%j is refused', ([options, message]) => {
  expect(() => new HttpLogin({ url: 'http://h/', ...options })).toThrow(message)
})

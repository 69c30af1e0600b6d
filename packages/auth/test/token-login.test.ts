import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { SignJWT, exportJWK } from 'jose'
import type { JWTPayload } from 'jose'
import type { MqttClient } from 'mqtt'
import { expect, onTestFinished, test, vi } from 'vitest'
import { OwnRules, TokenLogin, hashPassword, parsePasswordFile } from '../src/index.ts'
import type { TokenOptions } from '../src/index.ts'
import { serve, start } from './support/running.ts'

const secret = randomBytes(32)
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const edwards = generateKeyPairSync('ed25519')
const notAuthorized = { code: 0x87 }

function token(
  claims: JWTPayload,
  key: Uint8Array | KeyObject = secret,
  header: { alg: string; kid?: string } = { alg: 'HS256' },
) {
  return new SignJWT(claims).setProtectedHeader(header).sign(key)
}

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()

test.for<[alg: string, options: TokenOptions, key: Uint8Array | KeyObject]>([
  ['HS256', { secret }, secret],
  ['HS512', { secret }, secret],
  ['RS256', { publicKey: rsaPem }, rsa.privateKey],
  ['PS384', { publicKey: rsaPem }, rsa.privateKey],
  ['ES256', { publicKey: pem(curve.publicKey) }, curve.privateKey],
  ['EdDSA', { publicKey: pem(edwards.publicKey) }, edwards.privateKey],
])('a token by %s lets in; one that was changed, or signed otherwise, does not', async ([alg, options, key]) => {
  const { connect } = await start({ logins: [new TokenLogin(options)] })
  const good = await token({ sub: 'ann' }, key, { alg })
  await connect({ username: 'x', password: good })
  const [head, , signature] = good.split('.')
  const changed = [head, Buffer.from('{"sub":"bob"}').toString('base64url'), signature].join('.')
  const byOthers = await token({ sub: 'ann' }, randomBytes(64))
  for (const bad of [changed, byOthers, good.slice(0, -8)]) {
    await expect(connect({ username: 'x', password: bad })).rejects.toMatchObject(notAuthorized)
  }
})

test('a token is not checked by another algorithm than its keys are for', async () => {
  const { connect } = await start({ logins: [new TokenLogin({ publicKey: rsaPem })] })
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const unsigned = `${part({ alg: 'HS256' })}.${part({ sub: 'ann' })}`
  const byPublicKey = `${unsigned}.${createHmac('sha256', rsaPem).update(unsigned).digest('base64url')}`
  const none = `${part({ alg: 'none' })}.${part({ sub: 'ann' })}.`
  for (const bad of [byPublicKey, none]) {
    await expect(connect({ username: 'ann', password: bad })).rejects.toMatchObject(notAuthorized)
  }
})

test('issuer, audience, times and claims must be those that are asked for', async () => {
  const login = new TokenLogin({ secret, issuer: 'i', audience: ['a', 'b'], clientIdClaim: 'device' })
  const { connect } = await start({ logins: [login] })
  const now = Math.floor(Date.now() / 1000)
  const good = { sub: 'ann', iss: 'i', aud: 'b', device: 'c1', exp: now + 3600 }
  const tryWith = async (claims: JWTPayload): Promise<MqttClient> =>
    connect({ clientId: 'c1', username: 'x', password: await token({ ...good, ...claims }) })
  await tryWith({})
  const others: JWTPayload[] = [
    { iss: 'j' },
    { aud: 'c' },
    { device: 'c2' },
    { exp: now - 1 },
    { nbf: now + 3600 },
    { sub: '' },
    { sub: ['ann'] as unknown as string },
  ]
  for (const claims of others) await expect(tryWith(claims)).rejects.toMatchObject(notAuthorized)
})

test('claims are the user name, groups, rules, and values in rules', async () => {
  const rules = new OwnRules({
    rules: [
      'allow publish house/${claim.house}/# for group family',
      'allow publish users/${username}',
      'deny publish house/+/cellar',
    ],
  })
  const login = new TokenLogin({ secret, usernameClaim: 'name', groupsClaim: 'groups', rulesClaim: 'rules' })
  const { connect } = await start({ logins: [login], rules: [rules] })
  const claims = {
    name: 'ann',
    house: 7,
    groups: ['family'],
    rules: ['allow publish own/#', 'allow publish house/7/cellar'],
  }
  const client = await connect({ username: 'somebody else', password: await token(claims) })
  for (const topic of ['house/7/lamp', 'users/ann', 'own/x']) await client.publishAsync(topic, '', { qos: 1 })
  for (const topic of ['house/8/lamp', 'users/bob', 'house/7/cellar', 'users/somebody else']) {
    await expect(client.publishAsync(topic, '', { qos: 1 })).rejects.toMatchObject(notAuthorized)
  }
  const wide = await connect({ username: 'x', password: await token({ ...claims, house: '+', rules: [] }) })
  await expect(wide.publishAsync('house/8/lamp', '', { qos: 1 })).rejects.toMatchObject(notAuthorized)
  for (const wrong of [{ rules: ['allow all'] }, { rules: 'allow publish #' }, { groups: [1] }, { name: undefined }]) {
    await expect(connect({ username: 'x', password: await token({ ...claims, ...wrong }) })).rejects.toMatchObject(
      notAuthorized,
    )
  }
})

test('the end of a token is the end of its connection: 0x87, and MQTT 3 clients are closed', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const { connect, broker } = await start({ logins: [new TokenLogin({ secret })] })
  const end = Math.floor(Date.now() / 1000) + 60
  const password = await token({ sub: 'ann', exp: end })
  const login = { username: 'x', password }
  let reason = 0
  let isClosed = false
  await connect({ clientId: 'five', ...login }, client => {
    client.once('disconnect', ({ reasonCode = 0 }) => (reason = reasonCode))
  })
  await connect({ clientId: 'four', ...login, protocolVersion: 4 }, client => {
    client.once('close', () => (isClosed = true))
  })
  const lasting = await connect({ clientId: 'lasting', username: 'x', password: await token({ sub: 'ann' }) })
  vi.setSystemTime((end - 1) * 1000)
  vi.advanceTimersByTime(900)
  await lasting.publishAsync('x', '', { qos: 1 })
  expect(Object.keys(broker.clients).toSorted()).toEqual(['five', 'four', 'lasting'])
  vi.advanceTimersByTime(1100)
  await expect.poll(() => [reason, isClosed]).toEqual([0x87, true])
  await lasting.publishAsync('x', '', { qos: 1 })
  expect(Object.keys(broker.clients)).toEqual(['lasting'])
  await expect(connect({ clientId: 'late', ...login })).rejects.toMatchObject(notAuthorized)
})

test('passwords that are no tokens are left to others', async () => {
  const users = parsePasswordFile(`ann:${await hashPassword('right', { algorithm: 'sha512' })}\n`, 'users')
  const { connect } = await start({ logins: [new TokenLogin({ secret }), users], allowAnonymous: true })
  await connect({ username: 'ann', password: 'right' })
  await connect()
  await expect(connect({ username: 'ann', password: 'wrong' })).rejects.toMatchObject(notAuthorized)
  await expect(connect({ username: 'ann', password: 'a.b.c' })).rejects.toMatchObject(notAuthorized)
})

test('whom other keys, or other demands, would not let in is found after a change', async () => {
  const { access, broker, connect } = await start({ logins: [new TokenLogin({ secret })] })
  await connect({ clientId: 'ann', username: 'x', password: await token({ sub: 'ann' }) })
  const clients = (): (typeof broker.clients)[string][] => Object.values(broker.clients)
  expect(access.replace({ logins: [new TokenLogin({ secret })] }, clients())).toEqual([])
  const lost = access.replace({ logins: [new TokenLogin({ secret: randomBytes(32) })] }, clients())
  expect(lost.map(({ id }) => id)).toEqual(['ann'])
})

async function keySet(...keys: readonly [kid: string, key: KeyObject][]): Promise<string> {
  return JSON.stringify({
    keys: await Promise.all(keys.map(async ([kid, key]) => ({ ...(await exportJWK(key)), kid }))),
  })
}

test('keys at a URL are read once for many logins, and count on when the server is gone', async () => {
  const body = await keySet(['1', rsa.publicKey], ['2', edwards.publicKey])
  const server = await serve((_question, response) => response.end(body))
  const { connect } = await start({ logins: [new TokenLogin({ keysUrl: server.url })] })
  const logins = [
    await token({ sub: 'ann' }, rsa.privateKey, { alg: 'RS256', kid: '1' }),
    await token({ sub: 'bob' }, edwards.privateKey, { alg: 'EdDSA', kid: '2' }),
  ]
  await Promise.all(logins.map(password => connect({ username: 'x', password })))
  expect(server.questions).toHaveLength(1)
  await server.close()
  for (const password of logins) await connect({ username: 'x', password })
  const unknown = await token({ sub: 'ann' }, rsa.privateKey, { alg: 'RS256', kid: '3' })
  await expect(connect({ username: 'x', password: unknown })).rejects.toMatchObject(notAuthorized)
})

test('while the server of keys hangs, others come in; without keys nobody does', async () => {
  const server = await serve(() => undefined)
  const users = parsePasswordFile(`ann:${await hashPassword('right', { algorithm: 'sha512' })}\n`, 'users')
  const { connect } = await start({ logins: [new TokenLogin({ keysUrl: server.url }), users] })
  const password = await token({ sub: 'ann' }, rsa.privateKey, { alg: 'RS256', kid: '1' })
  const waiting = connect({ username: 'ann', password })
  const refused = expect(waiting).rejects.toMatchObject({ code: 0x88 })
  await expect.poll(() => server.questions.length).toBe(1)
  await connect({ username: 'ann', password: 'right' })
  await server.close()
  await refused
})

test('64 logins wait for keys, and more are refused at once', async () => {
  const server = await serve(() => undefined)
  const login = new TokenLogin({ keysUrl: server.url })
  const password = Buffer.from(await token({ sub: 'ann' }, rsa.privateKey, { alg: 'RS256', kid: '1' }))
  const check = async (): Promise<unknown> => login.check({ clientId: 'c', username: 'ann', password })
  const waiting = Promise.allSettled(Array.from({ length: 64 }, check))
  await expect(check()).rejects.toThrow('64 logins wait for its keys')
  await expect.poll(() => server.questions.length).toBe(1)
  await server.close()
  expect((await waiting).map(({ status }) => status)).toEqual(Array.from({ length: 64 }, () => 'rejected'))
})

test.for<[what: string, body: string, status: number]>([
  ['no JSON', '<html>', 200],
  ['no key set', '{"keys":1}', 200],
  ['an error', '{}', 500],
  ['far too much', 'x'.repeat(1_000_000), 200],
])('a server of keys that responds with %s lets in nobody', async ([, body, status]) => {
  const server = await serve((_question, response) => response.writeHead(status).end(body))
  const { connect } = await start({ logins: [new TokenLogin({ keysUrl: server.url })], allowAnonymous: true })
  const password = await token({ sub: 'ann' }, rsa.privateKey, { alg: 'RS256', kid: '1' })
  await expect(connect({ username: 'ann', password })).rejects.toThrow()
  await connect()
})

test.for<[options: TokenOptions, message: RegExp]>([
  [{}, /given by none, it must be one of/],
  [{ secret, publicKey: rsaPem }, /given by secret and publicKey/],
  [{ secret: randomBytes(31) }, /has 31 bytes, it must have 32 or more/],
  [{ publicKey: 'nonsense' }, /can't be read/],
  [{ publicKey: rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }, /it is a private key/],
  [{ keys: { keys: 1 } as never }, /no JSON Web Key Set/],
  [{ keysUrl: 'file:///etc/passwd' }, /it must be a URL with http or https/],
  [{ secret, algorithms: ['RS256'] }, /algorithms has 'RS256', with these keys it may be HS256/],
  [{ secret, clockTolerance: -1 }, /from 0 to 3600/],
])('%j is refused', ([options, message]) => {
  expect(() => new TokenLogin(options)).toThrow(message)
})

import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LeakyBuckets } from '../src/connect/leaky-buckets.ts'
import { networkOf } from '../src/connect/peer-address.ts'
import type { BrokerOptions } from '../src/index.ts'
import { HeldStream } from './support/held-stream.ts'
import { readConnack } from './support/frame.ts'
import { property } from './support/property.ts'
import { startBroker, startBrokerWithClock } from './support/start-broker.ts'
import type { TestBroker } from './support/start-broker.ts'
import { auth, connect } from './support/wire.ts'
import type { Version } from './support/wire.ts'

const badPassword = { version: 5 as Version, password: 'wrong' }

/** Ways in which a hook says no. */
const refusals: Readonly<Record<string, Partial<BrokerOptions>>> = {
  'a value': { authenticate: (_client, _name, password) => password?.toString() === 'right' },
  'a promise': { authenticate: async (_client, _name, password) => password?.toString() === 'right' },
  'a callback': {
    authenticate: (_client, _name, password, done) => {
      setImmediate(() => done(null, password?.toString() === 'right'))
    },
  },
  'an error with a return code': {
    authenticate: (_client, _name, password) => {
      if (password?.toString() === 'right') return true
      throw Object.assign(new Error('no'), { returnCode: 4 })
    },
  },
}

/** Logs in from an address, as a listener behind a proxy hands it over; returns what CONNACK says. */
async function logIn(
  server: TestBroker,
  address: string,
  fields: { username?: string; password?: string; clientId?: string; version?: Version },
): Promise<number> {
  const { version = 5, clientId = `${address}-${fields.username ?? ''}-${fields.password ?? ''}`, ...rest } = fields
  const stream = new HeldStream()
  stream.flowing = true
  server.broker.handle(stream, { connDetails: { ipAddress: address } })
  stream.push(connect({ version, clientId, ...rest }))
  for (;;) {
    const [frame] = stream.frames()
    if (frame !== undefined) {
      const { reasonCode } = readConnack(frame, version)
      if (reasonCode === 0) stream.push(null)
      else stream.destroy()
      await new Promise(resolve => {
        stream.once('close', resolve)
      })
      // The program is told behind the peer, in a turn that is due already. A timer could come before it on a busy machine.
      await new Promise(setImmediate)
      return reasonCode
    }
    await new Promise(setImmediate)
  }
}

for (const [way, options] of Object.entries(refusals)) {
  test(`who has failed maximumFailedLogins times with a name is refused unasked, when the hook answers by ${way}`, async () => {
    let asked = 0
    const counting: Partial<BrokerOptions> = { ...options, preConnect: () => true }
    const server = await startBrokerWithClock({ ...counting, maximumFailedLogins: 3, failedLoginDelay: 0 })
    server.broker.on('clientError', (_client, error) => {
      if (!('code' in error) || error.code !== 'FAILED_LOGINS_EXCEEDED') asked += 1
    })
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect([0x86, 0x87]).toContain(await logIn(server, '10.0.0.1', { ...badPassword, username: 'ann' }))
    }
    // Also with the right password: that is what refusing unasked means.
    for (const version of [3, 4, 5] as const) {
      const code = await logIn(server, '10.0.0.1', { username: 'ann', password: 'right', version, clientId: 'c' })
      expect(code).toBe(version === 5 ? 0x9f : 3)
    }
    expect(asked).toBe(3)
    expect(server.broker.counters.errors['FAILED_LOGINS_EXCEEDED']).toBe(3)

    // A name that doesn't exist is treated alike, other names and addresses are not concerned.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect([0x86, 0x87]).toContain(await logIn(server, '10.0.0.1', { ...badPassword, username: 'nobody' }))
    }
    expect(await logIn(server, '10.0.0.1', { ...badPassword, username: 'nobody' })).toBe(0x9f)
    expect(await logIn(server, '10.0.0.2', { username: 'ann', password: 'right' })).toBe(0)
    expect(await logIn(server, '10.0.0.1', { username: 'bob', password: 'right' })).toBe(0)

    // Refusals do not count, and failures run off: a third of the limit in a third of a minute.
    await server.pass(20_500)
    expect(await logIn(server, '10.0.0.1', { username: 'ann', password: 'right' })).toBe(0)
  })
}

test('a name that others try to guess is delayed for its owner, and not refused', async () => {
  const server = await startBrokerWithClock({ ...refusals['a value'], maximumFailedLogins: 2, failedLoginDelay: 1000 })
  for (const address of ['10.0.0.1', '10.0.0.2']) await logIn(server, address, { ...badPassword, username: 'ann' })
  let code: number | undefined
  const owner = logIn(server, '10.9.9.9', { username: 'ann', password: 'right' }).then(found => {
    code = found
  })
  await server.pass(750)
  expect(code).toBeUndefined()
  expect(server.broker.counters.loginsDelayed).toBe(1)
  expect(await logIn(server, '10.0.0.1', { username: 'bob', password: 'right' })).toBe(0)
  await server.pass(500)
  await owner
  expect(code).toBe(0)
})

test('an address is refused after maximumFailedLoginsPerAddress names', async () => {
  const server = await startBroker({
    ...refusals['a value'],
    maximumFailedLogins: 3,
    maximumFailedLoginsPerAddress: 10,
    failedLoginDelay: 0,
  })
  for (let attempt = 0; attempt < 10; attempt += 1) {
    expect(await logIn(server, '10.0.0.1', { ...badPassword, username: `guess${attempt}` })).toBe(0x87)
  }
  expect(await logIn(server, '10.0.0.1', { ...badPassword, username: 'another' })).toBe(0x9f)
  expect(await logIn(server, '10.0.0.2', { ...badPassword, username: 'another' })).toBe(0x87)
  // A network of IPv6 is one place.
  for (let attempt = 0; attempt < 10; attempt += 1) {
    await logIn(server, `2001:db8::${attempt}`, { ...badPassword, username: `guess${attempt}` })
  }
  expect(await logIn(server, '2001:db8:0:0:ffff::1', { ...badPassword, username: 'another' })).toBe(0x9f)
  expect(await logIn(server, '2001:db8:0:1::1', { ...badPassword, username: 'another' })).toBe(0x87)
})

test('a fleet that shares a name and an address is not shut out by those of it that have an old password', async () => {
  const server = await startBrokerWithClock({ ...refusals['a value'], maximumFailedLogins: 3 })
  expect(await logIn(server, '10.0.0.1', { username: 'fleet', password: 'right' })).toBe(0)
  for (let attempt = 0; attempt < 3; attempt += 1) {
    expect(await logIn(server, '10.0.0.1', { ...badPassword, username: 'fleet' })).toBe(0x87)
  }
  const codes = ['old', 'right', 'older'].map(password => logIn(server, '10.0.0.1', { username: 'fleet', password }))
  await server.pass(1250)
  expect(await Promise.all(codes)).toEqual([0x87, 0, 0x87])
  expect(server.broker.counters.loginsDelayed).toBe(3)
})

test('where somebody has logged in, whoever guesses names only delays those that come for the first time', async () => {
  const server = await startBrokerWithClock({ ...refusals['a value'], maximumFailedLoginsPerAddress: 5 })
  expect(await logIn(server, '10.0.0.1', { username: 'neighbour', password: 'right' })).toBe(0)
  for (let attempt = 0; attempt < 5; attempt += 1) {
    expect(await logIn(server, '10.0.0.1', { ...badPassword, username: `guess${attempt}` })).toBe(0x87)
  }
  expect(await logIn(server, '10.0.0.1', { username: 'neighbour', password: 'right' })).toBe(0)
  expect(server.broker.counters.loginsDelayed).toBe(0)
  const newcomer = logIn(server, '10.0.0.1', { username: 'newcomer', password: 'right' })
  await server.pass(1250)
  expect(await newcomer).toBe(0)
  expect(server.broker.counters.loginsDelayed).toBe(1)
})

test('a hook that fails for reasons of its own counts for nobody', async () => {
  const server = await startBroker({
    maximumFailedLogins: 2,
    authenticate: () => {
      throw Object.assign(new Error('the data base is away'), { reasonCode: 0x88 })
    },
  })
  for (let attempt = 0; attempt < 5; attempt += 1) {
    expect(await logIn(server, '10.0.0.1', { username: 'ann', password: 'right' })).toBe(0x88)
  }
})

test('enhanced authentication that fails counts as well', async () => {
  const server = await startBroker({
    maximumFailedLogins: 2,
    failedLoginDelay: 0,
    authenticateEnhanced: (_client, { step }) => {
      if (step === 'connect') return { done: false }
      throw new Error('no')
    },
  })
  const method = property.authenticationMethod('M')
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const client = await server.open()
    client.send(connect({ clientId: 'c', username: 'ann', properties: method }))
    await client.next('auth')
    client.send(auth(0x18, method))
    expect(readConnack(await client.next('connack'), 5).reasonCode).toBe(0x87)
  }
  const client = await server.open()
  expect((await client.connect({ clientId: 'c', username: 'ann', properties: method })).reasonCode).toBe(0x9f)
})

test('no more than maximumConcurrentAuthentications run at a time, and addresses take turns', async () => {
  const started: string[] = []
  const answers: (() => void)[] = []
  const server = await startBroker({
    maximumConcurrentAuthentications: 2,
    authenticate: (client, _name, _password, done) => {
      started.push(client.id)
      answers.push(() => done(null, true))
    },
  })
  const codes = ['a1', 'a2', 'a3', 'a4', 'a5'].map(clientId => logIn(server, '10.0.0.1', { clientId, username: 'x' }))
  await wait(0)
  codes.push(logIn(server, '10.0.0.2', { clientId: 'b1', username: 'y' }))
  while (answers.length > 0 || started.length < 6) {
    await wait(0)
    expect(answers.length).toBeLessThanOrEqual(2)
    answers.shift()?.()
  }
  expect(await Promise.all(codes)).toEqual([0, 0, 0, 0, 0, 0])
  expect(started.slice(0, 4)).toEqual(['a1', 'a2', 'a3', 'b1'])
})

test('one address may send maximumConnectsPerAddress CONNECTs in a minute', async () => {
  const server = await startBrokerWithClock({ maximumConnectsPerAddress: 3 })
  for (let index = 0; index < 3; index += 1) {
    expect(await logIn(server, '10.0.0.1', { clientId: `c${index}` })).toBe(0)
  }
  expect(await logIn(server, '10.0.0.1', { clientId: 'd' })).toBe(0x9f)
  expect(await logIn(server, '10.0.0.1', { clientId: 'd', version: 4 })).toBe(3)
  expect(await logIn(server, '::ffff:10.0.0.1', { clientId: 'd' })).toBe(0x9f)
  expect(await logIn(server, '10.0.0.2', { clientId: 'd' })).toBe(0)
  expect(server.broker.counters.errors).toEqual({ CONNECT_RATE_EXCEEDED: 3 })
  await server.pass(20_500)
  expect(await logIn(server, '10.0.0.1', { clientId: 'e' })).toBe(0)
})

test('behind a proxy, the CONNECTs of each client count for its own address, and none for the proxy’s', async () => {
  const server = await startBroker({
    maximumConnectsPerAddress: 2,
    trustProxy: true,
    // A line with the address stands before the packets.
    decodeProtocol: (_client, chunk) => {
      const end = chunk.indexOf('\n')
      return { ipAddress: chunk.toString('latin1', 0, end), data: chunk.subarray(end + 1) }
    },
  })
  const answer = async (address: string, clientId: string): Promise<number> => {
    const client = await server.open()
    client.send(Buffer.concat([Buffer.from(`${address}\n`), connect({ clientId })]))
    return readConnack(await client.next('connack'), 5).reasonCode
  }
  for (const clientId of ['a', 'b']) expect(await answer('10.0.0.1', clientId)).toBe(0)
  expect(await answer('10.0.0.1', 'c')).toBe(0x9f)
  // All of them come from 127.0.0.1.
  for (const clientId of ['d', 'e']) expect(await answer('10.0.0.2', clientId)).toBe(0)
  expect(await answer('10.0.0.2', 'f')).toBe(0x9f)
  expect(await answer('2001:db8::1', 'g')).toBe(0)
  expect(await answer('2001:db8::2', 'h')).toBe(0)
  expect(await answer('2001:db8:0:0:ffff::3', 'i')).toBe(0x9f)
  expect(await answer('2001:db8:0:1::1', 'j')).toBe(0)
})

test('a user has maximumSessionsPerUser sessions, those that wait for their client included', async () => {
  const server = await startBrokerWithClock({ maximumSessionsPerUser: 2 })
  const lasting = { cleanStart: false, properties: property.sessionExpiryInterval(10), username: 'ann' }
  const first = await server.connect({ clientId: 'a1', ...lasting })
  const second = await server.connect({ clientId: 'a2', username: 'ann' })
  const refused = async (): Promise<number> => {
    const client = await server.open()
    return (await client.connect({ clientId: 'a3', username: 'ann' })).reasonCode
  }
  expect(await refused()).toBe(0x97)
  await server.connect({ clientId: 'b1', username: 'bob' })
  await server.connect({ clientId: 'c1' })
  // The same session again is none more.
  await server.connect({ clientId: 'a1', ...lasting })
  await first.closed()
  await server.drop(second)
  const again = await server.connect({ clientId: 'a2', username: 'ann' })
  expect(await refused()).toBe(0x97)
  await server.drop(again)
  expect(await refused()).toBe(0)
  expect(server.broker.counters.errors).toMatchObject({ SESSIONS_PER_USER_EXCEEDED: 2 })
})

test('a session that has expired is none any more', async () => {
  const server = await startBrokerWithClock({ maximumSessionsPerUser: 1 })
  const fields = { cleanStart: false, properties: property.sessionExpiryInterval(10), username: 'ann' }
  await server.drop(await server.connect({ clientId: 'a1', ...fields }))
  const other = await server.open()
  expect((await other.connect({ clientId: 'a2', username: 'ann' })).reasonCode).toBe(0x97)
  await server.pass(12_000)
  const later = await server.open()
  expect((await later.connect({ clientId: 'a2', username: 'ann' })).reasonCode).toBe(0)
})

test('what is remembered of keys is bounded, however many and long they are', () => {
  const buckets = new LeakyBuckets(2)
  for (let key = 0; key < 100_000; key += 1) buckets.add(`${key}`, 0)
  expect(buckets.size).toBeLessThanOrEqual(32_768)
  const long = 'x'.repeat(100_000)
  for (let time = 0; time < 2; time += 1) buckets.add(long, 0)
  expect(buckets.isFull(long, 0)).toBe(true)
  expect(buckets.isFull(`${long}y`, 0)).toBe(false)
  expect(buckets.isFull(long, 30_000)).toBe(false)
})

test('an address stands for its network', () => {
  expect(networkOf('10.1.2.3')).toBe('10.1.2.3')
  expect(networkOf('::ffff:10.1.2.3')).toBe('10.1.2.3')
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2')
  expect(networkOf('2001:db8::6')).toBe('2001:db8:0:0')
  expect(networkOf('::1')).toBe('0:0:0:0')
})

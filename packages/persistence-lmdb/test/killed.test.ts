import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Slices, systemClock } from '@x/contract'
import type { Message, PersistenceHost, SessionOwner } from '@x/contract'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { LmdbPersistence } from '../src/index.ts'
import { RemotePersistence } from './support/remote-persistence.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'killed-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const host: PersistenceHost = {
  brokerId: 'broker',
  clock: systemClock,
  slices: new Slices(),
  limits: { maximumQueuedMessages: 100_000, maximumQueuedBytes: 100_000_000, overflow: 'dropOldest' },
  groupReady: () => {},
  dropped: () => {},
}
const owner: SessionOwner = { deliver: () => true, fenced: () => {} }
const session = { clientId: 'lamp', cleanStart: false, sessionExpiryInterval: 3600, will: undefined, owner }
const subscription = {
  filter: 'light/+',
  qos: 2 as const,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0 as const,
  subscriptionIdentifier: undefined,
}

function message(index: number, fields: Partial<Message> = {}): Message {
  return {
    topic: 'light/hall',
    payload: Buffer.from(`${index}`),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAt: undefined,
    publisher: 'switch',
    brokerId: 'broker',
    brokerCounter: index,
    ...fields,
  }
}

test('everything that was acknowledged before kill -9 is there afterwards, in order and once', async () => {
  const broker = new RemotePersistence(directory)
  await broker.open(host)
  const { handle } = await broker.openSession(session)
  await broker.subscribe(handle, [subscription])
  await broker.closeSession(handle, { sessionExpiryInterval: 3600, will: 'discard', sentThrough: 0 })
  const publisher = await broker.openSession({ ...session, clientId: 'switch' })
  const acknowledged: number[] = []
  const publishing = Array.from({ length: 3000 }, async (_, index) => {
    const receipt = { session: publisher.handle, packetId: (index % 65_535) + 1 }
    await broker.publish(message(index, { qos: 2 }), receipt)
    acknowledged.push(index)
    if (index === 1500) await broker.kill()
  })
  await Promise.allSettled(publishing)
  expect(acknowledged.length).toBeGreaterThan(1000)

  const store = new LmdbPersistence({ directory })
  await store.open(host)
  const again = await store.openSession({ ...session, owner: { deliver: () => false, fenced: () => {} } })
  const found = (await store.read(again.handle, 0, 100_000)).map(entry => Number(entry.message.payload.toString()))
  expect(found.slice(0, acknowledged.length)).toEqual(acknowledged)
  expect(new Set(found).size).toBe(found.length)
  // What was stored has its packet identifier with it, so that its repetition is not stored again.
  const { received } = await store.openSession({ ...session, clientId: 'switch' })
  expect(received).toHaveLength(found.length)
  await store.close()
})

test('sessions and wills of a broker that was killed are taken care of by one that lives', async () => {
  const broker = new RemotePersistence(directory)
  const store = new LmdbPersistence({ directory })
  await broker.open(host)
  await store.open(host)
  const will = { clientId: 'lamp', message: message(1), messageExpiryInterval: undefined, delayInterval: 0 }
  await broker.openSession({ ...session, will })
  await broker.openSession({ ...session, clientId: 'passing', sessionExpiryInterval: 0 })
  expect(await store.claimDue(10)).toEqual([])
  await broker.kill()
  expect(await store.claimDue(10)).toMatchObject([{ kind: 'will', will: { clientId: 'lamp' } }])
  expect((await store.openSession({ ...session, clientId: 'passing' })).present).toBe(false)
  expect((await store.openSession(session)).present).toBe(true)
  await store.close()
})

test('what a broker has sent and could not tell of before it was killed is known as sent', async () => {
  const broker = new RemotePersistence(directory)
  const store = new LmdbPersistence({ directory })
  await broker.open(host)
  const { handle } = await broker.openSession(session)
  await broker.subscribe(handle, [subscription])
  await broker.publish(message(1))
  await broker.publish(message(2))
  await broker.kill()
  await store.open(host)
  const again = await store.openSession({ ...session, owner: { deliver: () => false, fenced: () => {} } })
  expect(again.sentThrough).toBe(2)
  await store.close()
})

test('what its owner had no room for was not sent', async () => {
  const store = new LmdbPersistence({ directory })
  const other = new LmdbPersistence({ directory })
  await store.open(host)
  await other.open(host)
  const { handle } = await store.openSession({ ...session, owner: { deliver: () => false, fenced: () => {} } })
  await store.subscribe(handle, [subscription])
  await store.publish(message(1))
  await store.publish(message(2))
  expect((await other.openSession(session)).sentThrough).toBe(0)
  await other.close()
  await store.close()
})

test('a session that is opened elsewhere while its owner has untold entries goes on with them as sent', async () => {
  const store = new LmdbPersistence({ directory })
  const other = new RemotePersistence(directory)
  await store.open(host)
  await other.open(host)
  const { handle } = await store.openSession(session)
  await store.subscribe(handle, [subscription])
  await Promise.all([store.publish(message(1)), store.publish(message(2))])
  expect((await other.openSession(session)).sentThrough).toBe(2)
  await other.close()
  await store.close()
})

test('a shared message of QoS 2 stays with the session that got it, however often its broker is killed', async () => {
  const shared = { ...subscription, filter: '$share/g/light/+' }
  let broker = new RemotePersistence(directory)
  await broker.open(host)
  const { handle } = await broker.openSession(session)
  await broker.subscribe(handle, [shared])
  await broker.publish(message(1, { qos: 2 }))
  await broker.publish(message(2, { qos: 2 }))
  expect(await broker.claim(handle, shared.filter, 10)).toHaveLength(2)
  await broker.release(handle, 1)
  await broker.kill()
  for (const first of ['claimDue', 'openSession', 'claimDue'] as const) {
    broker = new RemotePersistence(directory)
    await broker.open(host)
    if (first === 'claimDue') await broker.claimDue(10)
    const again = await broker.openSession(session)
    expect(again.sentThrough).toBe(2)
    expect(await broker.claim(again.handle, shared.filter, 10)).toEqual([])
    expect(await broker.read(again.handle, 0, 10)).toHaveLength(2)
    await broker.kill()
  }
})

test('a process that exits while a transaction is under way ends, and leaves the directory to others', async () => {
  const file = fileURLToPath(new URL('support/exiting-process.ts', import.meta.url))
  const exiting = fork(file, [directory], { execArgv: ['--import', 'tsx', '--conditions=@x/source'] })
  onTestFinished(() => void exiting.kill('SIGKILL'))
  await once(exiting, 'exit')
  const next = new LmdbPersistence({ directory })
  await next.open(host)
  await next.close()
})

test('nor does it keep those waiting that have the directory open', async () => {
  const file = fileURLToPath(new URL('support/exiting-process.ts', import.meta.url))
  const other = new RemotePersistence(directory)
  onTestFinished(async () => other.kill())
  await other.open(host)
  // How far lmdb's thread has come by then is not the same each time.
  for (let round = 0; round < 3; round += 1) {
    const exiting = fork(file, [directory], { execArgv: ['--import', 'tsx', '--conditions=@x/source'] })
    onTestFinished(() => void exiting.kill('SIGKILL'))
    await once(exiting, 'exit')
    expect(await other.publish(message(round))).toBe(0)
  }
})

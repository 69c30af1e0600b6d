import type { Message, OpenedSession, PersistenceHost, SessionOwner, Subscription } from '@x/contract'
import { PersistenceError, Slices, messageOverhead } from '@x/contract'
import { ManualClock } from '@x/contract/testing'
import { expect, test } from 'vitest'
import type { MemoryPersistenceOptions } from '../src/index.ts'
import { MemoryPersistence } from '../src/index.ts'

const owner: SessionOwner = { deliver: () => true, fenced() {} }
const plain = {
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionIdentifier: undefined,
} as const

function hostOf(changes: Partial<PersistenceHost> = {}): PersistenceHost {
  return {
    brokerId: 'broker',
    clock: new ManualClock(),
    limits: { maximumQueuedMessages: 1000, maximumQueuedBytes: 1_000_000, overflow: 'dropOldest' },
    slices: new Slices(),
    groupReady() {},
    dropped() {},
    ...changes,
  }
}

function openStore(options?: MemoryPersistenceOptions, changes?: Partial<PersistenceHost>): MemoryPersistence {
  const store = new MemoryPersistence(options)
  store.open(hostOf(changes))
  return store
}

function connect(
  store: MemoryPersistence,
  clientId: string,
  changes: { interval?: number; owner?: SessionOwner } = {},
): OpenedSession {
  return store.openSession({
    clientId,
    cleanStart: false,
    sessionExpiryInterval: changes.interval ?? 100,
    will: undefined,
    owner: changes.owner ?? owner,
  })
}

function subscription(filter: string): Subscription {
  return { filter, qos: 1, ...plain }
}

function message(fields: Partial<Message> = {}): Message {
  return {
    topic: 'a',
    payload: Buffer.from('payload'),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAt: undefined,
    publisher: undefined,
    brokerId: 'broker',
    brokerCounter: 1,
    ...fields,
  }
}

/** The code of what the call throws. */
function codeOf(call: () => unknown): string | undefined {
  try {
    call()
  } catch (error) {
    if (error instanceof PersistenceError) return error.code
    throw error
  }
  return undefined
}

test('offers an entry before publish answers', () => {
  const store = openStore()
  const offered: string[] = []
  const deliver: SessionOwner['deliver'] = entry => offered.push(entry.message.payload.toString()) > 0
  const { handle } = connect(store, 'client', { owner: { deliver, fenced() {} } })
  store.subscribe(handle, [subscription('a')])
  store.publish(message())
  expect(offered).toEqual(['payload'])
})

test('copies a message once for all who keep it, and not at all when nobody does', () => {
  const store = openStore()
  const taken = new Set<Message>()
  const deliver: SessionOwner['deliver'] = entry => taken.add(entry.message).size > 0
  for (const clientId of ['x', 'y', 'z']) {
    const { handle } = connect(store, clientId, { owner: { deliver, fenced() {} } })
    store.subscribe(handle, [subscription('a')])
  }
  store.publish(message({ retain: true }))
  for (const retained of store.retained('a')) if (retained !== undefined) taken.add(retained)
  expect(taken.size).toBe(1)
  const payload = new Proxy(Buffer.from('payload'), {
    get() {
      throw new TypeError('nobody keeps this message')
    },
  })
  store.publish(message({ topic: 'elsewhere', payload }))
})

test('queues retained messages of its own without copying them again', () => {
  const store = openStore()
  store.publish(message({ retain: true }))
  const { handle } = connect(store, 'client')
  const [retained] = [...store.retained('a')]
  if (retained === undefined) throw new TypeError('nothing is retained')
  store.enqueue(handle, [{ message: retained, qos: 1, retain: true, subscriptionIdentifiers: undefined }])
  expect(store.read(handle, 0, 10)[0]?.message).toBe(retained)
})

test('lets a host claim from within groupReady', () => {
  const claimed: string[] = []
  const store: MemoryPersistence = openStore(undefined, {
    groupReady: group => {
      for (const entry of store.claim(handle, group, 10)) claimed.push(entry.message.payload.toString())
    },
  })
  const { handle } = connect(store, 'member')
  store.subscribe(handle, [subscription('$share/g/a'), subscription('$share/h/+')])
  store.publish(message())
  expect(claimed).toEqual(['payload', 'payload'])
})

test('refuses a new stored session at maximumSessions, and resumes those that are there', () => {
  const store = openStore({ maximumSessions: 2 })
  const first = connect(store, 'first')
  connect(store, 'second')
  expect(codeOf(() => connect(store, 'third'))).toBe('QUOTA_EXCEEDED')
  expect(connect(store, 'second').present).toBe(true)
  expect(connect(store, 'passing', { interval: 0 }).present).toBe(false)
  expect(store.counts().sessions).toBe(2)
  store.closeSession(first.handle, { sessionExpiryInterval: 0, will: 'discard', sentThrough: 0 })
  expect(codeOf(() => connect(store, 'third'))).toBeUndefined()
})

test('refuses a new retained topic at maximumRetainedMessages with all that came with it', () => {
  const store = openStore({ maximumRetainedMessages: 1 })
  const { handle } = connect(store, 'client')
  store.subscribe(handle, [subscription('#')])
  store.publish(message({ topic: 'a', retain: true }))
  const refused = { session: handle, packetId: 7 }
  expect(codeOf(() => store.publish(message({ topic: 'b', retain: true, qos: 2 }), refused))).toBe('QUOTA_EXCEEDED')
  expect(store.read(handle, 0, 10).length).toBe(1)
  expect(connect(store, 'client').received).toEqual([])
  store.publish(message({ topic: 'a', retain: true, qos: 0 }))
  store.publish(message({ topic: 'b', retain: true, qos: 0, payload: Buffer.alloc(0) }))
  store.publish(message({ topic: 'a', retain: true, qos: 0, payload: Buffer.alloc(0) }))
  expect(codeOf(() => store.publish(message({ topic: 'b', retain: true })))).toBeUndefined()
})

test('refuses to retain beyond maximumRetainedBytes, counting what is replaced or removed', () => {
  const store = openStore({ maximumRetainedBytes: 2 * messageOverhead + 20 })
  const retain = (topic: string, bytes: number): string | undefined =>
    codeOf(() => store.publish(message({ topic, retain: true, qos: 0, payload: Buffer.alloc(bytes) })))
  expect(retain('a', messageOverhead + 19)).toBeUndefined()
  expect(retain('b', 1)).toBe('QUOTA_EXCEEDED')
  expect(retain('a', messageOverhead + 20)).toBe('QUOTA_EXCEEDED')
  expect(retain('a', 9)).toBeUndefined()
  expect(retain('b', 9)).toBeUndefined()
  expect(retain('a', 0)).toBeUndefined()
  expect(retain('b', messageOverhead + 19)).toBeUndefined()
})

test('frees expired retained messages that nobody asks for', () => {
  const clock = new ManualClock()
  const store = openStore(undefined, { clock })
  for (let index = 0; index < 10; index += 1) {
    store.publish(message({ topic: `t/${index}`, retain: true, expiresAt: clock.now() + 1000 }))
  }
  clock.advance(1000)
  const first = store.claimDue(6)
  expect([first.length, first.more]).toEqual([0, true])
  const second = store.claimDue(6)
  expect([second.length, second.more]).toEqual([0, undefined])
  expect(store.counts().retainedMessages).toBe(0)
})

test('gives no epoch twice, also when it was closed in between', () => {
  const store = openStore()
  const { handle } = connect(store, 'client')
  store.close()
  store.open(hostOf())
  expect(connect(store, 'client').handle.epoch).not.toBe(handle.epoch)
})

test('has nothing left of ten thousand sessions that came and went', () => {
  const store = openStore()
  for (let index = 0; index < 10_000; index += 1) {
    const { handle } = connect(store, `client ${index}`)
    store.subscribe(handle, [subscription('a'), subscription(`own/${index}`), subscription('$share/g/a')])
    store.publish(message())
    store.closeSession(handle, { sessionExpiryInterval: 0, will: 'publish', sentThrough: 1 })
  }
  expect(Object.values(store.counts())).toEqual(Array(7).fill(0))
})

test('begins to queue for a session that turns out to outlive its connection', () => {
  const store = openStore()
  const { handle } = connect(store, 'client', { interval: 0 })
  store.subscribe(handle, [subscription('a'), subscription('$share/g/a')])
  store.closeSession(handle, { sessionExpiryInterval: 10, will: 'discard', sentThrough: 0 })
  store.publish(message())
  expect(store.read(connect(store, 'client').handle, 0, 10)).toHaveLength(1)
})

test('leaves a claimed message with its session when the group is gone', () => {
  const store = openStore()
  const { handle } = connect(store, 'member')
  store.subscribe(handle, [subscription('$share/g/a')])
  store.publish(message())
  expect(store.claim(handle, '$share/g/a', 1)).toHaveLength(1)
  store.unsubscribe(handle, ['$share/g/a'])
  store.closeSession(handle, { sessionExpiryInterval: 10, will: 'discard', sentThrough: 1 })
  expect(store.read(connect(store, 'member').handle, 0, 10)).toHaveLength(1)
})

test('at maximumSubscriptions and maximumSubscriptionBytes a filter that is new to its session is refused, and nothing of that call is kept', () => {
  for (const options of [{ maximumSubscriptions: 3 }, { maximumSubscriptionBytes: 1300 }]) {
    const store = openStore(options)
    const { handle } = connect(store, 'a')
    store.subscribe(handle, ['1', '2'].map(subscription))
    expect(() => store.subscribe(handle, ['3', '4'].map(subscription))).toThrow(
      expect.objectContaining({ code: 'QUOTA_EXCEEDED' }),
    )
    expect(store.counts().subscriptions).toBe(2)
    store.subscribe(handle, ['1', '2', '3', '3'].map(subscription))
    const other = connect(store, 'b')
    expect(() => store.subscribe(other.handle, [subscription('1')])).toThrow(PersistenceError)
    store.unsubscribe(handle, ['2'])
    store.subscribe(other.handle, [subscription('1')])
    store.closeSession(handle, { sessionExpiryInterval: 0, will: 'discard', sentThrough: 0 })
    store.subscribe(other.handle, ['2', '3'].map(subscription))
    expect(store.counts().subscriptions).toBe(3)
  }
})

test('the end of a session with many subscriptions is cut into slices, and counts and matches nothing at once', async () => {
  const turns: (() => void)[] = []
  const slices = new Slices({ now: () => time++, defer: resume => turns.push(resume) })
  let time = 0
  const store = openStore({ maximumSubscriptions: 5000 }, { slices })
  const filters = Array.from({ length: 4000 }, (_, index) => `f/${index}/+`)
  const left = connect(store, 'left')
  store.subscribe(left.handle, [...filters, '$share/g/s'].map(subscription))
  store.closeSession(left.handle, { sessionExpiryInterval: 0, will: 'discard', sentThrough: 0 })
  expect(slices.waiting).toBe(1)
  expect(store.counts()).toMatchObject({ sessions: 0, subscriptions: 0 })
  for (const topic of ['f/1/x', 'f/3999/x', 's']) expect(store.publish(message({ topic }))).toBe(0)
  // The same client again, while its earlier session is being taken out.
  const next = connect(store, 'left')
  expect(next.present).toBe(false)
  store.subscribe(next.handle, ['f/3998/+', 'f/1/+'].map(subscription))
  for (let resume = turns.shift(); resume !== undefined; resume = turns.shift()) resume()
  expect(slices.waiting).toBe(0)
  expect(store.publish(message({ topic: 'f/3998/x' }))).toBe(1)
  expect(store.publish(message({ topic: 'f/1/x' }))).toBe(1)
  expect(store.publish(message({ topic: 'f/2/x' }))).toBe(0)
  expect(store.counts()).toMatchObject({ sessions: 1, subscriptions: 2 })
  store.subscribe(next.handle, filters.slice(0, 4990).map(subscription))
})

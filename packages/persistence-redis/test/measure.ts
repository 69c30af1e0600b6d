/** What a session and a message cost in Redis, and how fast the store is: the figures of the README.
 *
 *   npm run measure-redis */
import type { Message, PersistenceHost, SessionHandle } from '@x/contract'
import { Slices, systemClock } from '@x/contract'
import { RedisConnection } from '@x/redis-connection'
import { spawnRedis } from '@x/redis-connection/testing'
import { RedisPersistence } from '../src/index.ts'

const redis = await spawnRedis()
const reader = new RedisConnection({ redis: redis.url })
await reader.open()
const host: PersistenceHost = {
  brokerId: 'measuring',
  clock: systemClock,
  slices: new Slices(),
  limits: { maximumQueuedMessages: 1_000_000, maximumQueuedBytes: 1e9, overflow: 'dropOldest' },
  groupReady: () => undefined,
  dropped: () => undefined,
}
const owner = { deliver: () => true, fenced: () => undefined }
let counter = 0

const used = async (): Promise<number> =>
  Number(/used_memory:(\d+)/.exec(String(await reader.command('', 'INFO', 'memory')))?.[1])

function message(topic: string, payloadBytes: number, qos: 1 | 2 = 1): Message {
  counter += 1
  return {
    topic,
    payload: Buffer.alloc(payloadBytes, 120),
    qos,
    retain: false,
    properties: undefined,
    expiresAt: undefined,
    publisher: 'publisher',
    brokerId: 'measuring',
    brokerCounter: counter,
  }
}

async function inRows<Item>(
  items: readonly Item[],
  width: number,
  run: (item: Item) => Promise<unknown>,
): Promise<number> {
  const start = process.hrtime.bigint()
  for (let index = 0; index < items.length; index += width)
    await Promise.all(items.slice(index, index + width).map(run))
  return Number(process.hrtime.bigint() - start) / 1e9
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const report = (what: string, value: number, unit: string): void =>
  void process.stdout.write(`${what.padEnd(70)} ${Math.round(value).toLocaleString('en').padStart(10)} ${unit}\n`)

async function open(store: RedisPersistence, clientId: string, interval = 3600): Promise<SessionHandle> {
  const request = { clientId, cleanStart: false, sessionExpiryInterval: interval, will: undefined, owner }
  return (await store.openSession(request)).handle
}

async function subscribe(store: RedisPersistence, session: SessionHandle, filter: string): Promise<void> {
  const subscription = { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
  await store.subscribe(session, [{ ...subscription, subscriptionIdentifier: undefined }])
}

const store = new RedisPersistence({ redis: redis.url })
await store.open(host)

const sessions = 100_000
let before = await used()
const closing = { sessionExpiryInterval: 3600, will: 'discard', sentThrough: 0 } as const
let seconds = await inRows(numbers(sessions), 1000, async index => {
  const handle = await open(store, `client-${index}`)
  await subscribe(store, handle, `devices/${index}/in`)
  await store.closeSession(handle, closing)
})
report('a closed session with one subscription', ((await used()) - before) / sessions, 'bytes')
report('sessions opened, subscribed and closed', sessions / seconds, 'a second')

before = await used()
await inRows(numbers(20_000), 500, async index => {
  const handle = await open(store, `client-${index}`)
  await subscribe(store, handle, `devices/${index}/out`)
  await store.closeSession(handle, closing)
})
report('a further subscription', ((await used()) - before) / 20_000, 'bytes')

const other = new RedisPersistence({ redis: redis.url })
let start = performance.now()
await other.open({ ...host, brokerId: 'other' })
report('a broker starts with 100 000 sessions', performance.now() - start, 'ms')
await other.close()

for (const size of [16, 64, 1024]) {
  before = await used()
  await inRows(numbers(20_000), 500, async () => store.publish(message('devices/1/in', size)))
  report(`a queued message of ${size} bytes`, ((await used()) - before) / 20_000, 'bytes')
}

let handle = await open(store, 'live')
await subscribe(store, handle, 'live/+')
seconds = await inRows(numbers(200_000), 1000, async () => {
  await store.publish(message('live/1', 64))
})
report('published to one open session, 1000 in flight', 200_000 / seconds, 'a second')
start = performance.now()
await inRows(numbers(200_000), 1000, async index => store.acknowledge(handle, index + 1))
report('acknowledged', 200_000 / ((performance.now() - start) / 1000), 'a second')
seconds = await inRows(numbers(50_000), 1000, async index => store.publish(message(`nobody/${index}`, 64)))
report('published to nobody by ever new topics, 1000 in flight', 50_000 / seconds, 'a second')

const times: number[] = []
for (const _ of numbers(1000)) {
  start = performance.now()
  handle = await open(store, 'live')
  times.push(performance.now() - start)
}
times.sort((one, more) => one - more)
report('take-over, 99th percentile of 1000', (times[990] ?? 0) * 1000, 'µs')

before = await used()
await inRows(numbers(50_000), 1000, async index => store.publish({ ...message(`kept/${index}`, 64), retain: true }))
report('a retained message of 64 bytes', ((await used()) - before) / 50_000, 'bytes')
start = performance.now()
await store.retained('kept/+')
report('50 000 retained messages looked up by a wildcard', performance.now() - start, 'ms')

await store.close()
reader.close()
await redis.stop()

import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { FunctionLibrary, RedisConnection, RedisError } from '../src/index.ts'
import type { RedisConnectionOptions } from '../src/index.ts'
import { hasRedisServer, spawnCluster, spawnRedis } from '../src/testing/index.ts'
import type { SpawnedRedis } from '../src/testing/index.ts'

const library = new FunctionLibrary(
  'test',
  `F.add = function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end
F.get = function(keys) return redis.call('GET', keys[1]) end
F.note = function(keys) return redis.call('SET', keys[1], 1).ok end
F.refuse = function() return redis.error_reply('NEVER in this life') end
F.fail = function() return redis.error_reply('WRONG way') end`,
  { add: [], get: ['no-writes'], note: ['unreplicated'], refuse: ['no-writes'], fail: ['no-writes'] },
  ['NEVER'],
)

async function refusal(opening: Promise<unknown>): Promise<RedisError> {
  const error: unknown = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(RedisError)
  return error as RedisError
}

const opening = async (options: RedisConnectionOptions): Promise<RedisError> =>
  refusal(new RedisConnection(options).open())

describe('addresses', () => {
  test.each([
    'http://x',
    'redis://',
    'redis://h:0',
    'redis://h:99999',
    'redis://a,b',
    'redis://h/x',
    'redis-sentinel://h',
    'redis://%zz@h',
    'localhost:6379',
  ])('refuses %s as REDIS_URL_INVALID, naming it', url => {
    expect(() => new RedisConnection({ redis: url })).toThrow(expect.objectContaining({ code: 'REDIS_URL_INVALID' }))
  })

  test('keeps passwords out of what it says', () => {
    expect(() => new RedisConnection({ redis: 'redis://me:secret@h:0' })).toThrow(/^(?!.*secret)/)
  })
})

describe.skipIf(!hasRedisServer())('on a real Redis (apt-get install redis-server)', () => {
  let server: SpawnedRedis
  beforeAll(async () => {
    server = await spawnRedis()
  })
  afterAll(async () => server.stop())

  for (const scripting of ['functions', 'scripts'] as const) {
    test(`calls ${scripting}, in order, and loads them again when Redis has lost them`, async () => {
      const connection = new RedisConnection({ redis: server.url, scripting })
      await connection.open()
      await connection.load(library)
      const key = `{${scripting}}`
      const sums = await Promise.all([1, 2, 3].map(async step => connection.call(library, 'add', key, step)))
      expect(sums).toEqual([1, 3, 6])
      const other = new Redis(server.url)
      await other.call('FUNCTION', 'FLUSH')
      await other.call('SCRIPT', 'FLUSH')
      const again = await Promise.all([4, 5].map(async step => connection.call(library, 'add', key, step)))
      expect(again).toEqual([10, 15])
      other.disconnect()
      connection.close()
    })
  }

  test('deletes releases of a library that no connection uses any more, and no others', async () => {
    const release = (text: string): FunctionLibrary =>
      new FunctionLibrary('released', `F.release = function() return '${text}' end`, { release: [] })
    const other = new Redis(server.url)
    const names = async (): Promise<string[]> => {
      const found = (await other.call('FUNCTION', 'LIST', 'LIBRARYNAME', 'released_*')) as string[][]
      return found.map(([, name]) => String(name)).toSorted()
    }
    const opened = async (used: FunctionLibrary): Promise<RedisConnection> => {
      const connection = new RedisConnection({ redis: server.url })
      await connection.open()
      await connection.load(used)
      return connection
    }
    const [one, two, three] = [release('one'), release('two'), release('three')]
    const first = await opened(one)
    const second = await opened(two)
    expect(await names()).toEqual([one.name, two.name].toSorted())
    expect([await first.call(one, 'release', '{a}'), await second.call(two, 'release', '{a}')].map(String)).toEqual([
      'one',
      'two',
    ])
    first.close()
    await expect.poll(async () => other.client('LIST')).not.toContain(one.name)
    const third = await opened(three)
    expect(await names()).toEqual([two.name, three.name].toSorted())
    // One whose release was deleted by mistake loads it again.
    await other.call('FUNCTION', 'DELETE', two.name)
    expect(String(await second.call(two, 'release', '{a}'))).toBe('two')
    for (const connection of [second, third]) connection.close()
    other.disconnect()
  })

  test('sends the calls of one turn in one write', async () => {
    const connection = new RedisConnection({ redis: server.url })
    await connection.open()
    await connection.load(library)
    const other = new Redis(server.url)
    const reads = async (): Promise<number> =>
      Number(/total_reads_processed:(\d+)/.exec(await other.info('stats'))?.[1])
    const before = await reads()
    await Promise.all(Array.from({ length: 100 }, async () => connection.call(library, 'add', '{turn}', 1)))
    expect((await reads()) - before).toBeLessThanOrEqual(3)
    other.disconnect()
    connection.close()
  })

  test('a task that throws at the end of a turn keeps back neither the others nor the calls, and is told', async () => {
    const onError = vi.fn<(error: RedisError) => void>(() => {
      throw new Error('told in vain')
    })
    const connection = new RedisConnection({ redis: server.url, onError })
    await connection.open()
    await connection.load(library)
    const done: string[] = []
    for (let turn = 1; turn <= 2; turn += 1) {
      connection.atTurnEnd(() => {
        throw new Error('broken')
      })
      connection.atTurnEnd(() => done.push('task'))
      await connection.call(library, 'get', '{task}')
      expect(done).toHaveLength(turn)
      expect(onError).toHaveBeenCalledTimes(turn)
    }
    expect(onError).toHaveBeenCalledWith(
      expect.objectContaining({ message: expect.stringContaining('broken') as string }),
    )
    connection.close()
  })

  test('uses a client of the program and leaves it open', async () => {
    const client = new Redis(server.url)
    const connection = new RedisConnection({ redis: client })
    await connection.open()
    await connection.load(library)
    expect(await connection.call(library, 'add', '{given}', 2)).toBe(2)
    connection.close()
    expect(await client.get('{given}')).toBe('2')
    client.disconnect()
  })

  test('hears channels', async () => {
    const connection = new RedisConnection({ redis: server.url })
    await connection.open()
    const heard: string[] = []
    await connection.subscribe(['one'], {
      message: (channel, payload) => void heard.push(`${channel}: ${payload.toString()}`),
      resumed: () => undefined,
    })
    await connection.command('one', 'PUBLISH', 'one', 'text')
    await expect.poll(() => heard).toEqual(['one: text'])
    connection.close()
  })

  test('refuses a port where nobody listens as REDIS_UNREACHABLE', async () => {
    const gone = await spawnRedis()
    await gone.stop()
    expect((await opening({ redis: gone.url })).code).toBe('REDIS_UNREACHABLE')
  })

  test('refuses an eviction policy, naming it', async () => {
    const evicting = await spawnRedis(['--maxmemory-policy', 'allkeys-lru'])
    const error = await opening({ redis: evicting.url })
    expect(error.code).toBe('REDIS_EVICTION_POLICY')
    expect(error.message).toContain('allkeys-lru')
    await evicting.stop()
  })

  test('refuses a wrong password, none, and takes the right one', async () => {
    const locked = await spawnRedis(['--requirepass', 'right'])
    expect((await opening({ redis: locked.url.replace('//', '//:wrong@') })).code).toBe('REDIS_AUTH_FAILED')
    expect((await opening({ redis: locked.url })).code).toBe('REDIS_AUTH_FAILED')
    const connection = new RedisConnection({ redis: locked.url.replace('//', '//:right@') })
    await connection.open()
    connection.close()
    await locked.stop()
  })

  test('refuses a replica as REDIS_READ_ONLY', async () => {
    const replica = await spawnRedis(['--replicaof', '127.0.0.1', String(server.port)])
    expect((await opening({ redis: replica.url })).code).toBe('REDIS_READ_ONLY')
    await replica.stop()
  })

  test('fails calls of a Redis that stops answering, says so once, and recovers', async () => {
    const frozen = await spawnRedis()
    const errors: string[] = []
    const connection = new RedisConnection({
      redis: frozen.url,
      commandTimeout: 1500,
      connectTimeout: 1500,
      onError: error => void errors.push(error.code),
    })
    await connection.open()
    await connection.load(library)
    frozen.process.kill('SIGSTOP')
    const calls = [1, 2].map(async () => refusal(connection.call(library, 'add', '{x}', 1)))
    expect((await Promise.all(calls)).map(({ code }) => code)).toEqual(['REDIS_TIMEOUT', 'REDIS_TIMEOUT'])
    expect((await refusal(connection.call(library, 'add', '{x}', 1))).code).toBe('REDIS_UNREACHABLE')
    frozen.process.kill('SIGCONT')
    await expect.poll(async () => connection.call(library, 'get', '{y}').catch(() => 'failed')).toBe(null)
    expect(errors).toEqual(['REDIS_TIMEOUT'])
    connection.close()
    await frozen.stop()
  })

  test('takes no clock that is set for a Redis that stops answering', async () => {
    const slow = await spawnRedis()
    const connection = new RedisConnection({ redis: slow.url, commandTimeout: 4000 })
    await connection.open()
    await connection.load(library)
    slow.process.kill('SIGSTOP')
    const sum = connection.call(library, 'add', '{x}', 1)
    await new Promise(resolve => void setTimeout(resolve, 100))
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    // Longer than until the next look.
    await new Promise(resolve => void setTimeout(resolve, 1200))
    slow.process.kill('SIGCONT')
    vi.useRealTimers()
    expect(await sum).toBe(1)
    connection.close()
    await slow.stop()
  })

  test('takes an event loop that stood still for no Redis that stops answering', async () => {
    const connection = new RedisConnection({ redis: server.url, commandTimeout: 1500 })
    await connection.open()
    await connection.load(library)
    const sum = connection.call(library, 'add', '{still}', 1)
    await new Promise(setImmediate)
    const end = performance.now() + 2000
    while (performance.now() < end);
    expect(await sum).toBe(1)
    connection.close()
  })

  test('tells of what calls of a function fail with once until one succeeds, and of no refusal', async () => {
    const errors: string[] = []
    const connection = new RedisConnection({ redis: server.url, onError: error => void errors.push(error.message) })
    await connection.open()
    await connection.load(library)
    const refused = await refusal(connection.call(library, 'refuse', '{x}'))
    expect(refused).toMatchObject({ code: 'REDIS_REFUSED', message: 'NEVER in this life' })
    for (const _ of [1, 2, 3]) {
      await refusal(connection.call(library, 'fail', '{x}'))
      await connection.call(library, 'get', '{x}')
    }
    expect(errors).toEqual(['Redis: WRONG way'])
    await connection.command('{word}', 'RPUSH', '{word}', 'text')
    const add = async (): Promise<RedisError> => refusal(connection.call(library, 'add', '{word}', 1))
    expect([await add(), await add()].map(({ code }) => code)).toEqual(['REDIS_KEY_TYPE', 'REDIS_KEY_TYPE'])
    await connection.call(library, 'add', '{number}', 1)
    await add()
    expect(errors).toHaveLength(3)
    connection.close()
  })

  test('asks for replicas and does not answer without them', async () => {
    const connection = new RedisConnection({ redis: server.url, replicas: 1, commandTimeout: 1500 })
    await connection.open()
    await connection.load(library)
    expect((await refusal(connection.call(library, 'add', '{x}', 1))).code).toBe('REDIS_NOT_REPLICATED')
    const replica = await spawnRedis(['--replicaof', '127.0.0.1', String(server.port)])
    await expect.poll(async () => connection.call(library, 'add', '{r}', 1).catch(() => 0)).toBeTruthy()
    connection.close()
    await replica.stop()
  })

  test('goes on without replicas with calls that need none, and holds no call up for the others', async () => {
    const connection = new RedisConnection({ redis: server.url, replicas: 1, commandTimeout: 15000 })
    await connection.open()
    await connection.load(library)
    const codes: Promise<string>[] = []
    for (let turn = 0; turn < 50; turn += 1) {
      codes.push(refusal(connection.call(library, 'add', '{turns}', 1)).then(({ code }) => code))
      await new Promise(setImmediate)
    }
    expect(await connection.call(library, 'get', '{nothing}')).toBe(null)
    expect(String(await connection.call(library, 'note', '{note}'))).toBe('OK')
    expect(new Set(await Promise.all(codes))).toEqual(new Set(['REDIS_NOT_REPLICATED']))
    expect(await connection.call(library, 'get', '{turns}')).toEqual(Buffer.from('50'))
    connection.close()
  })

  test('reaches every node of a cluster', async () => {
    const cluster = await spawnCluster(3)
    const connection = new RedisConnection({ redis: cluster.url })
    await connection.open()
    await connection.load(library)
    const sums = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => connection.call(library, 'add', `{${index % 20}}`, 1)),
    )
    expect(sums.slice(20)).toEqual(Array.from({ length: 20 }, () => 2))
    connection.close()
    await cluster.stop()
  })
})

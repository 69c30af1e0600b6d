import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { Authority } from '../../broker/test/certificates.ts'
import { FunctionLibrary, RedisConnection } from '../src/index.ts'
import type { RedisConnectionOptions, RedisError } from '../src/index.ts'
import { hasRedisServer, spawnCluster, spawnRedis } from '../src/testing/index.ts'
import type { RedisParameters, SpawnedRedis } from '../src/testing/index.ts'

const library = new FunctionLibrary(
  'kinds',
  `F.add = function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end
F.large = function(keys)
  redis.call('INCR', keys[1])
  return string.rep('x', 1000000)
end`,
  { add: [], large: [] },
)
const authority = new Authority()
const closing: (() => unknown)[] = []

afterAll(() => authority.remove())

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function server(parameters: RedisParameters): Promise<SpawnedRedis> {
  const spawned = await spawnRedis(parameters)
  closing.push(async () => spawned.stop())
  return spawned
}

async function opened(options: RedisConnectionOptions): Promise<RedisConnection> {
  const connection = new RedisConnection(options)
  closing.push(() => connection.close())
  await connection.open()
  await connection.load(library)
  return connection
}

async function refusal(doing: Promise<unknown>): Promise<RedisError> {
  return doing.then(
    () => expect.unreachable('was not refused'),
    (error: unknown) => error as RedisError,
  )
}

/** Answers INFO, as far as it is looked at; there is no such old Redis to install. */
async function serverOfVersion(version: string): Promise<string> {
  const info = `# Server\r\nredis_version:${version}\r\nloading:0\r\n`
  const sockets = new Set<Socket>()
  const old: Server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (commands: Buffer) => {
      const names = commands.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)
      for (const [, name = ''] of names)
        socket.write(name.toLowerCase() === 'info' ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n')
    })
  })
  old.listen(0, '127.0.0.1')
  await once(old, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    old.close()
  })
  return `redis://127.0.0.1:${(old.address() as AddressInfo).port}`
}

test.each(['5.0.14', '6.0.20'])('refuses version %s as REDIS_VERSION_UNSUPPORTED, naming both', async version => {
  const error = await refusal(new RedisConnection({ redis: await serverOfVersion(version) }).open())
  expect(error.code).toBe('REDIS_VERSION_UNSUPPORTED')
  expect(error.message).toContain(version)
  expect(error.message).toContain('6.2')
})

describe.skipIf(!hasRedisServer())('on a real Redis (apt-get install redis-server)', () => {
  test('works as an ACL user that may do what is needed, and says REDIS_NO_PERMISSION otherwise', async () => {
    const redis = await server([])
    const admin = new Redis(redis.url)
    closing.push(() => admin.disconnect())
    const user = async (name: string, ...rules: string[]): Promise<string> => {
      await admin.call('ACL', 'SETUSER', name, 'on', '>pass', ...rules)
      return redis.url.replace('//', `//${name}:pass@`)
    }
    const allowed = ['+@read', '+@write', '+@connection', '+@pubsub', '+@scripting', '+info', '+time', '+wait']
    const good = await opened({ redis: await user('good', '~{x}*', '&{x}*', ...allowed) })
    expect(await good.call(library, 'add', '{x}:sum', 2)).toBe(2)
    const reader = await opened({ redis: await user('reader', '~*', '&*', ...allowed, '-incrby') })
    const plain = await user('plain', '~*', '&*', '+@read', '+@connection', '+info')
    const refused = {
      'another key': async () => good.call(library, 'add', '{y}:sum', 2),
      'a command inside of a function': async () => reader.call(library, 'add', '{x}:sum', 2),
      'no functions': async () => opened({ redis: plain }),
    }
    for (const [what, doing] of Object.entries(refused))
      expect((await refusal(doing())).code, what).toBe('REDIS_NO_PERMISSION')
    expect(await admin.get('{y}:sum')).toBe(null)
    expect(await admin.get('{x}:sum')).toBe('2')
  })

  test('in a Redis Cluster what is said goes by the node of its key, so that it comes in the order it was said', async () => {
    const cluster = await spawnCluster(3)
    closing.push(async () => cluster.stop())
    const connection = await opened({ redis: cluster.url })
    const heard: string[] = []
    await connection.subscribe(['{x}:c'], {
      message: (_, payload) => void heard.push(payload.toString()),
      resumed: () => undefined,
    })
    const said = Array.from({ length: 60 }, (_, index) => `${index}`)
    for (const text of said) {
      // Each in a turn of its own.
      void connection.command('{x}:c', 'PUBLISH', '{x}:c', text)
      await new Promise(setImmediate)
    }
    await expect.poll(() => heard.length).toBe(said.length)
    expect(heard).toEqual(said)
    const admin = new Redis(cluster.primaryOf('{x}:c').url)
    closing.push(() => admin.disconnect())
    expect(await admin.info('commandstats')).toContain(`cmdstat_publish:calls=${said.length},`)
  })

  test.each([
    ['one Redis', async () => spawnRedis().then(redis => ({ redis, primaryOf: () => redis }))],
    ['a Redis Cluster', async () => spawnCluster(3).then(redis => ({ redis, primaryOf: redis.primaryOf }))],
  ] as const)('does not send a call again whose answer got lost, on %s', async (_, spawn) => {
    const { redis, primaryOf } = await spawn()
    closing.push(async () => redis.stop())
    const connection = await opened({ redis: redis.url })
    const key = '{x}:calls'
    // So that the connection ends with the function carried out and its answer on the way.
    const admin = new Redis(primaryOf(key).url)
    closing.push(() => admin.disconnect())
    await admin.config('SET', 'client-output-buffer-limit', 'normal 1000 0 0')
    expect((await refusal(connection.call(library, 'large', key))).code).toBe('REDIS_UNREACHABLE')
    await admin.config('SET', 'client-output-buffer-limit', 'normal 0 0 0')
    const sum = async (): Promise<unknown> => connection.call(library, 'add', key, 0).catch(String)
    await expect.poll(sum).toBe(1)
  })

  test.skipIf(!authority.works)(
    'speaks TLS (apt-get install openssl), and says REDIS_TLS_FAILED when the certificate is not trusted',
    async () => {
      const { certFile, keyFile } = authority.sign('localhost')
      const redis = await server(port => [
        '--port',
        '0',
        '--tls-port',
        `${port}`,
        '--tls-auth-clients',
        'no',
        '--tls-cert-file',
        certFile,
        '--tls-key-file',
        keyFile,
        '--tls-ca-cert-file',
        authority.caFile,
      ])
      const client = new Redis({ port: redis.port, host: '127.0.0.1', tls: { ca: authority.ca } })
      closing.push(() => client.disconnect())
      const connection = await opened({ redis: client })
      expect(await connection.call(library, 'add', '{x}', 3)).toBe(3)
      const heard: string[] = []
      await connection.subscribe(['c'], { message: channel => void heard.push(channel), resumed: () => undefined })
      await client.publish('c', 'x')
      await expect.poll(() => heard).toEqual(['c'])
      const plain = await server([])
      const codeAt = async (url: string): Promise<string> =>
        (await refusal(opened({ redis: url, connectTimeout: 2000 }))).code
      expect(await codeAt(redis.url.replace('redis:', 'rediss:'))).toBe('REDIS_TLS_FAILED')
      // One of them waits, and the other one hangs up.
      expect(await codeAt(plain.url.replace('redis:', 'rediss:'))).toBe('REDIS_UNREACHABLE')
      expect(await codeAt(redis.url)).toBe('REDIS_UNREACHABLE')
    },
  )
})

import { Redis } from 'ioredis'
import { hasRedisServer, spawnCluster, spawnRedis, spawnSentinel } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Authority } from '../../broker/test/certificates.ts'
import { opened, pair } from './brokers-on-redis.ts'
import type { Broker } from './network.ts'

const timeouts = { commandTimeout: 1000, connectTimeout: 1000 }

/** A server that ends with the test. */
async function ending<Server extends SpawnedRedis>(spawning: Promise<Server>): Promise<Server> {
  const server = await spawning
  onTestFinished(async () => server.stop())
  return server
}

/** Publishes until so many are acknowledged, and returns those. What is refused may have been taken. */
async function acknowledgedOf(one: Broker, count: number): Promise<string[]> {
  const acknowledged: string[] = []
  for (let number = 0; acknowledged.length < count; number += 1) {
    try {
      await one.publish(`${number}`)
      acknowledged.push(`${number}`)
    } catch (error) {
      expect(error).toMatchObject({ code: 'UNAVAILABLE' })
    }
  }
  return acknowledged
}

/** While the primary fails and its replica takes over: everything that is acknowledged afterwards arrives, once and in order, and
 * routes are known as before. */
async function survives([one, other]: readonly [Broker, Broker], fail: () => Promise<void>): Promise<void> {
  await one.publish('before')
  await expect.poll(() => other.texts).toEqual(['before'])
  await fail()
  // Until both are there again.
  const isThere = async (): Promise<boolean> => {
    try {
      await Promise.all([one.emitter.addRoute('back'), other.emitter.addRoute('back')])
      await one.publish('probe')
      return other.texts.includes('probe')
    } catch {
      return false
    }
  }
  await expect.poll(isThere, { interval: 100 }).toBe(true)
  const from = other.texts.length
  const acknowledged = await acknowledgedOf(one, 100)
  const arrived = (): string[] => other.texts.slice(from).filter(text => text !== 'probe')
  await expect.poll(arrived).toEqual(acknowledged)
  await other.emitter.addRoute('later')
  expect(one.emitter.reaches('later')).toBe(true)
  expect([...one.errors, ...other.errors].filter(code => !code.startsWith('REDIS_') && code !== 'LEASE_LOST')).toEqual(
    [],
  )
}

describe.skipIf(!hasRedisServer())('when a primary dies (apt-get install redis-server)', () => {
  test('goes on at the replica that Sentinel promotes', async () => {
    const primary = await ending(spawnRedis())
    const replica = await ending(spawnRedis(['--replicaof', '127.0.0.1', `${primary.port}`]))
    const admin = new Redis(replica.url)
    onTestFinished(() => admin.disconnect())
    await expect.poll(async () => admin.info('replication')).toContain('master_link_status:up')
    const sentinel = await ending(spawnSentinel(primary))
    const watcher = new Redis(sentinel.url)
    onTestFinished(() => watcher.disconnect())
    await expect.poll(async () => watcher.call('SENTINEL', 'replicas', 'primary')).toHaveLength(1)
    const redis = `${sentinel.url.replace('redis:', 'redis-sentinel:')}/primary`
    await survives(await pair({ redis, ...timeouts }), async () => primary.stop())
  })

  test.each([
    ['the routes', () => '{x1.rt}:'],
    ['an inbox', (instance: string) => `{x1.b:${instance}}:`],
  ] as const)('goes on at the replica that a Redis Cluster promotes for %s', async (_, keyOf) => {
    const cluster = await ending(spawnCluster(3, 1))
    const brokers = await pair({ redis: cluster.url, ...timeouts })
    const routes = new Redis(cluster.primaryOf('{x1.rt}:').url)
    const instances = Object.keys(await routes.hgetall('{x1.rt}:here'))
    routes.disconnect()
    const primary = cluster.primaryOf(keyOf(instances.find(name => name.startsWith('other~')) ?? ''))
    await survives(brokers, async () => {
      const client = new Redis(primary.url)
      await client.wait(1, 5000)
      client.disconnect()
      await primary.stop()
    })
  })
})

describe.skipIf(!hasRedisServer())('over TLS (apt-get install redis-server openssl)', () => {
  test('brokers reach each other', async () => {
    const authority = new Authority()
    onTestFinished(() => authority.remove())
    const { certFile, keyFile } = authority.sign('localhost')
    const redis = await ending(
      spawnRedis(port =>
        ['--port', '0', '--tls-port', `${port}`, '--tls-auth-clients', 'no', '--tls-cert-file', certFile].concat([
          '--tls-key-file',
          keyFile,
          '--tls-ca-cert-file',
          authority.caFile,
        ]),
      ),
    )
    const clientOf = (): Redis => {
      const client = new Redis({ port: redis.port, host: '127.0.0.1', tls: { ca: authority.ca } })
      onTestFinished(() => client.disconnect())
      return client
    }
    const one = await opened('one', { redis: clientOf() })
    const other = await opened('other', { redis: clientOf() })
    await other.emitter.addRoute('a')
    for (const qos of [0, 1, 2] as const) await one.publish(`${qos}`, qos)
    await expect.poll(() => other.texts).toEqual(['0', '1', '2'])
    const untrusting = opened('third', { redis: redis.url.replace('redis:', 'rediss:'), connectTimeout: 2000 })
    await expect(untrusting).rejects.toMatchObject({ code: 'REDIS_TLS_FAILED' })
  })
})

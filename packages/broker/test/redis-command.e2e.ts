import { hasRedisServer, spawnCluster } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connected, dies, persistent, redisServer, serve } from './brokers-on-redis.ts'
import { StartedProcess, commandFile } from './started-command.ts'

async function run(...words: string[]): Promise<{ code: number | null; text: string; stderr: string }> {
  const command = new StartedProcess(process.execPath, [commandFile, 'redis', ...words])
  const { code } = await command.exited
  return { code, text: command.lines.join('\n'), stderr: command.stderr }
}

describe.skipIf(!hasRedisServer())('x-broker redis (apt-get install redis-server)', () => {
  test('inspect shows brokers, sessions and queues, a session in words, and what nothing explains', async () => {
    const redis = await redisServer()
    const { broker, url } = await serve(redis.url, { id: 'here' })
    const away = await connected(url, { ...persistent, clientId: 'away' })
    await away.subscribeAsync('a/+', { qos: 1 })
    await dies(away)
    await expect.poll(() => broker.connectedClients).toBe(0)
    const open = await connected(url, { ...persistent, clientId: 'open' })
    await open.publishAsync('a/1', 'xyz', { qos: 1 })
    await open.publishAsync('kept', 'x', { qos: 1, retain: true })

    const all = await run('inspect', redis.url)
    expect(all.text).toMatch(/^broker +here~\w+, there until 2/m)
    expect(all.text).toMatch(/^sessions +2 that outlive their connections; 1 open$/m)
    expect(all.text).toMatch(/^queued +1 messages$/m)
    expect(all.text).toMatch(/^retained +1 messages$/m)
    expect(all.text).toMatch(/^unexplained +nothing$/m)
    expect(all.code).toBe(0)

    const session = await run('inspect', redis.url, 'away')
    expect(session.text).toMatch(/^"away": closed; 1000 s, ends 2/)
    expect(session.text).toMatch(/^subscription +"a\/\+" QoS 1$/m)
    expect(session.text).toMatch(/^queued 1 +"a\/1" QoS 1, 3 bytes, waits$/m)
    expect((await run('inspect', redis.url, 'open')).text).toMatch(/^"open": open at here~\w+, there until/)

    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    await admin.hset('{x1.p0}:i:nobody', 1, 1)
    await admin.zrem('{x1.p0}:t', '2away')
    const odd = await run('inspect', redis.url)
    expect(odd.text).toMatch(/^unexplained +nothing explains the key \{x1\.p0\}:i:nobody$/m)
    expect(odd.text).toMatch(/^unexplained +the session of "away" is closed, and no deadline ends it$/m)
    expect(odd.code).toBe(1)
  }, 120_000)

  test('inspect looks at the node of a Redis Cluster that has the store', async () => {
    const cluster = await spawnCluster(3)
    onTestFinished(async () => cluster.stop())
    const { url } = await serve(cluster.url)
    for (const clientId of ['one', 'two']) await connected(url, { ...persistent, clientId })
    // Each look could be at any of the three nodes.
    for (let look = 0; look < 3; look += 1) {
      const { text, code } = await run('inspect', cluster.url)
      expect(text).toMatch(/^sessions +2 that outlive their connections; 2 open$/m)
      expect(code).toBe(0)
    }
  }, 120_000)

  test('says in a sentence what it can’t look at, and how it is used', async () => {
    const redis = await redisServer()
    expect(await run('inspect', redis.url)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/there is nothing under \{x1\.p0\}/),
    })
    await serve(redis.url)
    expect(await run('inspect', redis.url, 'nobody')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no session of client "nobody"/),
    })
    expect(await run('inspect', redis.url, '--prefix', 'other')).toMatchObject({ code: 1 })
    expect(await run('inspect')).toMatchObject({ code: 2, stderr: expect.stringMatching(/takes URL/) })
    expect(await run('look', redis.url)).toMatchObject({ code: 2 })
    expect(await run('--help')).toMatchObject({ code: 0, text: expect.stringMatching(/x-broker redis inspect/) })
  }, 120_000)
})

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { freePort } from '../../../tools/testing/free-port.ts'

/** Why there is no Redis to test with; undefined: there is one. In CI there must be. */
export const redisMissing: string | undefined =
  spawnSync('redis-server', ['--version']).error === undefined || process.env['CI'] === 'true'
    ? undefined
    : 'redis-server is missing: apt-get install redis-server'

export interface RedisServer {
  readonly port: number
  /** Forgets everything. */
  flush(): Promise<void>
  stop(): Promise<void>
}

/** A Redis of its own that keeps nothing on disk. */
export async function startRedis(): Promise<RedisServer> {
  const port = await freePort()
  const child = spawn(
    'redis-server',
    ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    {
      stdio: 'ignore',
    },
  )
  const ended = once(child, 'exit')
  const redis = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 20, maxRetriesPerRequest: null })
  redis.on('error', () => undefined)
  await redis.ping()
  return {
    port,
    flush: async () => void (await redis.flushall()),
    stop: async () => {
      redis.disconnect()
      child.kill('SIGKILL')
      await ended
    },
  }
}

import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { spawnRedis } from './spawn-redis.ts'
import type { RedisParameters, SpawnedRedis } from './spawn-redis.ts'

/** A redis-server that can come back older than it was. */
export interface RedisWithPast extends SpawnedRedis {
  /** Writes the snapshot that {@link goBack} goes back to. */
  remember(): Promise<void>
  /** Kills the server, and starts it again, at the same port, with what it remembers. */
  goBack(): Promise<void>
}

/** Starts a redis-server that can come back older than it was. */
export async function spawnRedisWithPast(parameters: readonly string[] = []): Promise<RedisWithPast> {
  const past = await mkdtemp(join(tmpdir(), 'redis-past-'))
  let redis = await spawnRedis(parameters)
  const { url, port } = redis
  const again: RedisParameters = [...parameters, '--dir', past]
  return {
    url,
    port,
    get process() {
      return redis.process
    },
    async remember() {
      const client = new Redis(url)
      await client.save()
      const [, directory = ''] = await client.config('GET', 'dir')
      client.disconnect()
      if (directory !== past) await copyFile(join(directory, 'dump.rdb'), join(past, 'dump.rdb'))
    },
    async goBack() {
      await redis.stop()
      redis = await spawnRedis(again, port)
    },
    async stop() {
      await redis.stop()
      await rm(past, { recursive: true, force: true })
    },
  }
}

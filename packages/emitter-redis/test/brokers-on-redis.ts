import { spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { onTestFinished } from 'vitest'
import type { RedisEmitterOptions } from '../src/index.ts'
import { Broker } from './network.ts'

/** A Redis of the test's own. */
export async function redisServer(...parameters: string[]): Promise<SpawnedRedis> {
  const server = await spawnRedis(parameters)
  onTestFinished(async () => server.stop())
  return server
}

export async function opened(id: string, options: RedisEmitterOptions): Promise<Broker> {
  const broker = new Broker(id, options)
  await broker.emitter.open(broker)
  onTestFinished(async () => broker.emitter.close())
  return broker
}

/** One that publishes, one that has a route of `a`. */
export async function pair(options: RedisEmitterOptions): Promise<readonly [one: Broker, other: Broker]> {
  const [one, other] = [await opened('one', options), await opened('other', options)]
  await other.emitter.addRoute('a')
  return [one, other]
}

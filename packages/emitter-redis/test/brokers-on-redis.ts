import { spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { afterEach } from 'vitest'
import type { RedisEmitterOptions } from '../src/index.ts'
import { Broker } from './network.ts'

/** What a test has to close, in the order it was opened. */
export const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** A Redis of the test's own. */
export async function redisServer(...parameters: string[]): Promise<SpawnedRedis> {
  const server = await spawnRedis(parameters)
  closing.push(async () => server.stop())
  return server
}

export async function opened(id: string, options: RedisEmitterOptions): Promise<Broker> {
  const broker = new Broker(id, options)
  await broker.emitter.open(broker)
  closing.push(async () => broker.emitter.close())
  return broker
}

/** One that publishes, one that has a route of `a`. */
export async function pair(options: RedisEmitterOptions): Promise<readonly [one: Broker, other: Broker]> {
  const [one, other] = [await opened('one', options), await opened('other', options)]
  await other.emitter.addRoute('a')
  return [one, other]
}

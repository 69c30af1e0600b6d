import { CompatError, fromAedesPersistence, fromMqemitter } from '@x/aedes-compat'
import { BrokerError, ReasonCode } from '@x/broker-core'
import { PersistenceError } from '@x/contract'
import type { Emitter, Persistence } from '@x/contract'
import { MemoryPersistence } from '@x/persistence-memory'
import { RedisPersistence } from '@x/persistence-redis'
import type { RedisPersistenceOptions } from '@x/persistence-redis'
import { RedisError } from '@x/redis-connection'

/** What may be given as store: one of our own, or one that was written for Aedes (aedes-persistence-*). */
export type PersistenceOption = Persistence | object
/** What may be given as emitter: one of our own, or one of the mqemitter family. */
export type EmitterOption = Emitter | object

/** Where sessions, retained messages and wills are kept for several brokers: a URL, or more than that. */
export type RedisOption = string | Omit<RedisPersistenceOptions, 'onError'>

export interface PartOptions {
  readonly persistence: PersistenceOption | undefined
  readonly mq: EmitterOption | undefined
  readonly redis: RedisOption | undefined
  /** Told when Redis is lost, or refuses. */
  readonly redisFailed: (error: RedisError) => void
}

/** Store and emitter as the engine takes them.
 * @throws BrokerError `OPTION_INVALID`, naming what an object lacks to be one, or what is wrong with the URL */
export function partsOf(options: PartOptions): { persistence: Persistence; emitter: Emitter | undefined } {
  const { persistence, mq, redis } = options
  if (redis !== undefined && persistence !== undefined) {
    throw new BrokerError('OPTION_INVALID', {
      message: 'options redis and persistence both name a store: give one of them',
      reasonCode: ReasonCode.implementationSpecificError,
    })
  }
  const isOurs = mq === undefined || has(mq, 'addRoute')
  return {
    persistence: redis === undefined ? storeOf(persistence, isOurs ? undefined : mq) : redisStoreOf(redis, options),
    emitter: isOurs ? (mq as Emitter | undefined) : usable('mq', () => fromMqemitter(mq)),
  }
}

function storeOf(persistence: PersistenceOption | undefined, mqemitter: object | undefined): Persistence {
  if (persistence === undefined) return new MemoryPersistence()
  if (has(persistence, 'openSession')) return persistence as Persistence
  return usable('persistence', () =>
    fromAedesPersistence(persistence, mqemitter === undefined ? {} : { mq: mqemitter }),
  )
}

function redisStoreOf(redis: RedisOption, { redisFailed }: PartOptions): Persistence {
  const options = typeof redis === 'string' ? { redis } : redis
  return usable('redis', () => new RedisPersistence({ ...options, onError: redisFailed }))
}

function has(part: object, method: string): boolean {
  return typeof part === 'object' && part !== null && typeof Reflect.get(part, method) === 'function'
}

function usable<Part>(option: string, make: () => Part): Part {
  try {
    return make()
  } catch (error) {
    const known = [CompatError, TypeError, RedisError, PersistenceError].some(kind => error instanceof kind)
    if (!known || !(error instanceof Error)) throw error
    throw new BrokerError('OPTION_INVALID', {
      message: `option ${option} is not usable: ${error.message}`,
      reasonCode: ReasonCode.implementationSpecificError,
      cause: error,
    })
  }
}

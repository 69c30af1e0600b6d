import { CompatError, fromAedesPersistence, fromMqemitter } from '@x/aedes-compat'
import { BrokerError, ReasonCode, assertOptions } from '@x/broker-core'
import { PersistenceError } from '@x/contract'
import type { Emitter, OptionTable, Persistence } from '@x/contract'
import { MeshEmitter, MeshError, meshEmitterOptions } from '@x/emitter-mesh'
import type { MeshEmitterOptions } from '@x/emitter-mesh'
import { EmitterError, RedisEmitter, redisEmitterOptions } from '@x/emitter-redis'
import type { RedisEmitterOptions } from '@x/emitter-redis'
import { LmdbPersistence } from '@x/persistence-lmdb'
import type { LmdbPersistenceOptions } from '@x/persistence-lmdb'
import { MemoryPersistence } from '@x/persistence-memory'
import { RedisPersistence, redisPersistenceOptions } from '@x/persistence-redis'
import type { RedisPersistenceOptions } from '@x/persistence-redis'
import { RedisError } from '@x/redis-connection'
import { RedisTroubles } from './redis-troubles.ts'

/** What may be given as store: one of our own, or one that was written for Aedes (aedes-persistence-*). */
export type PersistenceOption = Persistence | object
/** What may be given as emitter: one of our own, or one of the mqemitter family. */
export type EmitterOption = Emitter | object

/** One Redis for everything that is not given otherwise: a URL, or more than that. */
export type RedisOption = string | Omit<RedisPersistenceOptions & RedisEmitterOptions, 'onError'>

/** A directory that keeps everything: its path, or more than that. */
export type DataOption = string | LmdbPersistenceOptions

/** Brokers that are connected directly: a directory for their sockets, or more than that. */
export type MeshOption = string | Omit<MeshEmitterOptions, 'onError'>

/** Options of the store, the emitter and the plugins that `createBroker` makes by itself. */
export interface PartOptions {
  readonly persistence: PersistenceOption | undefined
  readonly mq: EmitterOption | undefined
  readonly data: DataOption | undefined
  readonly redis: RedisOption | undefined
  readonly mesh: MeshOption | undefined
  /** ms; undefined: the default. */
  readonly heartbeatInterval: number | undefined
  /** Told when Redis, or another broker, is lost or refuses. */
  readonly partFailed: (error: Error) => void
}

/** Store and emitter as the engine takes them.
 * @throws BrokerError `OPTION_INVALID`, naming what an object lacks to be one, or what is wrong with the URL */
export function partsOf(options: PartOptions): { persistence: Persistence; emitter: Emitter | undefined } {
  const { persistence, redis, data, mesh, heartbeatInterval } = options
  if (mesh !== undefined && options.mq !== undefined) throw idle('mesh', 'the emitter is given by emitter')
  if (data !== undefined && (persistence !== undefined || redis !== undefined)) {
    throw idle('data', `the store is given by ${redis === undefined ? 'persistence' : 'redis'}`)
  }
  const mq = mesh === undefined ? options.mq : meshOf(mesh, options.partFailed)
  if (redis !== undefined && persistence !== undefined && mq !== undefined) {
    throw idle('redis', 'persistence and emitter are given')
  }
  if (redis !== undefined) return partsOnRedis(redis, { ...options, mq })
  const mqemitter = mq !== undefined && isMqemitter(mq) ? mq : undefined
  if (data !== undefined) return { persistence: storeIn(data), emitter: emitterOf(mq) }
  return { persistence: storeOf(persistence, { mq: mqemitter, heartbeatInterval }), emitter: emitterOf(mq) }
}

function idle(option: string, why: string): BrokerError {
  return new BrokerError('OPTION_INVALID', {
    message: `option ${option} has nothing to do: ${why}`,
    reasonCode: ReasonCode.implementationSpecificError,
  })
}

function meshOf(mesh: MeshOption, onError: (error: Error) => void): Emitter {
  const options = typeof mesh === 'string' ? { directory: mesh } : mesh
  assertOptions(options, meshEmitterOptions, 'mesh')
  return usable('mesh', () => new MeshEmitter({ ...options, onError }))
}

function storeIn(data: DataOption): Persistence {
  return usable('data', () => new LmdbPersistence(typeof data === 'string' ? { directory: data } : data))
}

/** In Redis is what is not given. */
function partsOnRedis(
  redis: RedisOption,
  { persistence, mq, heartbeatInterval, partFailed }: PartOptions,
): { persistence: Persistence; emitter: Emitter | undefined } {
  const options = typeof redis === 'string' ? { redis } : redis
  assertOptions(options, { ...redisPersistenceOptions, ...redisEmitterOptions }, 'redis')
  const troubles = new RedisTroubles(partFailed)
  return usable('redis', () => ({
    persistence:
      persistence === undefined
        ? new RedisPersistence({
            ...only(options, redisPersistenceOptions),
            onError: error => troubles.report('store', error),
          })
        : storeOf(persistence, { mq: undefined, heartbeatInterval }),
    emitter:
      mq === undefined
        ? new RedisEmitter({
            ...only(options, redisEmitterOptions),
            onError: error => troubles.report('emitter', error),
          })
        : emitterOf(mq),
  }))
}

/** The options that this part knows; the other one has its own. */
function only<Options extends object>(options: Options, table: OptionTable): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(table, name))) as Options
}

function emitterOf(mq: EmitterOption | undefined): Emitter | undefined {
  if (mq === undefined || !isMqemitter(mq)) return mq as Emitter | undefined
  return usable('mq', () => fromMqemitter(mq))
}

/** Not an emitter of our own: one of Aedes's. */
export function isMqemitter(mq: EmitterOption): boolean {
  return !has(mq, 'addRoute')
}

function storeOf(
  persistence: PersistenceOption | undefined,
  { mq, heartbeatInterval }: { mq: object | undefined; heartbeatInterval: number | undefined },
): Persistence {
  if (persistence === undefined) return new MemoryPersistence()
  if (!isAedesPersistence(persistence)) return persistence as Persistence
  return usable('persistence', () =>
    fromAedesPersistence(persistence, {
      ...(mq !== undefined && { mq }),
      ...(heartbeatInterval !== undefined && { heartbeatInterval }),
    }),
  )
}

/** Not a store of our own. */
export function isAedesPersistence(persistence: PersistenceOption): boolean {
  return !has(persistence, 'openSession')
}

function has(part: object, method: string): boolean {
  return typeof part === 'object' && part !== null && typeof Reflect.get(part, method) === 'function'
}

function usable<Part>(option: string, make: () => Part): Part {
  try {
    return make()
  } catch (error) {
    const known = [CompatError, TypeError, RedisError, PersistenceError, EmitterError, MeshError].some(
      kind => error instanceof kind,
    )
    if (!known || !(error instanceof Error)) throw error
    throw new BrokerError('OPTION_INVALID', {
      message: `option ${option} is not usable: ${error.message}`,
      reasonCode: ReasonCode.implementationSpecificError,
      cause: error,
    })
  }
}

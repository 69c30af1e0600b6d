import { Cluster, Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import { RedisError } from './redis-error.ts'

/** A client of ioredis, of a single server or a cluster. */
export type RedisClient = Redis | Cluster

/** Where Redis is: a URL, or a client of ioredis that the program has made (and closes) itself.
 *
 * - `redis://user:password@host:6379/0`, with TLS `rediss://`
 * - `redis-sentinel://user:password@host:26379,host:26379/master-name` (`rediss-sentinel://`)
 * - `redis-cluster://user:password@host:7000,host:7001` (`rediss-cluster://`) */
export type RedisTarget = string | RedisClient

/** By its own word, not by class: the program may have another copy of ioredis. */
export function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster
}

/** How a client of ioredis connects. */
export interface ClientOptions {
  /** Milliseconds. */
  readonly connectTimeout: number
  /** Milliseconds to wait before the next attempt; null: give up. */
  retryDelay(attempt: number): number | null
}

/** Without what differs by the mode of replies: ours are always those of protocol 2. */
type CommonOptions = Pick<
  RedisOptions,
  | 'lazyConnect'
  | 'connectTimeout'
  | 'protocol'
  | 'autoResendUnfulfilledCommands'
  | 'maxRetriesPerRequest'
  | 'reconnectOnError'
  | 'username'
  | 'password'
  | 'tls'
>

interface Address {
  readonly host: string
  readonly port: number
}

/** @throws RedisError `REDIS_URL_INVALID` */
export function clientOf(target: RedisTarget, options: ClientOptions): RedisClient {
  if (typeof target !== 'string') {
    if (typeof target?.pipeline === 'function' && typeof target.duplicate === 'function') return target
    throw invalid('the Redis target is neither a URL nor a client of ioredis')
  }
  const match = /^(rediss?)(-sentinel|-cluster)?:\/\/(?:([^@/]*)@)?([^/?#@]+)(?:\/([^/?#]*))?$/.exec(target)
  if (match === null) throw invalid(`'${shown(target)}' is not a URL like redis://user:password@host:6379/0`)
  const [, scheme, kind, credentials, hosts = '', path = ''] = match
  const addresses = hosts.split(',').map(host => addressOf(host, kind === '-sentinel' ? 26_379 : 6379, target))
  const [first] = addresses
  if (first === undefined) throw invalid(`'${shown(target)}' names no host`)
  if (kind === undefined && addresses.length > 1) {
    throw invalid(`'${shown(target)}' names ${addresses.length} hosts; only redis-sentinel:// and redis-cluster:// may`)
  }
  const common = commonOptions(options, credentials, scheme === 'rediss', target)
  if (kind === '-cluster') return clusterOf(addresses, common, options)
  const own = { ...common, enableOfflineQueue: false, retryStrategy: (attempt: number) => options.retryDelay(attempt) }
  if (kind === '-sentinel') {
    if (path === '') throw invalid(`'${shown(target)}' lacks the name of the master after the hosts`)
    return new Redis({
      ...own,
      sentinels: [...addresses],
      name: path,
      sentinelRetryStrategy: own.retryStrategy ?? null,
    })
  }
  if (!/^\d{0,4}$/.test(path)) throw invalid(`database '${path}' of '${shown(target)}' is not a number`)
  return new Redis({ ...own, ...first, db: Number(path) })
}

function commonOptions(
  { connectTimeout }: ClientOptions,
  credentials: string | undefined,
  encrypted: boolean,
  target: string,
): CommonOptions {
  const colon = credentials?.indexOf(':') ?? -1
  const username = decoded(colon === -1 ? credentials : credentials?.slice(0, colon), target)
  const password = decoded(colon === -1 ? undefined : credentials?.slice(colon + 1), target)
  return {
    lazyConnect: true,
    connectTimeout,
    protocol: 2,
    // A call whose reply was lost fails; it is never sent again without the caller knowing.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // The address may lead to another server by now: after a failover the old primary is a replica.
    reconnectOnError: error => error.message.includes('READONLY'),
    ...(username !== undefined && username !== '' && { username }),
    ...(password !== undefined && { password }),
    ...(encrypted && { tls: {} }),
  }
}

function clusterOf(nodes: readonly Address[], redisOptions: CommonOptions, options: ClientOptions): Cluster {
  return new Cluster([...nodes], {
    redisOptions,
    lazyConnect: true,
    enableOfflineQueue: false,
    slotsRefreshTimeout: options.connectTimeout,
    // Milliseconds; so that a promoted replica is found, since calls don't look for it:
    slotsRefreshInterval: 1000,
    // Calls that were open when a connection was lost may have taken effect: they fail, as they do with a single server.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    clusterRetryStrategy: attempt => options.retryDelay(attempt),
  })
}

function addressOf(text: string, defaultPort: number, target: string): Address {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[2] ?? defaultPort)
  if (match?.[1] === undefined || port < 1 || port > 65_535) {
    throw invalid(`'${text}' of '${shown(target)}' is no host with a port from 1 to 65535`)
  }
  return { host: match[1].replace(/^\[|\]$/g, ''), port }
}

function decoded(text: string | undefined, target: string): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch (cause) {
    throw invalid(`user or password of '${shown(target)}' is not percent-encoded`, cause)
  }
}

/** A URL without its password. */
function shown(target: string): string {
  return target.replace(/:\/\/[^@]*@/, '://…@')
}

function invalid(message: string, cause?: unknown): RedisError {
  return new RedisError('REDIS_URL_INVALID', cause === undefined ? { message } : { message, cause })
}

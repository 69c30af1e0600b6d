import type { Redis } from 'ioredis'
import type { FunctionLibrary } from './function-library.ts'
import { LoadedLibraries } from './loaded-libraries.ts'
import { RedisError, redisErrorOf } from './redis-error.ts'
import { clientOf, isCluster } from './redis-target.ts'
import type { RedisClient, RedisTarget } from './redis-target.ts'
import { checkServer } from './server-checks.ts'
import type { ServerFacts } from './server-checks.ts'
import { TurnPipeline } from './turn-pipeline.ts'
import type { RedisArgument } from './turn-pipeline.ts'
import { tellProgram } from './tell-program.ts'
import { Troubles } from './troubles.ts'

/** Options of `RedisConnection`. */
export interface RedisConnectionOptions {
  readonly redis: RedisTarget
  /** Milliseconds until the first connection must stand, and each later attempt. Default 5000. */
  readonly connectTimeout?: number
  /** Milliseconds until a call without an answer fails with `REDIS_TIMEOUT` and the connection is replaced by a new one. Default 5000. */
  readonly commandTimeout?: number
  /** Replicas that must have confirmed a write before its call returns (`WAIT`). Default 0. */
  readonly replicas?: number
  /** `scripts` uses EVALSHA also where Redis has functions. Default: functions from Redis 7.0 on. */
  readonly scripting?: 'functions' | 'scripts' | undefined
  /** Told once when the connection is lost, or calls begin to fail for a reason of the server's. */
  readonly onError?: ((error: RedisError) => void) | undefined
}

/** Who hears the channels of a connection. */
export interface ChannelListener {
  message(channel: string, payload: Buffer): void
  /** The channels are heard again; what was said meanwhile is lost. */
  resumed(): void
}

/** Longest wait between two attempts to connect, in milliseconds. */
const greatestRetryDelay = 1000

/** One connection to Redis (single, Sentinel or Cluster) with its pipelining, function libraries and channels.
 *
 * After {@link open} it comes back by itself whenever Redis does; calls made meanwhile fail at once with
 * `REDIS_UNREACHABLE`. */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  readonly #owned: boolean
  readonly #client: RedisClient
  readonly #pipeline: TurnPipeline
  readonly #libraries = new LoadedLibraries(() => this.#masters())
  #subscriber: RedisClient | undefined
  #opened = false
  #closed = false
  #lastError: unknown
  readonly #troubles: Troubles

  /** @throws RedisError `REDIS_URL_INVALID` */
  constructor(options: RedisConnectionOptions) {
    this.#options = options
    this.#owned = typeof options.redis === 'string'
    this.#troubles = new Troubles(error => tellProgram(options.onError, error))
    const { connectTimeout = 5000, commandTimeout = 5000, replicas = 0 } = options
    this.#client = clientOf(options.redis, { connectTimeout, retryDelay: attempt => this.#retryDelay(attempt) })
    this.#pipeline = new TurnPipeline({
      client: this.#client,
      commandTimeout,
      replicas,
      stalled: () => this.#reconnect(),
      taskFailed: error => tellProgram(options.onError, redisErrorOf(error)),
    })
    this.#client.on('error', this.#onError)
    this.#client.on('ready', this.#onReady)
    this.#client.on('close', this.#onClose)
  }

  /** Whether answers wait until replicas have what was written. */
  get waitsForReplicas(): boolean {
    return (this.#options.replicas ?? 0) > 0
  }

  /** Connects, and checks that the server is one to rely on. Afterwards the connection restores itself.
   * @throws RedisError `REDIS_UNREACHABLE`, `REDIS_AUTH_FAILED`, `REDIS_VERSION_UNSUPPORTED`, `REDIS_EVICTION_POLICY`,
   * `REDIS_READ_ONLY`, `REDIS_NO_PERMISSION` */
  async open(): Promise<ServerFacts> {
    try {
      await this.#connect()
      const facts = await Promise.all(
        this.#masters().map(async node => checkServer(await node.info(), addressOf(node))),
      )
      const [first] = facts
      if (first === undefined) throw new RedisError('REDIS_UNREACHABLE', { message: 'the cluster has no primary' })
      const hasFunctions = facts.every(({ functions }) => functions)
      this.#libraries.form = hasFunctions && this.#options.scripting !== 'scripts' ? 'functions' : 'scripts'
      this.#opened = true
      return first
    } catch (error) {
      const cause = this.#lastError !== undefined && !(error instanceof RedisError) ? this.#lastError : error
      this.close()
      throw redisErrorOf(cause)
    }
  }

  /** Makes a library known to every primary; also after each restart of one. */
  async load(library: FunctionLibrary): Promise<void> {
    await this.#libraries.add(library)
  }

  /** Calls a function of a loaded library on the keys that begin with `key`, whose hash tag decides the node. Sent at the
   * end of this turn, with all other calls of it. Strings in the answer are buffers.
   * @throws RedisError with the code of what went wrong; nothing is known about whether it took effect, except for
   * `REDIS_REFUSED`, `REDIS_OUT_OF_MEMORY`, `REDIS_READ_ONLY`, `REDIS_NO_PERMISSION`: it did not */
  async call(library: FunctionLibrary, name: string, key: string, ...parameters: RedisArgument[]): Promise<unknown> {
    try {
      return this.#answered(name, await this.#send(library, name, key, parameters))
    } catch (error) {
      if (!isUnknownFunction(error)) throw this.#failed(library, name, error)
      // Redis was restarted without its data, or a failover came before the library had reached the replica.
      try {
        await this.#libraries.loadAgain()
        return this.#answered(name, await this.#send(library, name, key, parameters))
      } catch (again) {
        throw this.#failed(library, name, again)
      }
    }
  }

  /** Runs the task at the end of this turn, before its calls are sent: what the task calls goes with them. */
  atTurnEnd(task: () => void): void {
    this.#pipeline.atTurnEnd(task)
  }

  /** Sends what was called until now, instead of at the end of this turn. */
  sendNow(): void {
    this.#pipeline.sendNow()
  }

  /** Sends a plain command, which waits for no replica; `key` decides the node. */
  async command(key: string, ...command: readonly [string, ...RedisArgument[]]): Promise<unknown> {
    try {
      return this.#answered(command[0], await this.#pipeline.send(key, command, 'unreplicated'))
    } catch (error) {
      throw this.report(error, command[0])
    }
  }

  /** Hears the channels from the answer on. Once per connection. */
  async subscribe(channels: readonly string[], listener: ChannelListener): Promise<void> {
    const subscriber: RedisClient = isCluster(this.#client)
      ? this.#client
      : // By itself ioredis subscribes again too, and a connection that ends meanwhile leaves an unhandled rejection.
        this.#client.duplicate({ enableOfflineQueue: true, lazyConnect: true, autoResubscribe: false })
    this.#subscriber = subscriber
    if (subscriber !== this.#client) {
      subscriber.on('error', this.#onError)
      // Set before the channels are: the first time there is nothing to resume.
      await subscriber.connect()
    }
    await subscriber.subscribe(...channels)
    subscriber.on('messageBuffer', (channel: Buffer, payload: Buffer) => listener.message(channel.toString(), payload))
    subscriber.on('ready', () => {
      // One that is lost once more is ready once more.
      subscriber.subscribe(...channels).then(() => listener.resumed(), ignore)
    })
  }

  /** Makes the connection anew by which channels are heard, for one that has noticed that it brings nothing any more. That of a
   * cluster is left to ioredis. */
  listenAnew(): void {
    if (!isCluster(this.#client)) this.#subscriber?.disconnect(true)
  }

  /** Waits for what was called, as long as Redis answers. */
  async drain(): Promise<void> {
    await this.#pipeline.drain()
  }

  /** Idempotent. A client that was passed in stays open. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#pipeline.close()
    this.#client.off('error', this.#onError)
    this.#client.off('ready', this.#onReady)
    this.#client.off('close', this.#onClose)
    for (const client of [this.#subscriber, this.#client]) {
      if (client === undefined || (client === this.#client && !this.#owned)) continue
      client.removeAllListeners('messageBuffer')
      // What a dying connection still says is of no interest.
      client.on('error', () => undefined)
      client.disconnect()
    }
  }

  readonly #onError = (error: unknown): void => {
    this.#lastError = lastNodeErrorOf(error)
    if (this.#opened) this.report(error, '')
  }

  readonly #onReady = (): void => {
    this.#lastError = undefined
    this.#troubles.reset()
    // Before the first call: one that had to wait for its library would be overtaken by later ones.
    if (this.#opened) this.#libraries.load().catch(() => undefined)
  }

  readonly #onClose = (): void => {
    if (this.#opened && !this.#closed) this.report(this.#lastError ?? new Error('Connection is closed.'), '')
  }

  async #connect(): Promise<void> {
    if (this.#client.status === 'ready') return
    if (this.#client.status === 'wait') {
      await this.#client.connect()
      return
    }
    const { connectTimeout = 5000 } = this.#options
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(new RedisError('REDIS_UNREACHABLE', { message: `Redis was not ready within ${connectTimeout} ms` })),
        connectTimeout,
      )
      this.#client.once('ready', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #retryDelay(attempt: number): number | null {
    return this.#opened && !this.#closed ? Math.min(attempt * 50, greatestRetryDelay) : null
  }

  #reconnect(): void {
    if (!this.#owned || this.#closed) return
    for (const node of this.#masters()) node.disconnect(true)
    this.listenAnew()
  }

  #send(library: FunctionLibrary, name: string, key: string, parameters: readonly RedisArgument[]): Promise<unknown> {
    const call = [...this.#libraries.callOf(library, name, key), ...parameters] as const
    return this.#pipeline.send(key, call, library.mannerOf(name))
  }

  #masters(): Redis[] {
    return isCluster(this.#client) ? this.#client.nodes('master') : [this.#client]
  }

  /** Tells `onError` unless it knows of the same trouble; returns the error with its code.
   * @param name of what has failed, until {@link ended} with it */
  report(error: unknown, name: string): RedisError {
    return this.#closed || !this.#opened ? redisErrorOf(error) : this.#troubles.report(error, name)
  }

  /** What was reported under this name is over. */
  ended(name: string): void {
    this.#troubles.ended(name)
  }

  #answered(name: string, answer: unknown): unknown {
    this.#troubles.ended(name)
    return answer
  }

  #failed(library: FunctionLibrary, name: string, error: unknown): RedisError {
    const refusal = library.refusalOf(error)
    if (refusal === undefined) return this.report(error, name)
    this.#troubles.ended(name)
    return refusal
  }
}

function ignore(): void {}

function isUnknownFunction(error: unknown): boolean {
  return error instanceof Error && /^(ERR Function not found|NOSCRIPT)/.test(error.message)
}

function lastNodeErrorOf(error: unknown): unknown {
  return (typeof error === 'object' && error !== null && Reflect.get(error, 'lastNodeError')) || error
}

function addressOf({ options }: Redis): string {
  return options.path ?? `${options.host}:${options.port}`
}

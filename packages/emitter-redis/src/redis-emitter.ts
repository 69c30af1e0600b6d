import { randomBytes } from 'node:crypto'
import { optionProblem, optionRules } from '@x/contract'
import type { Emitter, EmitterHost, MaybePromise, Message, OptionRule, OptionTable } from '@x/contract'
import { RedisConnection, tellProgram } from '@x/redis-connection'
import type { RedisConnectionOptions, RedisError, RedisTarget } from '@x/redis-connection'
import { createCounters } from './emitter-counters.ts'
import type { EmitterCounters } from './emitter-counters.ts'
import { EmitterError } from './emitter-error.ts'
import { OpenEmitter } from './open-emitter.ts'

/** Options of `RedisEmitter`. */
export interface RedisEmitterOptions extends Pick<
  RedisConnectionOptions,
  'connectTimeout' | 'commandTimeout' | 'scripting'
> {
  /** A URL (`redis://`, `redis-sentinel://`, `redis-cluster://`, `rediss…://`) or a client of ioredis. */
  readonly redis: RedisTarget
  /** First part of every key: brokers with the same prefix reach each other. Letters, digits, `_`, `-`. Default `x`. */
  readonly prefix?: string
  /** Milliseconds that `addRoute` waits for the other brokers to have applied the route. Default 1000; 0: not at all. */
  readonly routeTimeout?: number
  /** Bytes of QoS 1 and 2 messages that may lie in one broker's inbox. At the limit publishers wait, and are refused after
   * `commandTimeout`. Default 64 MiB. */
  readonly maximumInboxBytes?: number
  /** Bytes of QoS 0 messages that may be on their way to one broker without an answer of Redis. At the limit they are dropped.
   * Default 16 MiB. */
  readonly maximumOutgoingBytes?: number
  /** Bytes of messages of other brokers that may wait here for delivery. At the limit those of QoS 1 and 2 stay in the inbox,
   * those of QoS 0 are dropped. Default 16 MiB. */
  readonly maximumIncomingBytes?: number
  /** Told once of each trouble. */
  readonly onError?: ((error: RedisError | EmitterError) => void) | undefined
}

const mebibyte = 1024 * 1024
const limits = {
  routeTimeout: [1000, 0],
  maximumInboxBytes: [64 * mebibyte, mebibyte],
  maximumOutgoingBytes: [16 * mebibyte, 1],
  maximumIncomingBytes: [16 * mebibyte, 1],
} as const satisfies Partial<Record<keyof RedisEmitterOptions, readonly [byDefault: number, least: number]>>

const milliseconds = optionRules.whole(1, 3_600_000)

/** The options, and what each may be. */
export const redisEmitterOptions: OptionTable<keyof RedisEmitterOptions> = {
  // Checked where it is connected to.
  redis: optionRules.any,
  connectTimeout: milliseconds,
  commandTimeout: milliseconds,
  scripting: optionRules.oneOf('functions', 'scripts'),
  onError: optionRules.function,
  prefix: {
    text: '1 to 64 letters, digits, _ or -',
    allows: (value: unknown) => typeof value === 'string' && /^[\w-]{1,64}$/.test(value),
  },
  routeTimeout: atLeast('routeTimeout'),
  maximumInboxBytes: atLeast('maximumInboxBytes'),
  maximumOutgoingBytes: atLeast('maximumOutgoingBytes'),
  maximumIncomingBytes: atLeast('maximumIncomingBytes'),
}

function atLeast(name: keyof typeof limits): OptionRule {
  const [, least] = limits[name]
  return optionRules.whole(least, Number.MAX_SAFE_INTEGER)
}

/** Carries messages between the brokers that use one Redis. What nobody subscribes to elsewhere is not sent at all. */
export class RedisEmitter implements Emitter {
  readonly #options: RedisEmitterOptions
  readonly #prefix: string
  readonly #counters = createCounters()
  #state: 'closed' | 'opening' | OpenEmitter = 'closed'

  /** @throws EmitterError `OPTION_INVALID`; RedisError `REDIS_URL_INVALID` */
  constructor(options: RedisEmitterOptions) {
    const problem = optionProblem(options, redisEmitterOptions, 'RedisEmitter')
    if (problem !== undefined) throw new EmitterError('OPTION_INVALID', { message: problem })
    const { prefix = 'x' } = options
    this.#options = options
    this.#prefix = prefix
    // Refuses a bad URL here, where the program is, instead of at `open`.
    this.#connection().close()
  }

  /** What has happened since it was made. */
  get counters(): Readonly<EmitterCounters> {
    return this.#counters
  }

  /** @throws RedisError that says why this Redis can't be used (`REDIS_AUTH_FAILED`, `REDIS_EVICTION_POLICY`, …)
   * @throws EmitterError `ALREADY_OPEN` */
  async open(host: EmitterHost): Promise<void> {
    if (this.#state !== 'closed') throw new EmitterError('ALREADY_OPEN', { message: 'the emitter is open already' })
    this.#state = 'opening'
    const { commandTimeout = 5000 } = this.#options
    try {
      this.#state = await OpenEmitter.open({
        host,
        connection: this.#connection(),
        counters: this.#counters,
        prefix: this.#prefix,
        // Unique for each opening: what an earlier life of this broker has left is swept like that of a dead one.
        instance: `${host.brokerId}~${randomBytes(6).toString('hex')}`,
        routeTimeout: this.#limit('routeTimeout'),
        sendTimeout: commandTimeout,
        maximumInboxBytes: this.#limit('maximumInboxBytes'),
        maximumOutgoingBytes: this.#limit('maximumOutgoingBytes'),
        maximumIncomingBytes: this.#limit('maximumIncomingBytes'),
        report: error => tellProgram(this.#options.onError, error),
      })
    } catch (error) {
      this.#state = 'closed'
      throw error
    }
  }

  async close(): Promise<void> {
    const state = this.#state
    if (!(state instanceof OpenEmitter)) return
    this.#state = 'closed'
    await state.close()
  }

  /** Of QoS 0 there is nothing to wait for: it is brought if it can be.
   * @throws EmitterError `UNAVAILABLE`, `QUOTA_EXCEEDED`, `NOT_OPEN` */
  publish(message: Message): MaybePromise<void> {
    if (this.#state instanceof OpenEmitter) return this.#state.publish(message)
    return message.qos === 0 ? undefined : notOpen()
  }

  addRoute(filter: string, maximumQoS: 0 | 2 = 2): MaybePromise<void> {
    return this.#state instanceof OpenEmitter ? this.#state.addRoute(filter, maximumQoS) : notOpen()
  }

  removeRoute(filter: string, maximumQoS: 0 | 2 = 2): MaybePromise<void> {
    return this.#state instanceof OpenEmitter ? this.#state.removeRoute(filter, maximumQoS) : undefined
  }

  routesStand(): MaybePromise<void> {
    return this.#state instanceof OpenEmitter ? this.#state.routesStand() : notOpen()
  }

  reaches(topic: string): boolean {
    return this.#state instanceof OpenEmitter && this.#state.reaches(topic)
  }

  takesTurn(group: string): boolean {
    return this.#state instanceof OpenEmitter ? this.#state.takesTurn(group) : true
  }

  arrived(): MaybePromise<void> {
    return this.#state instanceof OpenEmitter ? this.#state.arrived() : undefined
  }

  announce(clientId: string): MaybePromise<void> {
    return this.#state instanceof OpenEmitter ? this.#state.announce(clientId) : notOpen()
  }

  #limit(name: keyof typeof limits): number {
    return this.#options[name] ?? limits[name][0]
  }

  #connection(): RedisConnection {
    const { redis, connectTimeout, commandTimeout, scripting, onError } = this.#options
    return new RedisConnection({
      redis,
      scripting,
      ...(connectTimeout !== undefined && { connectTimeout }),
      ...(commandTimeout !== undefined && { commandTimeout }),
      ...(onError !== undefined && { onError: (error: RedisError) => onError(error) }),
    })
  }
}

async function notOpen(): Promise<never> {
  throw new EmitterError('NOT_OPEN', { message: 'the emitter is not open' })
}

import { brokerOptionTable } from '@x/broker-core'
import type { BrokerOptions as CoreOptions } from '@x/broker-core'
import type { AdminOptions } from '@x/admin'
import type { BridgeOptions } from '@x/bridge'
import type { MetricsOptions } from '@x/metrics'
import type { LogTopicsOptions } from '@x/sys-topics'
import type { TracingOptions } from '@x/tracing'
import { optionRules } from '@x/contract'
import type { Logger, OptionRule, OptionTable } from '@x/contract'
import type { DataOption, EmitterOption, MeshOption, PersistenceOption, RedisOption } from './parts.ts'

/** Everything the engine takes, with a store in memory unless another is given. */
export interface BrokerOptions extends Omit<CoreOptions, 'persistence' | 'emitter' | 'mq'> {
  persistence?: PersistenceOption | null
  /** The directory that keeps sessions, retained messages and wills over restarts, in place of `persistence`: a path, or the options of
   * `@x/persistence-lmdb`. */
  data?: DataOption
  /** Joins all brokers that name the same Redis: one set of sessions, retained messages and wills, and messages from each to
   * each. What is given as `persistence` or `emitter` is used instead of that half.
   * A URL (`redis://`, `redis-sentinel://`, `redis-cluster://`, `rediss…://`), or the options of `@x/persistence-redis` and
   * `@x/emitter-redis`. */
  redis?: RedisOption
  /** Connects brokers directly, each to each, in place of `emitter`: the path of a directory, which all brokers of this machine name that
   * belong together, or the options of `@x/emitter-mesh`. */
  mesh?: MeshOption
  emitter?: EmitterOption | null
  /** Other brokers that messages are carried to and from, as `@x/bridge` takes them. */
  bridges?: readonly BridgeOptions[]
  /** Serves numbers for Prometheus, and health checks: the port on this machine alone, or the options of `@x/metrics`. */
  metrics?: number | MetricsOptions
  /** Serves an HTTP API and a dashboard: the port on this machine alone, or the options of `@x/admin`. */
  admin?: number | AdminOptions
  /** Follows messages with spans of OpenTelemetry: the share of those without `traceparent` that begin a trace of their own, 0 to 1, or the
   * options of `@x/tracing`. Needs `@opentelemetry/api`. */
  tracing?: number | TracingOptions
  /** What Aedes calls `emitter`. */
  mq?: EmitterOption | null
  /** Gets connections, disconnections and errors; pino's loggers fit. Without one nothing is logged. */
  logger?: Logger | null
  /** Lines of the log in a second that say that a client has come, and as many that one has gone, 1 to 100 000; the others of the second are
   * one line. Of what goes wrong, ten times as many sources have lines of their own in ten seconds. Default 100. */
  maximumLogRate?: number
  /** Publishes what is logged on `$SYS/broker/log/…`, with or without a logger: `true`, or the options of `logTopics` of `@x/sys-topics`. */
  logTopics?: true | LogTopicsOptions
}

/** What each option may be. */
export const optionTable: OptionTable<keyof BrokerOptions> = {
  ...brokerOptionTable,
  persistence: partRule('a Persistence of @x/contract, or a store of Aedes'),
  emitter: partRule('an Emitter of @x/contract, or an mqemitter'),
  mq: partRule('an Emitter of @x/contract, or an mqemitter'),
  data: {
    text: 'the path of a directory, or an object with the option directory',
    allows: (value: unknown) =>
      (typeof value === 'string' && value !== '') ||
      (typeof value === 'object' && value !== null && 'directory' in value),
  },
  redis: {
    text: 'a URL like redis://host:6379, or an object with the option redis',
    allows: (value: unknown) =>
      (typeof value === 'string' && value !== '') || (typeof value === 'object' && value !== null && 'redis' in value),
  },
  mesh: {
    text: 'the path of a directory, or an object with the option directory or listen',
    allows: (value: unknown) =>
      (typeof value === 'string' && value !== '') ||
      (typeof value === 'object' && value !== null && ('directory' in value || 'listen' in value)),
  },
  bridges: { text: 'a list of objects with the options of @x/bridge', allows: value => Array.isArray(value) },
  metrics: portOrOptions('@x/metrics'),
  admin: portOrOptions('@x/admin'),
  maximumLogRate: optionRules.whole(1, 100_000),
  logTopics: {
    text: 'true, or an object with the options of logTopics of @x/sys-topics',
    allows: value => value === true || (typeof value === 'object' && value !== null),
  },
  tracing: {
    text: 'a number from 0 to 1, or an object with the options of @x/tracing',
    allows: (value: unknown) =>
      typeof value === 'object' ? value !== null : typeof value === 'number' && value >= 0 && value <= 1,
  },
  logger: nullOr(optionRules.has("a logger like pino's", 'debug', 'info', 'warn', 'error')),
}

function portOrOptions(owner: string): OptionRule {
  return {
    text: `a port (0 to 65535), or an object with the options of ${owner}`,
    allows: value => (typeof value === 'object' ? value !== null : optionRules.whole(0, 65_535).allows(value)),
  }
}

/** The code that makes a part of it says what it lacks to be one. */
function partRule(text: string): OptionRule {
  return nullOr({ text, allows: value => typeof value === 'object' })
}

/** Aedes's programs say null for none. */
function nullOr({ text, allows }: OptionRule): OptionRule {
  return { text, allows: value => value === null || allows(value) }
}

/** Names that `--scenario` takes. */
export type RedisScenarioName =
  | 'redis-qos1-persistent'
  | 'redis-take-over'
  | 'redis-sessions-100000'
  | 'redis-cross-qos0'
  | 'redis-cross-qos1'
  | 'redis-wildcard-10000'

export interface RedisScenario {
  readonly name: RedisScenarioName
  /** One line for `--help`. */
  readonly about: string
  /** Brokers that share the Redis. */
  readonly brokers: 1 | 2
  /** Sessions, filters or take-overs, where it has a size. */
  readonly size?: number
}

/** In the order in which they run. */
export const redisScenarios: readonly RedisScenario[] = [
  {
    name: 'redis-qos1-persistent',
    about: '1 publisher, 1 subscriber with a stored session, QoS 1, 100 in flight, 64 B',
    brokers: 1,
  },
  {
    name: 'redis-take-over',
    about: 'a client with a stored session connects at the two brokers in turns without leaving: time to CONNACK',
    brokers: 2,
    size: 1000,
  },
  {
    name: 'redis-sessions-100000',
    about: '100 000 stored sessions: stored a second, time from the start of a broker to its first CONNACK, its memory',
    brokers: 1,
    size: 100_000,
  },
  {
    name: 'redis-cross-qos0',
    about: '1 publisher at one broker, 1 subscriber at the other one, clean sessions, QoS 0, 64 B',
    brokers: 2,
  },
  { name: 'redis-cross-qos1', about: 'the same at QoS 1, 100 in flight', brokers: 2 },
  {
    name: 'redis-wildcard-10000',
    about:
      '10 000 wildcard filters at one broker, each message at the other one has a new topic that matches one, QoS 0',
    brokers: 2,
    size: 10_000,
  },
]

/** The scenario as `--quick` runs it. */
export function quickenedRedis(scenario: RedisScenario): RedisScenario {
  return scenario.size === undefined ? scenario : { ...scenario, size: scenario.size / 10 }
}

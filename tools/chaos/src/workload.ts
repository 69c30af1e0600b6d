import { Device, Publisher } from './device.ts'
import type { DeviceOptions, Surroundings } from './device.ts'
import type { QoS } from './history.ts'
import { RecordingClient } from './recording-client.ts'
import { Storm } from './storm.ts'

/** Milliseconds. */
const tickInterval = 25

export const keptTopics: readonly string[] = Array.from({ length: 6 }, (_, index) => `kept/${index}`)

/** All clients of a run. */
export class Workload {
  readonly #publishers: readonly Publisher[]
  readonly #subscribers: readonly Device[]
  readonly #wills: readonly Device[]
  readonly #storm: Storm
  readonly #surroundings: Surroundings
  readonly #started = performance.now()
  #timer: NodeJS.Timeout | undefined

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
    const parts = (): Surroundings => ({ ...surroundings, random: surroundings.random.fork() })
    const isWide = surroundings.cluster.store.name === 'redis'
    this.#publishers = [...dataPublishers(parts), ...keptPublishers(parts), ...(isWide ? [widePublisher(parts)] : [])]
    // A session that ends with its connection gets nothing from brokers that its own one does not hear of.
    const reached = subscribers().filter(({ persistent }) => persistent || surroundings.cluster.store.joinsBrokers)
    this.#subscribers = [...reached, ...(isWide ? wideSubscribers() : [])].map(options => new Device(options, parts()))
    this.#wills = willDevices().map(options => new Device(options, parts()))
    this.#storm = new Storm(
      { id: 'storm', version: 5, persistent: true, subscriptions: [{ filter: 'data/+/1/b', qos: 1 }] },
      parts(),
    )
  }

  get size(): number {
    return this.#all.length
  }

  start(): void {
    this.#timer = setInterval(() => {
      const now = performance.now() - this.#started
      for (const device of this.#all) device.tick(now)
    }, tickInterval)
  }

  rage(rounds: number): void {
    this.#storm.rage(rounds)
  }

  /** No new messages and no more coming and going; what is on its way arrives. */
  settle(): void {
    for (const device of this.#all) device.settle()
  }

  /** Names of those that still wait for something. */
  unsettled(): string[] {
    const names = [...this.#publishers, ...this.#subscribers, ...this.#wills]
      .filter(({ isSettled }) => !isSettled)
      .map(({ client }) => client.id)
    return this.#storm.isSettled ? names : [...names, 'storm']
  }

  /** A new client that has subscribed to the filter. */
  async reader(filter: string): Promise<RecordingClient> {
    const { cluster, history, random } = this.#surroundings
    const reader = new RecordingClient(
      { id: 'reader', version: 5, persistent: false, subscriptions: [{ filter, qos: 1 }] },
      history,
    )
    while (!reader.connected || !reader.subscribed) {
      if (reader.idle) {
        const broker = cluster.any(random)
        reader.connect(broker.name, broker.clients.port)
      }
      await new Promise(resolve => void setTimeout(resolve, tickInterval))
    }
    return reader
  }

  /** Every session ends. */
  async leave(): Promise<void> {
    for (const device of this.#all) device.leave()
    while (!this.#all.every(({ isGone }) => isGone))
      await new Promise(resolve => void setTimeout(resolve, tickInterval))
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  get #all(): readonly (Device | Storm)[] {
    return [...this.#publishers, ...this.#subscribers, ...this.#wills, this.#storm]
  }
}

function dataPublishers(parts: () => Surroundings): Publisher[] {
  return range(8).map(index => {
    const id = `p${index}`
    const topics = ([0, 1, 2] as const).flatMap(qos =>
      ['a', 'b'].map(last => ({ topic: `data/${id}/${qos}/${last}`, qos })),
    )
    const habits = index < 4 ? {} : ({ online: [2000, 12_000], offline: [50, 1500] } as const)
    const version = index % 4 === 3 ? 4 : 5
    return new Publisher({ id, version, persistent: true, topics, rate: 0.3, ...habits }, parts())
  })
}

/** Two, so that writes of one topic are concurrent. */
function keptPublishers(parts: () => Surroundings): Publisher[] {
  return range(2).map(index => {
    const topics = keptTopics.map((topic, place) => ({ topic, qos: (1 + ((place + index) % 2)) as QoS }))
    return new Publisher({ id: `k${index}`, version: 5, persistent: true, topics, rate: 0.1, retain: true }, parts())
  })
}

/** More sessions than one call gives a message to. */
const wideSessions = 150

function widePublisher(parts: () => Surroundings): Publisher {
  const topics = ([1, 2] as const).map(qos => ({ topic: `wide/${qos}`, qos }))
  return new Publisher({ id: 'wide', version: 5, persistent: true, topics, rate: 0.008 }, parts())
}

/** Seldom connected, so that most messages wait for them. */
function wideSubscribers(): DeviceOptions[] {
  return range(wideSessions).map(index => ({
    id: `wide-${index}`,
    version: 5,
    persistent: true,
    online: [200, 1500],
    offline: [5000, 30_000],
    subscriptions: [{ filter: 'wide/+', qos: 2 }],
  }))
}

function subscribers(): DeviceOptions[] {
  const comesAndGoes = { online: [1000, 9000], offline: [50, 4000] } as const
  const persistent = { version: 5, persistent: true } as const
  return [
    ...range(4).map(index => ({
      id: `s${index}`,
      ...persistent,
      ...(index < 2 ? {} : comesAndGoes),
      subscriptions: [
        { filter: `data/p${2 * index}/#`, qos: 2 as const },
        { filter: `data/p${2 * index + 1}/+/a`, qos: 2 as const },
      ],
    })),
    ...range(2).map(index => ({
      id: `v${index}`,
      version: 4 as const,
      persistent: true,
      ...comesAndGoes,
      subscriptions: [{ filter: `data/+/2/${index === 0 ? 'a' : 'b'}`, qos: 2 as const }],
    })),
    ...range(2).map(index => ({
      id: `o${index}`,
      ...persistent,
      ...comesAndGoes,
      subscriptions: [{ filter: `data/p${index}/#`, qos: 1 as const }],
    })),
    ...range(2).map(index => ({
      id: `slow${index}`,
      ...persistent,
      receiveMaximum: 5,
      pauses: [500, 3000] as const,
      subscriptions: [{ filter: `data/p${index + 4}/+/a`, qos: (index + 1) as QoS }],
    })),
    ...range(4).map(index => ({
      id: `c${index}`,
      version: index === 3 ? (4 as const) : (5 as const),
      persistent: false,
      ...(index < 2 ? {} : comesAndGoes),
      ...(index === 1 && { pauses: [500, 3000] as const }),
      subscriptions: [{ filter: `data/p${index}/#`, qos: (index % 3) as QoS }],
    })),
    ...([1, 2] as const).flatMap(qos =>
      range(3).map(index => ({
        id: `g${qos}-${index}`,
        ...persistent,
        ...(index === 0 ? {} : comesAndGoes),
        subscriptions: [{ filter: `$share/g${qos}/data/+/${qos}/+`, qos }],
      })),
    ),
    { id: 'watcher2', ...persistent, subscriptions: [{ filter: 'will/#', qos: 2 }] },
    { id: 'watcher1', version: 4, persistent: true, subscriptions: [{ filter: 'will/#', qos: 1 }] },
    { id: 'keeper', ...persistent, ...comesAndGoes, subscriptions: [{ filter: 'kept/#', qos: 2 }] },
  ]
}

function willDevices(): DeviceOptions[] {
  return range(6).map(index => ({
    id: `w${index}`,
    version: index % 3 === 2 ? 4 : 5,
    persistent: index >= 4,
    online: [300, 4000],
    offline: [100, 1500],
    will: { topic: `will/w${index}`, qos: index % 2 === 0 ? 2 : 1 },
  }))
}

function range(size: number): number[] {
  return Array.from({ length: size }, (_, index) => index)
}

import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { IntervalHistogram } from 'node:perf_hooks'
import type { BrokerCounts, Counters, Latency, Peers, PluggableBroker, Plugin, WorkerUsage } from '@x/contract'
import { noNumbers, sumOf, together } from './worker-messages.ts'
import type { WorkerNumbers } from './worker-messages.ts'

/** ms between two reports to the primary. */
const interval = 1000
/** ms between two looks at how late the event loop is: at 20, looking was half of what an idle worker does. */
const delayResolution = 100
const nanosecondsPerMillisecond = 1e6
/** What each worker has of its own; the rest is in the store that all have. */
const ownCounts = ['connectedClients', 'sharedSubscriptions', 'sharedGroups', 'subscriptionBytes'] as const

/** What the statistics of a worker need of its process. */
export interface StatisticsHost {
  /** Of this worker. */
  readonly number: number
  readonly peers: Peers
  report(numbers: WorkerNumbers): void
}

/** Shows plugins the numbers of all workers as those of one broker. */
export class WorkerStatistics {
  readonly #host: StatisticsHost
  #others: WorkerNumbers = noNumbers
  /** What this worker has reported last. */
  #own: WorkerUsage | undefined

  constructor(host: StatisticsHost) {
    this.#host = host
  }

  /** Numbers of the other workers that there are now, ascending. */
  get others(): readonly number[] {
    return this.#others.usage.map(({ number }) => number).toSorted((one, other) => one - other)
  }

  /** The numbers of all other workers together. */
  heard(numbers: WorkerNumbers): void {
    this.#others = numbers
  }

  /** The plugin, as it is for one broker of all workers. */
  summed(plugin: Plugin): Plugin {
    return { name: plugin.name, attach: broker => plugin.attach(this.#together(broker)) }
  }

  /** Reports this worker's own numbers, again and again. */
  get reporter(): Plugin {
    return {
      name: 'worker-statistics',
      attach: broker => {
        const delay = monitorEventLoopDelay({ resolution: delayResolution })
        delay.enable()
        const timer = setInterval(() => void this.#report(broker, delay), interval).unref()
        return () => {
          clearInterval(timer)
          delay.disable()
        }
      },
    }
  }

  async #report(broker: PluggableBroker, delay: IntervalHistogram): Promise<void> {
    try {
      const counts = await broker.counts()
      this.#own = this.#usage(counts, delay)
      this.#host.report({ ...numbersOf(broker), counts: ownPart(counts), usage: [this.#own] })
    } catch {
      // The store's trouble is told to those who need it.
    }
  }

  #usage({ connectedClients }: BrokerCounts, delay: IntervalHistogram): WorkerUsage {
    const { user, system } = process.cpuUsage()
    // The histogram has the time from one look to the next.
    const late = delay.percentile(99) / nanosecondsPerMillisecond - delayResolution
    delay.reset()
    return {
      number: this.#host.number,
      connectedClients,
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      eventLoopDelay: Math.max(0, late),
    }
  }

  #together(broker: PluggableBroker): PluggableBroker {
    const views: Readonly<Record<string, () => unknown>> = {
      counters: () => this.#counters(broker),
      counts: () => async () => this.#counts(broker),
      listenerConnections: () => this.#listenerConnections(broker),
      latencies: () => this.#latencies(broker),
      workers: () => this.#workers(),
      peers: () => this.#host.peers,
    }
    return new Proxy(broker, {
      get: (target, name) => {
        const view = typeof name === 'string' && Object.hasOwn(views, name) ? views[name] : undefined
        if (view !== undefined) return view()
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  }

  #counters(broker: PluggableBroker): Readonly<Counters> {
    const { counters, errors } = together([{ ...noNumbers, ...numbersOf(broker) }, this.#others])
    return { ...broker.counters, ...counters, errors }
  }

  async #counts(broker: PluggableBroker): Promise<BrokerCounts> {
    const own = await broker.counts()
    const { connectedClients = 0 } = this.#others.counts
    const all = { ...own, ...sumOf([ownPart(own), this.#others.counts]) }
    return { ...all, disconnectedSessions: Math.max(0, own.disconnectedSessions - connectedClients) }
  }

  #listenerConnections({
    listenerConnections = [],
  }: PluggableBroker): readonly { readonly name: string; readonly connections: number }[] {
    const { listenerConnections: others } = this.#others
    return listenerConnections.map(({ name, connections }) => ({
      name,
      connections: connections + (others[name] ?? 0),
    }))
  }

  #latencies(broker: PluggableBroker): Readonly<Record<string, Latency>> {
    const { latencies } = together([{ ...noNumbers, ...numbersOf(broker) }, this.#others])
    return Object.fromEntries(
      Object.entries(latencies).map(([name, list]) => [name, { counts: list.slice(0, -1), sum: list.at(-1) ?? 0 }]),
    )
  }

  #workers(): readonly WorkerUsage[] {
    const all = [...(this.#own === undefined ? [] : [this.#own]), ...this.#others.usage]
    return all.toSorted((one, other) => one.number - other.number)
  }
}

/** What one worker has counted, as it is sent. */
function numbersOf({
  counters,
  listenerConnections = [],
  latencies = {},
}: PluggableBroker): Pick<WorkerNumbers, 'counters' | 'errors' | 'listenerConnections' | 'latencies'> {
  return {
    counters: sumOf([{ ...counters }]),
    errors: counters.errors,
    listenerConnections: Object.fromEntries(listenerConnections.map(({ name, connections }) => [name, connections])),
    latencies: Object.fromEntries(Object.entries(latencies).map(([name, { counts, sum }]) => [name, [...counts, sum]])),
  }
}

function ownPart(counts: BrokerCounts): Readonly<Record<string, number>> {
  return Object.fromEntries(ownCounts.map(name => [name, counts[name]]))
}

import type { BrokerCounts, Counters, PluggableBroker, Plugin } from '@x/contract'
import { numbersOf, sumOf } from './worker-messages.ts'
import type { WorkerNumbers } from './worker-messages.ts'

/** ms between two reports to the primary. */
const interval = 1000
/** What each worker has of its own; the rest is in the store that all have. */
const ownCounts = ['connectedClients', 'sharedSubscriptions', 'sharedGroups', 'subscriptionBytes'] as const

export interface StatisticsHost {
  report(numbers: WorkerNumbers): void
}

/** Shows plugins the numbers of all workers as those of one broker. */
export class WorkerStatistics {
  readonly #host: StatisticsHost
  #others: WorkerNumbers = { counters: {}, counts: {} }

  constructor(host: StatisticsHost) {
    this.#host = host
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
        const timer = setInterval(() => void this.#report(broker), interval).unref()
        return () => clearInterval(timer)
      },
    }
  }

  async #report(broker: PluggableBroker): Promise<void> {
    try {
      const counts = await broker.counts()
      const own = Object.fromEntries(ownCounts.map(name => [name, counts[name]]))
      this.#host.report({ counters: numbersOf(broker.counters), counts: own })
    } catch {
      // The store's trouble is told to those who need it.
    }
  }

  #together(broker: PluggableBroker): PluggableBroker {
    const counters = (): Readonly<Counters> => ({
      ...broker.counters,
      ...sumOf([numbersOf(broker.counters), this.#others.counters]),
    })
    const counts = async (): Promise<BrokerCounts> => {
      const own = await broker.counts()
      const { connectedClients = 0 } = this.#others.counts
      const all = { ...own, ...sumOf([pick(own), this.#others.counts]) }
      return { ...all, disconnectedSessions: Math.max(0, own.disconnectedSessions - connectedClients) }
    }
    return new Proxy(broker, {
      get: (target, name) => {
        if (name === 'counters') return counters()
        if (name === 'counts') return counts
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  }
}

function pick(counts: BrokerCounts): Readonly<Record<string, number>> {
  return Object.fromEntries(ownCounts.map(name => [name, counts[name]]))
}

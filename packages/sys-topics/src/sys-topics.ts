import { optionProblem, optionRules, systemClock } from '@x/contract'
import type { Clock, Counters, OptionTable, PluggableBroker, Plugin } from '@x/contract'
import { aedesTree } from './aedes-tree.ts'
import { brokerTree } from './broker-tree.ts'
import { LoadAverage } from './load-average.ts'
import { loadCounters } from './sample.ts'
import type { Sample } from './sample.ts'

const leastInterval = 100
const greatestInterval = 65_535_000
const defaultInterval = 10_000
const percent = 100
const microsecondsPerMillisecond = 1000

/** Options of `sysTopics`. */
export interface SysTopicsOptions {
  /** ms between two looks at the broker, 100 to 3 600 000. Default 10 000, as in Mosquitto. Averages get coarser with it. */
  readonly interval?: number
  /** `broker`: `$SYS/broker/…`, as Mosquitto has it; `aedes`: `$SYS/<id>/…`, as aedes-stats has it. Both by default. */
  readonly trees?: readonly ('broker' | 'aedes')[]
  readonly clock?: Clock
}

const optionTable: OptionTable<keyof SysTopicsOptions> = {
  interval: optionRules.whole(leastInterval, greatestInterval),
  trees: {
    text: "a list of 'broker' and 'aedes'",
    allows: (value: unknown) => Array.isArray(value) && value.every(tree => tree === 'broker' || tree === 'aedes'),
  },
  clock: optionRules.has('a Clock of @x/contract', 'now', 'setTimeout', 'clearTimeout'),
}

/** Publishes the broker's statistics, retained, at QoS 0, each when it has changed. It reads the broker's counters at each
 * interval, and costs nothing in between.
 * @throws RangeError naming the option, its value and what it may be */
export function sysTopics(options: SysTopicsOptions = {}): Plugin {
  const problem = optionProblem(options, optionTable, 'sysTopics')
  if (problem !== undefined) throw new RangeError(problem)
  const { interval = defaultInterval, trees = ['broker', 'aedes'], clock = systemClock } = options
  return {
    name: 'sys-topics',
    attach(broker) {
      const reporter = new Reporter(broker, { interval, trees, clock })
      reporter.begin()
      return () => reporter.end()
    },
  }
}

/** One broker's statistics. */
class Reporter {
  readonly #broker: PluggableBroker
  readonly #options: Required<SysTopicsOptions>
  readonly #startedAt: number
  readonly #loads = new Map<string, LoadAverage>()
  readonly #processor: LoadAverage
  /** What was published last, by topic. */
  readonly #published = new Map<string, string>()
  #timer: unknown
  #ended = false
  /** The last round has failed. */
  #failing = false
  #lastSample: number
  #maximumClients = 0
  #maximumHeap = 0
  #lastProcessorTime: number
  readonly #countClients = (): void => {
    this.#maximumClients = Math.max(this.#maximumClients, this.#broker.counters.clientsConnected)
  }

  constructor(broker: PluggableBroker, options: Required<SysTopicsOptions>) {
    this.#broker = broker
    this.#options = options
    this.#startedAt = options.clock.monotonic()
    this.#lastSample = this.#startedAt
    this.#lastProcessorTime = processorTime()
    this.#processor = new LoadAverage(this.#lastProcessorTime)
    for (const [name, read] of Object.entries(loadCounters))
      this.#loads.set(name, new LoadAverage(read(broker.counters)))
  }

  begin(): void {
    this.#broker.on('client', this.#countClients)
    void this.#report()
  }

  end(): void {
    this.#ended = true
    this.#broker.off('client', this.#countClients)
    this.#options.clock.clearTimeout(this.#timer)
  }

  async #report(): Promise<void> {
    try {
      const sample = await this.#take()
      const { trees } = this.#options
      const rows = [
        ...(trees.includes('broker') ? brokerTree(sample) : []),
        ...(trees.includes('aedes') ? aedesTree(sample) : []),
      ]
      let failure: unknown
      for (const [topic, payload] of [...rows, ...this.#gone(rows)]) {
        if (this.#ended || this.#published.get(topic) === payload) continue
        this.#published.set(topic, payload)
        try {
          await this.#broker.publish({ topic, payload, qos: 0, retain: true })
        } catch (error) {
          // Somebody's hook or function may dislike one of them: the others come all the same.
          this.#published.delete(topic)
          failure ??= error
        }
      }
      if (failure !== undefined) throw failure
      this.#failing = false
    } catch (error) {
      this.#failed(error)
    }
    if (!this.#ended) this.#timer = this.#options.clock.setTimeout(() => void this.#report(), this.#options.interval)
  }

  /** Topics of what is no more, a bridge for one: an empty message removes what is retained there. */
  #gone(rows: readonly [topic: string, payload: string][]): [topic: string, payload: string][] {
    const current = new Set(rows.map(([topic]) => topic))
    return [...this.#published]
      .filter(([topic, payload]) => payload !== '' && !current.has(topic))
      .map(([topic]) => [topic, ''])
  }

  /** Told once until all is well again. A broker that is closing is no trouble. */
  #failed(error: unknown): void {
    if (this.#failing || this.#ended) return
    this.#failing = true
    this.#broker.reportError(error instanceof Error ? error : new Error(String(error)))
  }

  async #take(): Promise<Sample> {
    const { clock } = this.#options
    const counts = await this.#broker.counts()
    // Not the time of the machine, which may be set.
    const now = clock.monotonic()
    const elapsed = now - this.#lastSample
    this.#lastSample = now
    const counters: Readonly<Counters> = this.#broker.counters
    for (const [name, read] of Object.entries(loadCounters)) this.#loads.get(name)?.update(read(counters), elapsed)
    const used = processorTime()
    this.#processor.update(used, elapsed)
    const processor = elapsed > 0 ? ((used - this.#lastProcessorTime) / elapsed) * percent : 0
    this.#lastProcessorTime = used
    const { heapUsed } = process.memoryUsage()
    this.#maximumHeap = Math.max(this.#maximumHeap, heapUsed)
    this.#countClients()
    return {
      brokerId: this.#broker.id,
      version: this.#broker.version,
      now: clock.now(),
      uptime: now - this.#startedAt,
      counters,
      counts,
      maximumClients: this.#maximumClients,
      bridges: [...(this.#broker.bridges ?? [])],
      listeners: this.#broker.listenerConnections ?? [],
      heap: heapUsed,
      maximumHeap: this.#maximumHeap,
      processor,
      loads: new Map([...this.#loads].map(([name, { values }]) => [name, values])),
      // ms per minute, as a share of the minute.
      processorAverages: this.#processor.values.map(milliseconds => (milliseconds / 60_000) * percent),
    }
  }
}

/** ms of processor time that this process has used. */
function processorTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / microsecondsPerMillisecond
}

import { SecondWindow, optionProblem, optionRules, systemClock } from '@x/contract'
import type { Clock, Logger, OptionTable, PluggableBroker, Plugin } from '@x/contract'
import { SubscriptionLines } from './subscription-lines.ts'

/** Kinds of lines, by the words that Mosquitto's `log_type` has for them, and their topics. */
const topics = {
  error: '$SYS/broker/log/E',
  warning: '$SYS/broker/log/W',
  information: '$SYS/broker/log/I',
  subscribe: '$SYS/broker/log/M/subscribe',
  unsubscribe: '$SYS/broker/log/M/unsubscribe',
} as const
const droppedTopic = '$SYS/broker/log/dropped'

/** A kind of line that is published. */
export type LogLineKind = keyof typeof topics

/** All kinds of lines that can be published. */
export const logLineKinds: readonly LogLineKind[] = Object.keys(topics) as LogLineKind[]

/** As with Mosquitto: subscriptions come when they are asked for. */
const defaultLines = ['error', 'warning', 'information'] as const
const defaultRate = 100
const highestRate = 10_000
const second = 1000
/** Characters of a line; Mosquitto cuts at 999 bytes. */
const longestLine = 1000

/** A line as it is published. */
export interface LogMessage {
  readonly topic: string
  readonly payload: string
  /** 1: it was logged while another line was being delivered, and may be about that; 0: any other. */
  readonly depth: number
}

/** Options of `logTopics`. */
export interface LogTopicsOptions {
  /** Which lines: `error`, `warning`, `information`, `subscribe`, `unsubscribe`; the first three by default. */
  readonly lines?: readonly LogLineKind[]
  /** Lines in a second, 1 to 10 000, by default 100; more are left out, counted on `$SYS/broker/log/dropped`, and told a second later. */
  readonly maximumRate?: number
  readonly clock?: Clock
}

/** A plugin that publishes the lines of a log. */
export interface LogTopics extends Plugin {
  /** Which lines are published; may be changed at any time. */
  lines: readonly LogLineKind[]
  /** What becomes of a line that is to be published; by default the broker that this is attached to publishes it. */
  carry: (message: LogMessage) => void
  /** Lines that were not published: beyond `maximumRate`, while the broker was not open, or because one could not be delivered. That one
   * can't be delivered may make another line, and no further one. */
  readonly dropped: number
  /** A logger whose lines are published, as far as the level of the one that is given lets them through, and go on to that. Debug is not
   * published, nor are the sums of lines that have repeated. */
  logger(next?: Logger): Logger
  /** Publishes a line that was logged. Without effect for a kind that is not among `lines`. */
  add(kind: LogLineKind, text: string): void
  /** The broker that this is attached to publishes the line. */
  deliver(message: LogMessage): void
}

const optionTable: OptionTable<keyof LogTopicsOptions> = {
  lines: {
    text: `a list of ${logLineKinds.join(', ')}`,
    allows: value => Array.isArray(value) && value.every(kind => logLineKinds.includes(kind as LogLineKind)),
  },
  maximumRate: optionRules.whole(1, highestRate),
  clock: optionRules.has('a Clock of @x/contract', 'now', 'monotonic', 'setTimeout', 'clearTimeout'),
}

/** Publishes the lines of a log on `$SYS/broker/log/…`, as Mosquitto's `log_dest topic` does: at QoS 0, not retained, as
 * `SECONDS: TEXT`.
 * @throws RangeError naming the option, its value and what it may be */
export function logTopics(options: LogTopicsOptions = {}): LogTopics {
  const problem = optionProblem(options, optionTable, 'logTopics')
  if (problem !== undefined) throw new RangeError(problem)
  return new PublishedLog(options)
}

class PublishedLog implements LogTopics {
  readonly name = 'log-topics'
  dropped = 0
  carry: (message: LogMessage) => void = message => this.deliver(message)
  readonly #clock: Clock
  readonly #maximumRate: number
  readonly #subscriptions = new SubscriptionLines((kind, text) => this.add(kind, text))
  #lines: readonly LogLineKind[]
  #broker: PluggableBroker | undefined
  /** In the order in which they were logged; at most as many as may come in a second. */
  #waiting: LogMessage[] = []
  /** The greatest depth of the lines that are being delivered; undefined: none is. What is wrong meanwhile may be wrong with these, and
   * telling it again and again would go round and round. */
  #delivering: number | undefined
  readonly #window = new SecondWindow()
  /** Lines that were left out since that was told last. */
  #untold = 0
  #toldDropped = 0
  #timer: unknown

  constructor({ lines = defaultLines, maximumRate = defaultRate, clock = systemClock }: LogTopicsOptions) {
    this.#lines = lines
    this.#maximumRate = maximumRate
    this.#clock = clock
  }

  get lines(): readonly LogLineKind[] {
    return this.#lines
  }

  set lines(lines: readonly LogLineKind[]) {
    this.#lines = lines
    this.#subscriptions.show(this.#broker, lines)
  }

  attach(broker: PluggableBroker): () => void {
    this.#broker = broker
    this.#subscriptions.show(broker, this.#lines)
    return () => {
      this.#subscriptions.show(undefined, [])
      if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
      this.#timer = undefined
      this.#untold = 0
      this.#broker = undefined
      this.#waiting = []
    }
  }

  logger(next?: Logger): Logger {
    const isEnabled = (level: 'debug' | 'info' | 'warn' | 'error'): boolean =>
      next === undefined ? level !== 'debug' : next.isLevelEnabled?.(level) !== false
    const tee =
      (level: 'info' | 'warn' | 'error', kind: LogLineKind) =>
      (fields: object, text: string): void => {
        next?.[level](fields, text)
        if (isEnabled(level) && !('repeated' in fields)) this.add(kind, text)
      }
    return {
      isLevelEnabled: isEnabled,
      debug: (fields, text) => next?.debug(fields, text),
      info: tee('info', 'information'),
      warn: tee('warn', 'warning'),
      error: tee('error', 'error'),
    }
  }

  add(kind: LogLineKind, text: string): void {
    if (!this.#lines.includes(kind)) return
    const depth = this.#delivering === undefined || !isTrouble(kind) ? 0 : this.#delivering + 1
    if (depth > 1) this.dropped += 1
    else if (this.#window.takes(this.#clock.monotonic(), this.#maximumRate))
      this.carry(this.#messageOf(kind, text, depth))
    else {
      this.dropped += 1
      this.#untold += 1
      this.#timer ??= this.#clock.setTimeout(() => this.#tellLeftOut(), second)
    }
  }

  deliver(message: LogMessage): void {
    if (this.#broker === undefined || this.#waiting.length >= this.#maximumRate) {
      this.dropped += 1
      return
    }
    this.#waiting.push(message)
    // Lines of the same turn are there before the first one is delivered.
    if (this.#waiting.length === 1 && this.#delivering === undefined) this.#drainSoon()
  }

  #messageOf(kind: LogLineKind, text: string, depth: number): LogMessage {
    const seconds = Math.floor(this.#clock.now() / second)
    return { topic: topics[kind], payload: `${seconds}: ${text.slice(0, longestLine)}`, depth }
  }

  #tellLeftOut(): void {
    this.#timer = undefined
    const text = `${this.#untold} line(s) of the log were not published: more than ${this.#maximumRate} came in a second`
    this.#untold = 0
    this.carry(this.#messageOf('warning', text, 0))
  }

  #drainSoon(): void {
    void Promise.resolve().then(() => this.#drain())
  }

  async #drain(): Promise<void> {
    const batch = this.#waiting
    this.#waiting = []
    this.#delivering = Math.max(...batch.map(({ depth }) => depth))
    for (const { topic, payload } of batch) await this.#publish({ topic, payload, retain: false })
    if (this.dropped !== this.#toldDropped) {
      this.#toldDropped = this.dropped
      await this.#publish({ topic: droppedTopic, payload: String(this.dropped), retain: true })
    }
    // The broker reports errors in a tick of their own.
    await new Promise(resolve => void setImmediate(resolve))
    this.#delivering = undefined
    if (this.#waiting.length > 0) this.#drainSoon()
  }

  async #publish(message: Omit<LogMessage, 'depth'> & { readonly retain: boolean }): Promise<void> {
    try {
      await this.#broker?.publish({ ...message, qos: 0 })
    } catch {
      // The broker closes, or somebody's hook has failed: a line about it would be the next one that fails.
      this.dropped += 1
    }
  }
}

function isTrouble(kind: LogLineKind): boolean {
  return kind === 'error' || kind === 'warning'
}

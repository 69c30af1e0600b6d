import { optionProblem, optionRules } from '@x/contract'
import type { OptionTable, PluggableBroker, Plugin } from '@x/contract'
import { Budget } from './budget.ts'
import type { MessageSpans } from './message-spans.ts'
import type { SpanSource } from './span-source.ts'
import { TracingError } from './tracing-error.ts'

const defaultPerSecond = 100
const defaultDeliveries = 100

/** Options of `tracing`. */
export interface TracingOptions {
  /** Share of the messages without `traceparent` that begin a trace of their own, 0 to 1. Default 0: only those are followed whose
   * publisher has begun a trace. */
  readonly ratio?: number
  /** Messages that are followed in a second, 1 to 1 000 000; others pass as without tracing. Default 100. */
  readonly maximumPerSecond?: number
  /** Spans `mqtt deliver` of one message, 0 to 1 000 000. Default 100. */
  readonly maximumDeliveries?: number
  /** Default: the one that the program has registered with `@opentelemetry/api`, now or later. */
  readonly tracerProvider?: SpanSource
}

/** A plugin for one broker. */
export interface Tracing extends Plugin {
  /** Messages, and late deliveries, that `maximumPerSecond` left out. */
  readonly skipped: number
}

/** What each option may be. */
export const tracingOptions: OptionTable<keyof TracingOptions> = {
  ratio: {
    text: 'a number from 0 to 1',
    allows: value => typeof value === 'number' && value >= 0 && value <= 1,
  },
  maximumPerSecond: optionRules.whole(1, 1_000_000),
  maximumDeliveries: optionRules.whole(0, 1_000_000),
  tracerProvider: optionRules.has('a TracerProvider of OpenTelemetry', 'getTracer'),
}

/** Follows messages through a broker with spans of OpenTelemetry. The trace of a message is its publisher's, by the user properties
 * `traceparent` and `tracestate` (W3C Trace Context), which are delivered as they came.
 * @throws RangeError naming the option, its value and what it may be */
export function tracing(options: TracingOptions = {}): Tracing {
  const problem = optionProblem(options, tracingOptions, 'tracing')
  if (problem !== undefined) throw new RangeError(problem)
  return new BrokerTracing(options)
}

class BrokerTracing implements Tracing {
  readonly name = 'tracing'
  readonly #options: TracingOptions
  readonly #budget: Budget
  #brokerId: string | undefined

  constructor(options: TracingOptions) {
    this.#options = options
    this.#budget = new Budget(options.maximumPerSecond ?? defaultPerSecond)
  }

  get skipped(): number {
    return this.#budget.refused
  }

  /** @throws TracingError `TRACING_API_MISSING`, `TRACING_ATTACHED` */
  async attach(broker: PluggableBroker): Promise<(() => void) | undefined> {
    if (this.#brokerId !== undefined) {
      throw new TracingError('TRACING_ATTACHED', `this tracing is of broker ${this.#brokerId} already`)
    }
    this.#brokerId = broker.id
    const { ratio = 0, maximumDeliveries = defaultDeliveries, tracerProvider } = this.#options
    const { MessageSpans: OfOpenTelemetry } = await loadSpans()
    const spans = new OfOpenTelemetry({
      ratio,
      maximumDeliveries,
      budget: this.#budget,
      tracerProvider,
      version: broker.version,
    })
    const end = broker.traceMessages?.(spans)
    return () => {
      this.#brokerId = undefined
      end?.()
      spans.close()
    }
  }
}

/** The only import of `@opentelemetry/api`: a program without tracing need not have it.
 * @throws TracingError `TRACING_API_MISSING` */
async function loadSpans(): Promise<{ readonly MessageSpans: typeof MessageSpans }> {
  try {
    return await import('./message-spans.ts')
  } catch (cause) {
    throw new TracingError(
      'TRACING_API_MISSING',
      `tracing needs @opentelemetry/api, which can't be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
  }
}

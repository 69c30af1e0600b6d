import type { IncomingMessage, ServerResponse } from 'node:http'
import { optionProblem, optionRules } from '@x/contract'
import type { OptionTable, PluggableBroker, Plugin } from '@x/contract'
import type { Exposition } from './exposition.ts'
import { openServer } from './http-server.ts'
import type { ListenAddress } from './http-server.ts'
import { MetricsError } from './metrics-error.ts'
import { ReadinessProbe } from './readiness.ts'
import type { Sample } from './sample.ts'

const defaultHost = '127.0.0.1'
const defaultPort = 9464
const defaultStoreTimeout = 1000

/** Options of `metrics`. */
export interface MetricsOptions {
  /** Where metrics and health are served: by default on port 9464 of 127.0.0.1, which only this machine reaches. Port 0 takes a free one;
   * host `'*'` is every address. `false`
   * opens no port: the program passes requests to `handler`. */
  readonly listen?: { readonly host?: string; readonly port?: number } | false
  /** Adds what prom-client measures of the process: CPU, memory, garbage collection, delay of the event loop. Default true. */
  readonly process?: boolean
  /** ms that the store may take before `/health/ready` says that it does not answer, 10 to 60 000. Default 1000. */
  readonly storeTimeout?: number
  /** What the program has to say against being ready, one sentence each; an empty list: nothing. Called for each request of
   * `/health/ready`. */
  readonly readiness?: () => readonly string[]
}

/** A plugin for one broker. */
export interface Metrics extends Plugin {
  /** `http://HOST:PORT` that is listened on; undefined before the broker is open, and with `listen: false`. */
  readonly url: string | undefined
  /** Answers a request for `/metrics`, `/health/live` or `/health/ready`, by the path alone, and every other one with 404. It fits
   * Node's http, Express, and what takes such a function. */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void
}

/** What each option may be. */
export const metricsOptions: OptionTable<keyof MetricsOptions> = {
  listen: {
    text: 'false, or an object with host and port (0 to 65535)',
    allows: value => value === false || isAddress(value),
  },
  process: optionRules.flag,
  storeTimeout: optionRules.whole(10, 60_000),
  readiness: optionRules.function,
}

/** Serves a broker's counters to Prometheus, and its health to whoever runs it. It reads the counters when it is asked; between two scrapes it
 * costs nothing, and the path of messages pays nothing.
 * @throws RangeError naming the option, its value and what it may be */
export function metrics(options: MetricsOptions = {}): Metrics {
  const problem = optionProblem(options, metricsOptions, 'metrics')
  if (problem !== undefined) throw new RangeError(problem)
  return new BrokerMetrics(options)
}

class BrokerMetrics implements Metrics {
  readonly name = 'metrics'
  readonly #options: MetricsOptions
  #attached: Attached | undefined
  #url: string | undefined

  constructor(options: MetricsOptions) {
    this.#options = options
  }

  get url(): string | undefined {
    return this.#url
  }

  async attach(broker: PluggableBroker): Promise<() => Promise<void>> {
    if (this.#attached !== undefined) {
      throw new MetricsError('METRICS_ATTACHED', `these metrics are of broker ${this.#attached.brokerId} already`)
    }
    const attached = await attachTo(broker, this.#options)
    const { listen = {} } = this.#options
    const server = listen === false ? undefined : await openServer(withDefaultAddress(listen), this.handler)
    this.#attached = attached
    this.#url = server?.url
    return async () => {
      this.#attached = undefined
      this.#url = undefined
      attached.close()
      await server?.close()
    }
  }

  readonly handler = (request: IncomingMessage, response: ServerResponse): void => {
    const method = request.method ?? ''
    if (method !== 'GET' && method !== 'HEAD') {
      send(response.setHeader('allow', 'GET, HEAD'), {
        status: 405,
        type: plain,
        text: `${method} is not allowed here\n`,
      })
      return
    }
    this.#answer(request).then(
      answer => send(response, answer),
      (error: unknown) =>
        send(response, {
          status: 503,
          type: plain,
          text: `${error instanceof Error ? error.message : String(error)}\n`,
        }),
    )
  }

  async #answer({ url = '', headers }: IncomingMessage): Promise<Answer> {
    const path = url.split('?', 1)[0]
    // Responding is the proof: this runs on the event loop that serves the clients.
    if (path === '/health/live') return health({ ready: true, reasons: [] })
    const attached = this.#attached
    if (path === '/health/ready') {
      return health((await attached?.readiness.look()) ?? { ready: false, reasons: ['the broker is not open'] })
    }
    if (path !== '/metrics') {
      return { status: 404, type: plain, text: 'There are /metrics, /health/live and /health/ready\n' }
    }
    if (attached === undefined) return { status: 503, type: plain, text: 'the broker is not open\n' }
    const { contentType, text } = await attached.exposition.scrape(headers.accept)
    return { status: 200, type: contentType, text }
  }
}

/** prom-client is loaded here: a program that has metrics switched off does not pay for it. */
async function attachTo(broker: PluggableBroker, options: MetricsOptions): Promise<Attached> {
  const { Exposition: ofPromClient } = await import('./exposition.ts')
  return new Attached(broker, options, ofPromClient)
}

/** What belongs to a broker while it is open. */
class Attached {
  readonly exposition: Exposition
  readonly readiness: ReadinessProbe
  readonly brokerId: string
  readonly #broker: PluggableBroker
  readonly #openedAt = performance.now()

  constructor(broker: PluggableBroker, options: MetricsOptions, makeExposition: typeof Exposition) {
    this.#broker = broker
    this.brokerId = broker.id
    this.exposition = new makeExposition(() => this.#takeSample(), { process: options.process ?? true })
    this.readiness = new ReadinessProbe({
      ask: () => broker.counts(),
      timeout: options.storeTimeout ?? defaultStoreTimeout,
      program: options.readiness ?? (() => []),
    })
  }

  close(): void {
    this.exposition.close()
  }

  async #takeSample(): Promise<Sample> {
    const counts = await this.#broker.counts()
    return {
      brokerId: this.#broker.id,
      version: this.#broker.version,
      uptimeSeconds: (performance.now() - this.#openedAt) / 1000,
      counters: this.#broker.counters,
      counts,
      listeners: this.#broker.listenerConnections ?? [],
      latencies: this.#broker.latencies ?? {},
      bridges: [...(this.#broker.bridges ?? [])],
      workers: this.#broker.workers ?? [],
    }
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

const plain = 'text/plain; charset=utf-8'

function health({ ready, reasons }: { readonly ready: boolean; readonly reasons: readonly string[] }): Answer {
  const text = `${JSON.stringify({ status: ready ? 'up' : 'down', reasons })}\n`
  return { status: ready ? 200 : 503, type: 'application/json', text }
}

/** Node leaves the body out when the request was HEAD. */
function send(response: ServerResponse, { status, type, text }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(text)
}

function withDefaultAddress({ host = defaultHost, port = defaultPort }: Partial<ListenAddress>): ListenAddress {
  return { host, port }
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { host, port, ...rest } = value as { readonly host?: unknown; readonly port?: unknown }
  const isPort = port === undefined || (Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535)
  return isPort && (host === undefined || (typeof host === 'string' && host !== '')) && Object.keys(rest).length === 0
}

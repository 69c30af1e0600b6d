import type { ServerResponse } from 'node:http'
import { openBroker } from './host.ts'
import type { AdminHost } from './host.ts'
import { Problem } from './problem.ts'

/** Pages that look at a time. */
const maximumStreams = 50
const interval = 1000
/** Bytes that may wait for a page that reads slowly; then it misses some. */
const maximumWaiting = 1_000_000

/** Server-sent events for dashboards: `numbers` once a second, and `log` for each line. Nothing is asked while nobody looks. */
export class LiveFeed {
  readonly #host: AdminHost
  readonly #streams = new Set<ServerResponse>()
  #timer: NodeJS.Timeout | undefined
  #endTail: (() => void) | undefined

  constructor(host: AdminHost) {
    this.#host = host
  }

  /** @throws Problem `TOO_MANY_STREAMS` */
  open(response: ServerResponse): void {
    if (this.#streams.size >= maximumStreams) {
      throw new Problem('TOO_MANY_STREAMS', `${this.#streams.size} streams are open, the limit is ${maximumStreams}`)
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.flushHeaders()
    this.#streams.add(response)
    response.once('close', () => this.#left(response))
    this.#endTail ??= this.#host.tail.follow(line => this.#send('log', line))
    this.#timer ??= setInterval(() => void this.#tick(), interval)
    void this.#tick()
  }

  close(): void {
    for (const response of this.#streams) response.destroy()
  }

  #left(response: ServerResponse): void {
    this.#streams.delete(response)
    if (this.#streams.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#endTail?.()
    this.#endTail = undefined
  }

  async #tick(): Promise<void> {
    try {
      const broker = openBroker(this.#host)
      const { errors: _errors, ...counters } = broker.counters
      this.#send('numbers', { at: performance.now(), counters, counts: await broker.counts() })
    } catch (error) {
      this.#send('trouble', { detail: error instanceof Error ? error.message : String(error) })
    }
  }

  #send(event: string, value: object): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(value)}\n\n`
    for (const response of this.#streams) if (response.writableLength < maximumWaiting) response.write(text)
  }
}

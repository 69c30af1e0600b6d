import type { Clock } from '@x/contract'
import { openTransport } from './remote-address.ts'
import type { RemoteAddress, TransportOptions } from './remote-address.ts'

/** ms between two looks at first, and at most. */
const [leastInterval, greatestInterval] = [5000, 300_000] as const

/** What is looked for, and how. */
export interface FirstAddressOptions {
  readonly clock: Clock
  readonly address: RemoteAddress
  readonly transport: Omit<TransportOptions, 'signal'>
  /** Called once when somebody listens there. */
  readonly reachable: () => void
}

/** Looks whether the first address can be reached again while another one is used. Each return that did not lead to a connection makes the next
 * wait twice as long, so that a broker which listens and refuses does not have the bridge go to and fro. */
export class FirstAddress {
  readonly #options: FirstAddressOptions
  #interval: number = leastInterval
  #timer: unknown
  #attempt: AbortController | undefined

  constructor(options: FirstAddressOptions) {
    this.#options = options
  }

  /** The bridge is connected to another address. */
  watch(): void {
    this.#timer = this.#options.clock.setTimeout(() => void this.#look(), this.#interval)
  }

  /** The bridge is connected to the first address: all is well. */
  connected(): void {
    this.#interval = leastInterval
  }

  /** Looks no more until `watch`. */
  rest(): void {
    this.#options.clock.clearTimeout(this.#timer)
    this.#attempt?.abort()
    this.#attempt = undefined
  }

  async #look(): Promise<void> {
    const { clock, address, transport, reachable } = this.#options
    const attempt = new AbortController()
    this.#attempt = attempt
    const timer = clock.setTimeout(() => attempt.abort(), leastInterval)
    try {
      const stream = await openTransport(address, { ...transport, signal: attempt.signal })
      stream.on('error', () => undefined).destroy()
    } catch {
      // It can't be reached yet, which the bridge has reported when it left it.
      if (this.#attempt === attempt) this.watch()
      return
    } finally {
      clock.clearTimeout(timer)
    }
    if (this.#attempt !== attempt) return
    this.#attempt = undefined
    this.#interval = Math.min(this.#interval * 2, greatestInterval)
    reachable()
  }
}

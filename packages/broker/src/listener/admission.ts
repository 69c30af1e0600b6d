import { AddressList } from '@x/protocol-decoder'
import { ConnectionRefused } from './refused.ts'

/** Who may connect, and how many at a time. */
export interface AdmissionOptions {
  readonly maximumConnections: number
  /** Connections per second; 0: no limit. */
  readonly maximumConnectionRate: number
  readonly allow: readonly string[] | undefined
  readonly deny: readonly string[]
}

const second = 1000

/** Who may come in by a listener, and how many. */
export class Admission {
  readonly #maximum: number
  readonly #rate: number
  readonly #allow: AddressList | undefined
  readonly #deny: AddressList | undefined
  /** Connections that may come now: grows by the rate, up to one second's. */
  #tokens: number
  #refilledAt = 0
  open = 0

  /** @throws RangeError naming an address that is none */
  constructor({ maximumConnections, maximumConnectionRate, allow, deny }: AdmissionOptions) {
    this.#maximum = maximumConnections
    this.#rate = maximumConnectionRate
    this.#tokens = maximumConnectionRate
    this.#allow = allow && new AddressList(allow)
    this.#deny = deny.length === 0 ? undefined : new AddressList(deny)
  }

  /** Whether it depends on the address at all who may come. */
  get filtersAddresses(): boolean {
    return this.#allow !== undefined || this.#deny !== undefined
  }

  /** Whether one more may come at `now`, in ms of any clock that only goes forward. */
  problemOfNumber(now: number): ConnectionRefused | undefined {
    if (this.open >= this.#maximum) {
      const message = `${this.open} connections are open, the limit maximumConnections is ${this.#maximum}`
      return new ConnectionRefused('TOO_MANY_CONNECTIONS', message)
    }
    if (this.#rate === 0 || this.#takeToken(now)) return undefined
    const message = `more than ${this.#rate} new connections in a second, the limit maximumConnectionRate`
    return new ConnectionRefused('CONNECTION_RATE_EXCEEDED', message)
  }

  /** Whether the client's address may come. One without (a Unix socket's) is not asked for. */
  problemOfAddress(address: string | undefined): ConnectionRefused | undefined {
    if (address === undefined) return undefined
    if (this.#deny?.has(address)) return new ConnectionRefused('ADDRESS_DENIED', `${address} is denied`)
    if (this.#allow === undefined || this.#allow.has(address)) return undefined
    return new ConnectionRefused('ADDRESS_DENIED', `${address} is not among those allowed`)
  }

  #takeToken(now: number): boolean {
    if (this.#refilledAt > 0) {
      const earned = ((now - this.#refilledAt) / second) * this.#rate
      this.#tokens = Math.min(this.#rate, this.#tokens + earned)
    }
    this.#refilledAt = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}

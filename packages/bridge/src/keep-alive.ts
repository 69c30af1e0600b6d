import type { Clock } from '@x/contract'

/** Looks, two to each Keep Alive, in which a peer that is asked may say nothing. */
const greatestSilence = 4

/** What is kept alive, and how. */
export interface KeepAliveOptions {
  readonly clock: Clock
  /** Of the Keep Alive; 0: none. */
  readonly seconds: number
  /** Sends PINGREQ. */
  readonly ping: () => void
  /** Called once when the peer has said nothing for so many seconds. */
  readonly silent: (seconds: number) => void
}

/** Sends PINGREQ when nothing else went out or came in, and notices a peer that is silent. It looks twice in each interval, so that
 * no more than one passes between two packets. MQTT 5.0 §3.1.2.10 */
export class KeepAlive {
  readonly #options: KeepAliveOptions
  #timer: unknown
  #sent = false
  #received = false
  #silentLooks = 0

  constructor(options: KeepAliveOptions) {
    this.#options = options
    if (options.seconds > 0) this.#schedule()
  }

  sent(): void {
    this.#sent = true
  }

  received(): void {
    this.#received = true
  }

  end(): void {
    this.#options.clock.clearTimeout(this.#timer)
  }

  #schedule(): void {
    const { clock, seconds } = this.#options
    this.#timer = clock.setTimeout(() => this.#look(), seconds * 500)
  }

  #look(): void {
    const { seconds, ping, silent } = this.#options
    this.#silentLooks = this.#received ? 0 : this.#silentLooks + 1
    if (this.#silentLooks >= greatestSilence) return silent((greatestSilence / 2) * seconds)
    const isQuiet = !this.#sent || !this.#received
    this.#sent = false
    this.#received = false
    this.#schedule()
    // What this sends counts for the interval that begins.
    if (isQuiet) ping()
  }
}

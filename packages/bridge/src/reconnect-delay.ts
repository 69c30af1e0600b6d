/** How long a bridge waits between two attempts to connect. */
export interface ReconnectDelayOptions {
  /** ms of the shortest wait. */
  readonly least: number
  /** ms of the longest wait. */
  readonly greatest: number
  /** ms that a connection must have lasted for the next wait to be a short one again. */
  readonly stable: number
}

/** How long a bridge waits before it tries again: a random time between the least and three times the last one (twice the least at first), so that many bridges
 * that lost the same broker do not come back in one moment. */
export class ReconnectDelay {
  readonly #options: ReconnectDelayOptions
  readonly #random: () => number
  #previous = 0

  constructor(options: ReconnectDelayOptions, random: () => number = Math.random) {
    this.#options = options
    this.#random = random
  }

  /** ms to wait now. */
  next(): number {
    const { least, greatest } = this.#options
    const upper = Math.max(least * 2, this.#previous * 3)
    this.#previous = Math.min(greatest, least + this.#random() * (upper - least))
    return Math.round(this.#previous)
  }

  /** A connection has ended after so many ms. */
  ended(lasted: number): void {
    if (lasted >= this.#options.stable) this.#previous = 0
  }
}

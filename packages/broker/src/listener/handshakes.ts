import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'

/** Connections that have not reached the broker yet, and until when they may take: a PROXY header, the first bytes, an HTTP
 * request. One timer for all, and none while there are none. */
export class Handshakes {
  readonly #timeout: number
  readonly #expired: (socket: Duplex) => void
  /** In the order of their deadlines, since all have the same time. */
  readonly #deadlines = new Map<Duplex, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(timeout: number, expired: (socket: Duplex) => void) {
    this.#timeout = timeout
    this.#expired = expired
  }

  /** A socket for which this was called before keeps its deadline. */
  begin(socket: Duplex): void {
    if (this.#deadlines.has(socket)) return
    this.#deadlines.set(socket, performance.now() + this.#timeout)
    this.#timer ??= this.#wait(this.#timeout)
  }

  /** True: it was under way. */
  end(socket: Duplex): boolean {
    return this.#deadlines.delete(socket)
  }

  /** Ends them all. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const socket of this.#deadlines.keys()) socket.destroy()
    this.#deadlines.clear()
  }

  #wait(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#check(), Math.ceil(milliseconds)).unref()
  }

  #check(): void {
    this.#timer = undefined
    const now = performance.now()
    for (const [socket, deadline] of this.#deadlines) {
      if (deadline > now) {
        this.#timer = this.#wait(deadline - now)
        return
      }
      this.#deadlines.delete(socket)
      this.#expired(socket)
    }
  }
}

/** Does at the end of a turn of the event loop what its parts have for others, once for each. */
export class TurnEnd {
  readonly #parts = new Set<{ flush(): void }>()
  #scheduled = false

  /** Calls `flush` of that part at the end of this turn. */
  flushes(part: { flush(): void }): void {
    this.#parts.add(part)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.run())
  }

  /** Flushes now, also what is added meanwhile: links fill connections. */
  run(): void {
    for (const part of this.#parts) {
      this.#parts.delete(part)
      part.flush()
    }
    this.#scheduled = false
  }
}

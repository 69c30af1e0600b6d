/** The topic aliases we have set towards one client, at most as many as it allows. MQTT 5.0 §3.3.2.3.4
 *
 * When all are taken, the least recently used alias gets the new topic. */
export class OutgoingAliases {
  readonly #maximum: number
  /** Topic to alias, least recently used first. */
  readonly #aliases = new Map<string, number>()

  readonly #free: number[] = []

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** The alias for a topic; `known`: the client has been told its topic, which then need not be sent. */
  use(topic: string): { alias: number; known: boolean } {
    const known = this.#aliases.get(topic)
    if (known !== undefined) {
      this.#aliases.delete(topic)
      this.#aliases.set(topic, known)
      return { alias: known, known: true }
    }
    const alias = this.#next()
    this.#aliases.set(topic, alias)
    return { alias, known: false }
  }

  /** The packet that should have told the client was not sent. */
  forget(topic: string, alias: number): void {
    this.#aliases.delete(topic)
    this.#free.push(alias)
  }

  #next(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free

    if (this.#aliases.size < this.#maximum) return this.#aliases.size + 1
    const [oldest, alias] = this.#aliases.entries().next().value as [string, number]
    this.#aliases.delete(oldest)
    return alias
  }
}

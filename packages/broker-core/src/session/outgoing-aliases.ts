import type { CheckedOptions } from '../ground/limits.ts'
import { aliasBytes } from './topic-aliases.ts'

const noAlias = { alias: 0, known: false } as const

/** The topic aliases that the broker uses towards one client, at most as many as the client allows. MQTT 5.0 §3.3.2.3.4
 *
 * When all are taken, the least recently used alias gets the new topic. */
export class OutgoingAliases {
  readonly #maximum: number
  readonly #maximumBytes: number
  #bytes = 0
  /** Topic to alias, least recently used first. */
  readonly #aliases = new Map<string, number>()

  readonly #free: number[] = []

  /** @param maximumBytes that the topics of all hold in memory */
  constructor(maximum: number, maximumBytes: number = Infinity) {
    this.#maximum = maximum
    this.#maximumBytes = maximumBytes
  }

  /** Returns the alias of a topic. `known`: the client knows the topic, so it need not be sent. Alias 0: none, since the topic alone
   * exceeds the limit. */
  use(topic: string): { alias: number; known: boolean } {
    const known = this.#aliases.get(topic)
    if (known !== undefined) {
      this.#aliases.delete(topic)
      this.#aliases.set(topic, known)
      return { alias: known, known: true }
    }
    const bytes = aliasBytes(topic)
    if (bytes > this.#maximumBytes) return noAlias
    while (this.#bytes + bytes > this.#maximumBytes) this.#free.push(this.#forgetOldest())
    const alias = this.#next()
    this.#aliases.set(topic, alias)
    this.#bytes += bytes
    return { alias, known: false }
  }

  /** Forgets an alias whose packet was not sent. */
  forget(topic: string, alias: number): void {
    if (this.#aliases.delete(topic)) this.#bytes -= aliasBytes(topic)
    this.#free.push(alias)
  }

  #next(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free

    if (this.#aliases.size < this.#maximum) return this.#aliases.size + 1
    return this.#forgetOldest()
  }

  /** Forgets the least recently used alias and returns it. */
  #forgetOldest(): number {
    const [oldest, alias] = this.#aliases.entries().next().value as [string, number]
    this.#aliases.delete(oldest)
    this.#bytes -= aliasBytes(oldest)
    return alias
  }
}

/** The aliases towards a client; undefined when it takes none, or none are to be used.
 * @param accepted how many the client takes
 * @param profile of its listener, which comes before the options */
export function outgoingAliases(
  accepted: number,
  options: Pick<CheckedOptions, 'maximumOutgoingTopicAliases' | 'maximumTopicAliasBytes'>,
  profile: { readonly maximumOutgoingTopicAliases?: number | undefined } | undefined,
): OutgoingAliases | undefined {
  const count = Math.min(accepted, profile?.maximumOutgoingTopicAliases ?? options.maximumOutgoingTopicAliases)
  return count > 0 ? new OutgoingAliases(count, options.maximumTopicAliasBytes) : undefined
}

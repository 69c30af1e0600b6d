const root = '$SYS/broker/'

/** Counters whose rate is shown, by their topic below `$SYS/broker/`. */
export const rated = [
  'publish/messages/received',
  'publish/messages/sent',
  'publish/bytes/received',
  'publish/bytes/sent',
  'publish/messages/dropped',
  'bytes/received',
  'bytes/sent',
] as const

/** A number that is shown with its rate. */
export type Rated = (typeof rated)[number]

interface Seen {
  readonly value: number
  /** ms. */
  readonly at: number
}

/** What a broker has said of itself, and how fast its counters grow. */
export class TopNumbers {
  /** By topic below `$SYS/broker/`. */
  readonly #texts = new Map<string, string>()
  readonly #seen = new Map<string, Seen>()
  readonly #rates = new Map<string, number>()

  /** @param now ms */
  take(topic: string, payload: string, now: number): void {
    if (!topic.startsWith(root)) return
    const name = topic.slice(root.length)
    this.#texts.set(name, payload)
    // What comes at once when the subscription begins is of some earlier moment, so it begins no rate.
    const value = Number(payload)
    const before = this.#seen.get(name)
    this.#seen.set(name, { value, at: now })
    if (before !== undefined && now > before.at)
      this.#rates.set(name, Math.max(0, ((value - before.value) / (now - before.at)) * 1000))
  }

  text(name: string): string {
    return this.#texts.get(name) ?? ''
  }

  number(name: string): number {
    return Number(this.#texts.get(name) ?? 0)
  }

  /** In a second; undefined: it was seen once. A counter that has not changed is not published again: its rate is 0 after a while. */
  rate(name: Rated, { now, stale }: { readonly now: number; readonly stale: number }): number | undefined {
    const seen = this.#seen.get(name)
    if (seen !== undefined && now - seen.at > stale) return 0
    return this.#rates.get(name)
  }

  /** Topics of this form, their middle and their number, the greatest first. */
  list(before: string, after: string): readonly (readonly [string, number])[] {
    return [...this.#texts]
      .filter(([name]) => name.startsWith(before) && name.endsWith(after))
      .map(([name, text]) => [name.slice(before.length, name.length - after.length), Number(text)] as const)
      .toSorted(([, one], [, other]) => other - one)
  }
}

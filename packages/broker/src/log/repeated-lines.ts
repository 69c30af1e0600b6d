import type { Clock, Logger } from '@x/contract'

/** ms over which lines that are alike are summed up. */
const interval = 10_000
/** Sources of lines that are told apart in an interval; those of further ones are summed up together. */
const mostSources = 1000

/** A line that may come again and again. */
export interface RepeatedLine {
  readonly level: 'warn' | 'error'
  /** Who causes it, and how: lines with the same source are alike. */
  readonly source: string
  /** What lines of further sources are summed up by. */
  readonly kind: string
  readonly fields: object
  readonly text: string
  /** How many it stands for; 1 unless given. */
  readonly weight?: number
}

/** Logs the first line of each source at once, and those that follow in the same 10 s as one line with their number: whoever sends
 * eleven bytes again and again does not fill a disk. */
export class RepeatedLines {
  readonly #logger: Logger
  readonly #clock: Clock
  /** The lines of this interval by source, at most `mostSources`, and how many more there were of each. */
  readonly #lines = new Map<string, { readonly first: RepeatedLine; more: number }>()
  /** Lines of further sources by kind. */
  readonly #others = new Map<string, { readonly level: 'warn' | 'error'; more: number }>()
  #timer: unknown

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  add(line: RepeatedLine): void {
    const { level, source, kind, fields, text, weight = 1 } = line
    const known = this.#lines.get(source) ?? this.#others.get(kind)
    if (known !== undefined) known.more += weight
    else if (this.#lines.size < mostSources) {
      this.#lines.set(source, { first: line, more: 0 })
      this.#logger[level](fields, text)
    } else this.#others.set(kind, { level, more: weight })
    this.#timer ??= this.#clock.setTimeout(() => this.flush(), interval)
  }

  /** Logs what was held back so far. */
  flush(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    const seconds = interval / 1000
    for (const { first, more } of this.#lines.values()) {
      if (more === 0) continue
      this.#logger[first.level](
        { ...first.fields, repeated: more },
        `${first.text} … ${more} more like this in ${seconds} s`,
      )
    }
    for (const [kind, { level, more }] of this.#others) {
      this.#logger[level]({ code: kind, repeated: more }, `… ${more} more of ${kind} from others in ${seconds} s`)
    }
    this.#lines.clear()
    this.#others.clear()
  }
}

import type { SamplingHost } from './sampled-lines.ts'

/** ms over which lines that are alike are summed up. */
const interval = 10_000
const second = 1000

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
  readonly #host: SamplingHost
  /** The lines of this interval by source, and how many more there were of each: as many sources as there may be lines in it. Those of
   * further ones are summed up together. */
  readonly #lines = new Map<string, { readonly first: RepeatedLine; more: number }>()
  /** Lines of further sources by kind. */
  readonly #others = new Map<string, { readonly level: 'warn' | 'error'; more: number }>()
  #timer: unknown

  constructor(host: SamplingHost) {
    this.#host = host
  }

  add(line: RepeatedLine): void {
    const { level, source, kind, fields, text, weight = 1 } = line
    this.#timer ??= this.#host.clock.setTimeout(() => this.flush(), interval)
    const known = this.#lines.get(source) ?? this.#others.get(kind)
    if (known === undefined && this.#lines.size < (this.#host.mostLines * interval) / second) {
      this.#lines.set(source, { first: line, more: 0 })
      this.#host.logger[level](fields, text)
      return
    }
    this.#host.summedUp(weight)
    if (known === undefined) this.#others.set(kind, { level, more: weight })
    else known.more += weight
  }

  /** Logs what was held back so far. */
  flush(): void {
    if (this.#timer !== undefined) this.#host.clock.clearTimeout(this.#timer)
    this.#timer = undefined
    const seconds = interval / second
    for (const { first, more } of this.#lines.values()) {
      if (more === 0) continue
      this.#host.logger[first.level](
        { ...first.fields, repeated: more },
        `${first.text} … ${more} more like this in ${seconds} s`,
      )
    }
    for (const [kind, { level, more }] of this.#others) {
      this.#host.logger[level]({ code: kind, repeated: more }, `… ${more} more of ${kind} from others in ${seconds} s`)
    }
    this.#lines.clear()
    this.#others.clear()
  }
}

import { performance } from 'node:perf_hooks'
import { median } from '../statistics.ts'

/** Does its work over prepared input and says how often. What it computes goes to `sink`. */
export type Work = () => number

/** Two ways to the same end; the ratio of their speeds is printed. */
export interface Comparison {
  readonly about: string
  readonly ours: Work
  readonly other: Work
}

/** Operations per second of each side. */
export interface Timing {
  readonly about: string
  readonly ours: number
  readonly other: number
}

const samplesEach = 7
const sampleMs = 100
/** As much time without measuring first, so that the compiler is done. */
const warmUpSamples = 3

/** Takes results, so that no compiler may leave the work out as useless. */
export class Sink {
  #sum = 0

  add(value: number): void {
    this.#sum = (this.#sum + value) | 0
  }

  /** Read once at the end. */
  get sum(): number {
    return this.#sum
  }
}

/** Operations per second over about 100 ms. */
function sample(work: Work): number {
  const startedAt = performance.now()
  let operations = 0
  let elapsed = 0
  do {
    operations += work()
    elapsed = performance.now() - startedAt
  } while (elapsed < sampleMs)
  return (operations / elapsed) * 1000
}

/** Times both sides in turns, so that a disturbance meets both; medians. */
export function compare({ about, ours, other }: Comparison): Timing {
  const times = { ours: [] as number[], other: [] as number[] }
  for (let index = -warmUpSamples; index < samplesEach; index++) {
    const our = sample(ours)
    const their = sample(other)
    if (index < 0) continue
    times.ours.push(our)
    times.other.push(their)
  }
  return { about, ours: median(times.ours), other: median(times.other) }
}

import { Problem } from './problem.ts'

/** Limits of each address. */
export interface RequestLimitOptions {
  /** Requests in a second, for as long as one likes; twice as many at once. */
  readonly maximumRequestRate: number
  /** Wrong keys in a minute; then the address waits. */
  readonly maximumFailures: number
}

interface Bucket {
  level: number
  at: number
}

/** Addresses that are remembered; beyond that all are forgotten, which is generous for a moment. */
const maximumAddresses = 10_000
const failureWindow = 60_000

/** Counts what comes from each address: leaky buckets. */
export class RequestLimits {
  readonly #options: RequestLimitOptions
  readonly #requests = new Map<string, Bucket>()
  readonly #failures = new Map<string, Bucket>()

  constructor(options: RequestLimitOptions) {
    this.#options = options
  }

  /** @throws Problem `TOO_MANY_FAILURES`, `TOO_MANY_REQUESTS` */
  check(address: string): void {
    const { maximumRequestRate, maximumFailures } = this.#options
    const now = performance.now()
    if (levelOf(this.#failures.get(address), now, maximumFailures / failureWindow) > maximumFailures - 1) {
      throw new Problem('TOO_MANY_FAILURES', `${maximumFailures} wrong keys came in a minute: wait for one`)
    }
    const rate = maximumRequestRate / 1000
    const level = levelOf(this.#requests.get(address), now, rate)
    if (level + 1 > maximumRequestRate * 2) {
      throw new Problem('TOO_MANY_REQUESTS', `more than ${maximumRequestRate} requests in a second: wait for one`)
    }
    put(this.#requests, address, { level: level + 1, at: now })
  }

  /** A wrong key has come. */
  failed(address: string): void {
    const now = performance.now()
    const level = levelOf(this.#failures.get(address), now, this.#options.maximumFailures / failureWindow)
    put(this.#failures, address, { level: level + 1, at: now })
  }
}

function levelOf(bucket: Bucket | undefined, now: number, drainPerMillisecond: number): number {
  return bucket === undefined ? 0 : Math.max(0, bucket.level - (now - bucket.at) * drainPerMillisecond)
}

function put(buckets: Map<string, Bucket>, address: string, bucket: Bucket): void {
  if (buckets.size >= maximumAddresses && !buckets.has(address)) buckets.clear()
  buckets.set(address, bucket)
}

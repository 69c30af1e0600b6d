import { createHmac, randomBytes } from 'node:crypto'
import type { MaybePromise } from '@x/contract'
import { answerOf } from './http-answer.ts'
import type { HttpAnswer } from './http-answer.ts'
import { boundedFetch, unavailable, withoutUserInfo } from './bounded-fetch.ts'

/** Options of a server that is asked by HTTP. */
export interface HttpOptions {
  /** Where questions are posted, `http:` or `https:`. */
  readonly url: string
  /** ms for the whole of a response; 2000 by default. At the limit the client that it is about is refused. */
  readonly timeout?: number
  /** Questions at a time; 64 by default. One more is refused at once. */
  readonly maximumRequests?: number
  /** ms that an answer counts for the same question; 30 000 by default, 0: not at all. At most 10 000 answers are kept. */
  readonly cacheTime?: number
  /** Failures in a row after which the server is left alone for `pause` ms, during which all are refused at once; 5 by default. Then one
   * question finds out whether it is back. */
  readonly maximumFailures?: number
  /** ms; 10 000 by default. */
  readonly pause?: number
  /** Sent with each question, for instance `authorization`. */
  readonly headers?: Readonly<Record<string, string>>
  /** `body`: the response says `{"result":"allow"}`, `deny` or `ignore`, and more. `status`: 2xx allows, and its body counts for nothing.
   * `body` by default. */
  readonly answers?: 'body' | 'status'
}

/** How often what has happened. */
export interface HttpStatistics {
  requests: number
  failures: number
  /** Questions whose answer was known. */
  cached: number
  /** Questions that were refused at once: too many at a time, or the server is left alone. */
  refused: number
}

const mostAnswers = 10_000
const ranges = {
  timeout: [2000, 1, 60_000],
  maximumRequests: [64, 1, 65_535],
  cacheTime: [30_000, 0, 86_400_000],
  maximumFailures: [5, 1, 1_000_000],
  pause: [10_000, 1, 3_600_000],
} as const

interface Known {
  readonly answer: HttpAnswer
  /** Monotonic ms. */
  readonly until: number
}

/** Asks a server by HTTP. A server that hangs holds up whom it is asked about, for `timeout` ms, and nobody else. */
export class HttpService {
  readonly url: string
  readonly statistics: HttpStatistics = { requests: 0, failures: 0, cached: 0, refused: 0 }
  readonly #options: Required<Omit<HttpOptions, 'url'>>
  /** By question, oldest first. Keyed, so that no password can be found out from it. */
  readonly #known = new Map<string, Known>()
  readonly #secret = randomBytes(32)
  /** Questions that wait for an answer, by question: the same one is asked once. */
  readonly #pending = new Map<string, Promise<HttpAnswer>>()
  #failuresInARow = 0
  /** Monotonic ms; until then the server is left alone. */
  #pausedUntil = 0

  /** @throws RangeError for an option that is wrong */
  constructor({ url, headers = {}, answers = 'body', ...numbers }: HttpOptions) {
    if (!/^https?:$/.test(protocolOf(url)))
      throw new RangeError(`option url is '${url}', it must be a URL with http or https`)
    const whole = (name: keyof typeof ranges): number => {
      const [usual, least, most] = ranges[name]
      const value = numbers[name] ?? usual
      if (Number.isInteger(value) && value >= least && value <= most) return value
      throw new RangeError(`option ${name} is ${String(value)}, it must be a whole number from ${least} to ${most}`)
    }
    this.url = url
    this.#options = {
      timeout: whole('timeout'),
      maximumRequests: whole('maximumRequests'),
      cacheTime: whole('cacheTime'),
      maximumFailures: whole('maximumFailures'),
      pause: whole('pause'),
      headers,
      answers,
    }
  }

  /** @throws AuthError `HTTP_UNAVAILABLE`, or rejects with it */
  ask(question: Readonly<Record<string, unknown>>): MaybePromise<HttpAnswer> {
    const body = JSON.stringify(question)
    const key = createHmac('sha256', this.#secret).update(body).digest('base64')
    const known = this.#known.get(key)
    if (known !== undefined && isValid(known)) {
      this.statistics.cached += 1
      return known.answer
    }
    const pending = this.#pending.get(key)
    if (pending !== undefined) return pending
    this.#assertFree()
    const asked = this.#ask(body, key)
    this.#pending.set(key, asked)
    return asked
  }

  #assertFree(): void {
    const { maximumRequests, maximumFailures, pause } = this.#options
    const isDown = this.#failuresInARow >= maximumFailures
    const [why] = [
      ...(isDown && performance.now() < this.#pausedUntil
        ? [`it has failed ${this.#failuresInARow} times in a row, and is left alone for ${pause} ms`]
        : []),
      ...(isDown && this.#pending.size > 0 ? ['a question finds out whether it is back'] : []),
      ...(this.#pending.size >= maximumRequests
        ? [`${this.#pending.size} questions wait for an answer, the limit maximumRequests is ${maximumRequests}`]
        : []),
    ]
    if (why === undefined) return
    this.statistics.refused += 1
    throw unavailable(withoutUserInfo(this.url), why)
  }

  async #ask(body: string, key: string): Promise<HttpAnswer> {
    const { timeout, headers, answers, pause } = this.#options
    this.statistics.requests += 1
    try {
      const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body }
      const answer = answerOf(await boundedFetch(this.url, init, timeout), answers, withoutUserInfo(this.url))
      this.#failuresInARow = 0
      this.#keep(key, answer)
      return answer
    } catch (error) {
      this.statistics.failures += 1
      this.#failuresInARow += 1
      this.#pausedUntil = performance.now() + pause
      throw error
    } finally {
      this.#pending.delete(key)
    }
  }

  #keep(key: string, answer: HttpAnswer): void {
    const { cacheTime } = this.#options
    if (cacheTime === 0) return
    this.#known.delete(key)
    this.#known.set(key, { answer, until: performance.now() + cacheTime })
    const [oldest] = this.#known.keys()
    if (this.#known.size > mostAnswers && oldest !== undefined) this.#known.delete(oldest)
  }
}

function isValid({ answer: { expiresAt = Infinity }, until }: Known): boolean {
  return performance.now() < until && Date.now() < expiresAt
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : ''
}

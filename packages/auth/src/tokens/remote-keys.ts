import { errors } from 'jose'
import type { JWTVerifyGetKey } from 'jose'
import { boundedFetch, unavailable, withoutUserInfo } from '../http/bounded-fetch.ts'
import { keySetOf } from './key-set.ts'

/** ms. */
const timeout = 5000
const longestAge = 600_000
const shortestPause = 30_000
/** After a failure without any keys. */
const pauseWithoutKeys = 1000
/** Logins; more are refused at once, so that a server that hangs is not what all others wait for. */
const mostWaiting = 64

/** A JSON Web Key Set at a URL. Logins that need it at the same time wait for one request. */
export class RemoteKeys {
  readonly #url: string
  #keys: JWTVerifyGetKey | undefined
  /** Monotonic ms, of the last request, whether it succeeded or failed. */
  #askedAt = -Infinity
  #pending: Promise<JWTVerifyGetKey> | undefined
  /** Logins that wait for it. */
  #waiting = 0

  constructor(url: string) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new RangeError(`option keysUrl is '${url}', it must be a URL with http or https`)
    this.#url = url
  }

  /** The key of a token.
   * @throws AuthError `HTTP_UNAVAILABLE`, or an error of jose */
  async find(...[header, token]: Parameters<JWTVerifyGetKey>): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
    const keys = this.#isOld(longestAge) ? await this.#refreshed() : (this.#keys ?? (await this.#refreshed()))
    try {
      return await keys(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#isOld(shortestPause)) throw error
      const refreshed = await this.#refreshed()
      return refreshed(header, token)
    }
  }

  #isOld(age: number): boolean {
    return performance.now() - this.#askedAt >= age
  }

  /** Those from before where there are some and no others can be had. */
  async #refreshed(): Promise<JWTVerifyGetKey> {
    const before = this.#keys
    this.#assertFree()
    this.#pending ??= this.#read().finally(() => {
      this.#pending = undefined
    })
    this.#waiting += 1
    try {
      return await this.#pending
    } catch (error) {
      if (before === undefined) throw error
      return before
    } finally {
      this.#waiting -= 1
    }
  }

  #assertFree(): void {
    const shown = withoutUserInfo(this.#url)
    if (this.#waiting >= mostWaiting) throw unavailable(shown, `${mostWaiting} logins wait for its keys`)
    const hasNone = this.#keys === undefined && this.#pending === undefined
    if (hasNone && !this.#isOld(pauseWithoutKeys)) throw unavailable(shown, 'its keys could not be read a moment ago')
  }

  async #read(): Promise<JWTVerifyGetKey> {
    this.#askedAt = performance.now()
    const { status, text } = await boundedFetch(this.#url, {}, timeout)
    const shown = withoutUserInfo(this.#url)
    if (status !== 200) throw unavailable(shown, `it has responded with status ${status}`)
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw unavailable(shown, 'its response is no JSON', cause)
    }
    this.#keys = keySetOf(value)
    return this.#keys
  }
}

import type { MaybePromise } from '@x/contract'
import type { Acceptance, Login, LoginCheck, LoginVerdict, Proof } from '../login-check.ts'
import type { HttpAnswer } from './http-answer.ts'
import { HttpService } from './http-service.ts'
import type { HttpOptions, HttpStatistics } from './http-service.ts'

/** What an accepted login stands on. */
class HttpEvidence {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }
}

/** Asks a server who may come in: it gets `{"clientid", "username", "password"}`. It does not decide about a client without user name. One
 * that the server can't decide about, since it hangs or fails, is refused (0x88). */
export class HttpLogin implements LoginCheck {
  readonly #service: HttpService

  /** @throws RangeError for an option that is wrong */
  constructor(options: HttpOptions) {
    this.#service = new HttpService(options)
  }

  get statistics(): Readonly<HttpStatistics> {
    return this.#service.statistics
  }

  check({ clientId, username, password }: Login): MaybePromise<LoginVerdict | Acceptance> {
    if (username === undefined) return 'unknown'
    const answer = this.#service.ask({ clientid: clientId, username, password: password?.toString('utf8') ?? '' })
    return answer instanceof Promise ? answer.then(one => this.#verdictOf(one)) : this.#verdictOf(answer)
  }

  /** The server has no password to look at any more: whom it has let in stays, as long as it is the same server. */
  recheck({ evidence }: Proof): LoginVerdict {
    return evidence instanceof HttpEvidence && evidence.url === this.#service.url ? 'accept' : 'defer'
  }

  #verdictOf({ result, ...found }: HttpAnswer): LoginVerdict | Acceptance {
    if (result === 'allow') return { ...found, evidence: new HttpEvidence(this.#service.url) }
    return result === 'deny' ? 'refuse' : 'defer'
  }
}

import type { MaybePromise } from '@x/contract'
import type { Subject } from '../identity.ts'
import type { AuthorityAction, TopicAuthority } from '../topic-authority.ts'
import type { HttpAnswer } from './http-answer.ts'
import { HttpService } from './http-service.ts'
import type { HttpOptions, HttpStatistics } from './http-service.ts'

/** Numbers of actions, as Mosquitto's plugins have them. */
const numbers: Readonly<Record<AuthorityAction, number>> = { publish: 2, subscribe: 4 }

/** Asks a server who may publish and subscribe: it gets `{"clientid", "username", "topic", "action", "acc"}`; `action` is `publish` or
 * `subscribe`, `acc` its number, 2 or 4. What it does not allow, or can't decide about, is refused. */
export class HttpAuthority implements TopicAuthority {
  readonly #service: HttpService

  /** @throws RangeError for an option that is wrong */
  constructor(options: HttpOptions) {
    this.#service = new HttpService(options)
  }

  get statistics(): Readonly<HttpStatistics> {
    return this.#service.statistics
  }

  may(action: AuthorityAction, topic: string, { username = '', clientId }: Subject): MaybePromise<boolean> {
    const answer = this.#service.ask({ clientid: clientId, username, topic, action, acc: numbers[action] })
    return answer instanceof Promise ? answer.then(isAllowed) : isAllowed(answer)
  }
}

function isAllowed({ result }: HttpAnswer): boolean {
  return result === 'allow'
}

import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Clock } from '@x/contract'
import type { CheckedOptions } from '../ground/limits.ts'

/** What it needs of the engine. */
interface UserSessionsHost {
  readonly clock: Clock
  readonly options: CheckedOptions
}

interface Owned {
  readonly username: string
  /** When it expires, in ms; Infinity while its client is connected, or if it never expires. */
  expiresAt: number
}

/** Session Expiry Interval of a session that never expires. MQTT 5.0 §3.1.2.11.2 */
const forever = 0xffffffff

/** The sessions of each user name: of connected clients, and of clients that have left while their session goes on, as far as this
 * broker has seen them since its start. Empty without `maximumSessionsPerUser`. */
export class UserSessions {
  readonly #engine: UserSessionsHost
  readonly #byClient = new Map<string, Owned>()
  readonly #byUser = new Map<string, Set<string>>()

  constructor(engine: UserSessionsHost) {
    this.#engine = engine
  }

  /** Returns why the user may not have one more session. */
  problemOf(username: string | undefined, clientId: string): BrokerError | undefined {
    const { maximumSessionsPerUser } = this.#engine.options
    if (maximumSessionsPerUser === 0 || username === undefined) return undefined
    const sessions = this.#byUser.get(username)
    if (sessions === undefined || sessions.has(clientId) || sessions.size < maximumSessionsPerUser) return undefined
    this.#forgetExpired(sessions)
    if (sessions.size < maximumSessionsPerUser) return undefined
    return new BrokerError('SESSIONS_PER_USER_EXCEEDED', {
      message: `the user has ${sessions.size} sessions, the limit maximumSessionsPerUser is ${maximumSessionsPerUser}`,
      reasonCode: ReasonCode.quotaExceeded,
    })
  }

  /** The user has opened the session. */
  opened(username: string | undefined, clientId: string): void {
    if (this.#engine.options.maximumSessionsPerUser === 0) return
    this.forget(clientId)
    if (username === undefined) return
    this.#byClient.set(clientId, { username, expiresAt: Infinity })
    const sessions = this.#byUser.get(username)
    if (sessions === undefined) this.#byUser.set(username, new Set([clientId]))
    else sessions.add(clientId)
  }

  /** The client has left. `expiry`: seconds until the session expires. */
  closed(clientId: string, expiry: number): void {
    const owned = this.#byClient.get(clientId)
    if (owned === undefined) return
    if (expiry === 0) this.forget(clientId)
    else owned.expiresAt = expiry === forever ? Infinity : this.#engine.clock.now() + expiry * 1000
  }

  /** The session has ended, or another broker has taken it over. */
  forget(clientId: string): void {
    const owned = this.#byClient.get(clientId)
    if (owned === undefined) return
    this.#byClient.delete(clientId)
    const sessions = this.#byUser.get(owned.username)
    sessions?.delete(clientId)
    if (sessions?.size === 0) this.#byUser.delete(owned.username)
  }

  /** Their end may have been reported to another broker. */
  #forgetExpired(sessions: ReadonlySet<string>): void {
    const now = this.#engine.clock.now()
    for (const clientId of sessions) if ((this.#byClient.get(clientId)?.expiresAt ?? 0) <= now) this.forget(clientId)
  }
}

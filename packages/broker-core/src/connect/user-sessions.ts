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
  /** ms when it ends by itself; Infinity while its client is connected, or for ever. */
  expiresAt: number
}

/** Seconds that mean for ever. MQTT 5.0 §3.1.2.11.2 */
const forever = 0xffffffff

/** Whose sessions there are: those of connected clients, and those that outlive their connection, as far as they were seen here since the
 * broker was started. Empty without `maximumSessionsPerUser`. */
export class UserSessions {
  readonly #engine: UserSessionsHost
  readonly #byClient = new Map<string, Owned>()
  readonly #byUser = new Map<string, Set<string>>()

  constructor(engine: UserSessionsHost) {
    this.#engine = engine
  }

  /** Why the user may not have this session beside those it has. */
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

  /** The session is open, and the user's. */
  opened(username: string | undefined, clientId: string): void {
    if (this.#engine.options.maximumSessionsPerUser === 0) return
    this.forget(clientId)
    if (username === undefined) return
    this.#byClient.set(clientId, { username, expiresAt: Infinity })
    const sessions = this.#byUser.get(username)
    if (sessions === undefined) this.#byUser.set(username, new Set([clientId]))
    else sessions.add(clientId)
  }

  /** Its client has left. `expiry`: seconds that the session goes on. */
  closed(clientId: string, expiry: number): void {
    const owned = this.#byClient.get(clientId)
    if (owned === undefined) return
    if (expiry === 0) this.forget(clientId)
    else owned.expiresAt = expiry === forever ? Infinity : this.#engine.clock.now() + expiry * 1000
  }

  /** The session has ended, or is another broker's now. */
  forget(clientId: string): void {
    const owned = this.#byClient.get(clientId)
    if (owned === undefined) return
    this.#byClient.delete(clientId)
    const sessions = this.#byUser.get(owned.username)
    sessions?.delete(clientId)
    if (sessions?.size === 0) this.#byUser.delete(owned.username)
  }

  /** Another broker may have been told of their end. */
  #forgetExpired(sessions: ReadonlySet<string>): void {
    const now = this.#engine.clock.now()
    for (const clientId of sessions) if ((this.#byClient.get(clientId)?.expiresAt ?? 0) <= now) this.forget(clientId)
  }
}

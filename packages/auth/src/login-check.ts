import type { MaybePromise } from '@x/contract'
import type { SubjectDetails } from './access-rules.ts'

/** Who wants to connect. */
export interface Login {
  readonly clientId: string
  /** Undefined: none was given, or an empty one. */
  readonly username: string | undefined
  readonly password: Buffer | undefined
}

/** - `accept`, `refuse`: decided
 * - `unknown`: this check has no opinion, the next one is asked
 * - `defer`: likewise, but a client with a user name is refused if no other check accepts it, even where anonymous clients may come in */
export type LoginVerdict = 'accept' | 'refuse' | 'unknown' | 'defer'

/** What is known of a client that is let in. */
export interface Acceptance {
  /** Its user name from now on; that of CONNECT unless given. */
  readonly username?: string
  /** What the login stands on, for `recheck`. */
  readonly evidence?: unknown
  /** What rules may speak of. */
  readonly details?: SubjectDetails
  /** ms since 1970: it is ended then, within a second, with 0x87; MQTT 3 clients are closed. It never is unless given. */
  readonly expiresAt?: number
}

/** What an accepted client proved, for the question whether that still holds after a reload. */
export interface Proof {
  readonly username: string | undefined
  /** Made by the check that has accepted it; undefined: none has. */
  readonly evidence: unknown
}

/** One way to say who somebody is. Several are asked in their order, until one decides. */
export interface LoginCheck {
  /** An `Acceptance` accepts and says more; `accept` has nothing to add. Refuses for any fault: what is thrown or rejected lets nobody
   * in. */
  check(login: Login): MaybePromise<LoginVerdict | Acceptance>
  /** Whether a client that was accepted earlier, by this check or another one, would be so now, without its password. */
  recheck(proof: Proof): LoginVerdict
}

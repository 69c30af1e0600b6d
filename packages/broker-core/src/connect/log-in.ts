import type { MaybePromise } from '@x/contract'
import type { ConnectPacket } from '@x/packet'
import type { Attempt } from './attempt.ts'
import { BrokerError, toError } from '../ground/broker-error.ts'
import type { ClientConnection } from './client-connection.ts'
import { openSession } from './open-session.ts'
import type { NormalisedHooks } from '../hooks/hooks.ts'
import type { Applicant } from './login-guard.ts'
import { after, recover } from '../ground/maybe-promise.ts'
import { peerAddress } from './peer-address.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { connackCode, refuseConnect } from './refuse-connect.ts'

/** Reason codes of a failed login. */
const loginRefusals: ReadonlySet<number> = new Set([
  ReasonCode.badUserNameOrPassword,
  ReasonCode.notAuthorized,
  ReasonCode.banned,
  ReasonCode.badAuthenticationMethod,
])

/** Asks the hook `authenticate`, unless the client has failed too often. */
export function logIn(
  connection: ClientConnection,
  attempt: Attempt,
  authenticate: NonNullable<NormalisedHooks['authenticate']>,
): MaybePromise<void> {
  const { username, password } = attempt.packet
  const secret = password === undefined ? undefined : Buffer.from(password)
  const applicant = applicantOf(connection, attempt.packet)
  const isIn = recover(
    () =>
      after(
        askWhenPermitted(connection, applicant, () => authenticate(connection.client, username, secret)),
        isTrue,
      ),
    (thrown): boolean => {
      loginFailed(connection, applicant, thrown)
      refuseConnect(connection, toError(thrown), ReasonCode.notAuthorized)
      return false
    },
  )
  return after(isIn, isAllowed => {
    if (!isAllowed) return undefined
    connection.engine.logins.succeeded(applicant)
    return openSession(connection, attempt)
  })
}

/** Asks an authentication hook when its turn comes.
 * @throws BrokerError `FAILED_LOGINS_EXCEEDED`; `CONNECTION_CLOSED` for a client that has left meanwhile */
export function askWhenPermitted<Result>(
  connection: ClientConnection,
  applicant: Applicant,
  ask: () => MaybePromise<Result>,
): MaybePromise<Result> {
  const { logins, authentications } = connection.engine
  const permitted = (): MaybePromise<Result> => {
    // Other logins may have failed while it waited.
    const problem = logins.problemOf(applicant)
    if (problem !== undefined) throw problem
    if (connection.phase === 'closing' || connection.phase === 'closed') throw hasLeft()
    return ask()
  }
  const problem = logins.problemOf(applicant)
  if (problem !== undefined) throw problem
  return after(logins.delay(applicant), () => authentications.run(applicant.address, permitted))
}

/** `packet`: the CONNECT; undefined when a connected client authenticates again. */
export function applicantOf(connection: ClientConnection, packet: ConnectPacket | undefined): Applicant {
  return { address: peerAddress(connection), name: packet?.username ?? connection.client.id ?? '' }
}

/** Counts a failed login. An error of the hook or its database does not count. */
export function loginFailed({ engine }: ClientConnection, applicant: Applicant, thrown: unknown): void {
  if (loginRefusals.has(connackCode(toError(thrown), ReasonCode.notAuthorized))) engine.logins.failed(applicant)
}

function isTrue(ok: boolean | undefined): boolean {
  if (ok === true) return true
  throw new BrokerError('NOT_AUTHENTICATED', { message: 'not authorized', reasonCode: ReasonCode.notAuthorized })
}

function hasLeft(): BrokerError {
  return new BrokerError('CONNECTION_CLOSED', {
    message: 'the client left before it was its turn to log in',
    reasonCode: ReasonCode.unspecifiedError,
  })
}

import type { MaybePromise, OpenedSession } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import { after } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Session } from '../session/session.ts'
import type { Host } from './client-connection.ts'

/** Why the session that the store has just opened is one too many (`maximumSessions`); undefined: it is not. One that was there before
 * goes on. */
export function sessionProblem(
  engine: Host,
  session: Session,
  { present }: OpenedSession,
): MaybePromise<BrokerError | undefined> {
  const { maximumSessions } = engine.options
  if (maximumSessions === 0 || present || engine.clients.has(session.clientId)) return undefined
  return after(engine.persistence.counts(), ({ sessions: stored }) => {
    // The store has counted this one if it keeps it.
    const own = session.stored ? 0 : 1
    if (stored + engine.clients.size + own <= maximumSessions) return undefined
    const open = stored + transientsIn(engine) + own
    if (open <= maximumSessions) return undefined
    return new BrokerError('SESSIONS_EXCEEDED', {
      message: `${open - 1} clients are connected or have a session, the limit maximumSessions is ${maximumSessions}`,
      reasonCode: ReasonCode.serverBusy,
    })
  })
}

/** Connected clients whose session ends with the connection. */
function transientsIn({ clients }: Host): number {
  let count = 0
  for (const { session } of clients.values()) if (session?.stored === false) count += 1
  return count
}

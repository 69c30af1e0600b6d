import { PersistenceError, SESSION_NEVER_EXPIRES } from '@x/contract'
import type { Due, OpenedSession, OpenSessionRequest, SessionClosing, SessionHandle, Will } from '@x/contract'
import type { Steps } from './batch.ts'
import type { Deadline } from './deadlines.ts'
import type { Environment } from './environment.ts'
import type { Instances } from './instances.ts'
import { kind, numberAt, numberKey } from './keys.ts'
import type { SessionQueues } from './session-queue.ts'
import { SessionQuotas } from './session-quotas.ts'
import type { SessionQuotaParts } from './session-quotas.ts'
import { takenThrough } from './session-record.ts'
import type { SessionRecord } from './session-record.ts'
import type { SharedGroups } from './shared-groups.ts'
import type { Subscriptions } from './subscriptions.ts'

/** What sessions are kept with. */
export interface SessionStoreParts extends SessionQuotaParts {
  readonly environment: Environment
  readonly subscriptions: Subscriptions
  readonly queues: SessionQueues
  readonly groups: SharedGroups
  readonly instances: Instances
  /** Tells an owner, wherever it is, that its handle is stale. */
  readonly fence: (instance: number, handle: SessionHandle) => void
  /** Messages wait in these groups again. */
  readonly groupsReady: (names: readonly string[]) => void
}

/** Sessions by client: who owns them, when they end, and what ends with them. Called within a transaction. */
export class SessionStore {
  readonly #parts: SessionStoreParts
  readonly #quotas: SessionQuotas

  constructor(parts: SessionStoreParts) {
    this.#parts = parts
    this.#quotas = new SessionQuotas(parts)
  }

  /** The open session that the handle names.
   * @throws PersistenceError `FENCED` when the handle is of an earlier opening or the session is closed. */
  resolve(handle: SessionHandle): SessionRecord {
    const session = this.#parts.set.session(handle.clientId)
    if (
      session === undefined ||
      session.owner !== this.#parts.instances.own ||
      String(session.epoch) !== handle.epoch
    ) {
      throw new PersistenceError('FENCED', {
        message: `session of client '${handle.clientId}' is not open with epoch ${handle.epoch}`,
      })
    }
    return session
  }

  *open(request: OpenSessionRequest): Steps<OpenedSession> {
    const { set } = this.#parts
    const previous = set.session(request.clientId)
    this.#quotas.check(request, previous)
    const goesOn = previous !== undefined && !request.cleanStart && this.#lives(previous)
    const dueWill = previous === undefined ? undefined : this.#takeDueWill(previous, goesOn)
    if (previous !== undefined) this.#fence(previous)
    // A previous owner that was cut off could not say what it had sent: all that it was offered may have been.
    if (goesOn && previous.offeredThrough > previous.readThrough) {
      yield* this.#parts.queues.detach(previous, takenThrough(previous))
    }
    if (previous !== undefined && !goesOn) yield* this.#end(previous, takenThrough(previous))
    const session = goesOn ? previous : set.addSession(request.clientId)
    yield* this.#begin(session, request)
    return yield* this.#describe(session, goesOn, dueWill)
  }

  *close(handle: SessionHandle, closing: SessionClosing): Steps<Will | undefined> {
    const session = this.resolve(handle)
    const will = this.#parts.wills.take(session)
    const wanted = closing.will === 'publish' ? will : undefined
    return yield* this.#leave(session, closing, wanted)
  }

  /** Closes a session whose broker has died without closing it: what it may have sent counts as sent. */
  *abandon(clientId: string, instance: number): Steps<Will | undefined> {
    const session = this.#parts.set.session(clientId)
    if (session === undefined || session.owner !== instance) return undefined
    const { sessionExpiryInterval } = session
    const closing = { sessionExpiryInterval, sentThrough: takenThrough(session) } as const
    return yield* this.#leave(session, closing, this.#parts.wills.take(session))
  }

  /** Carries out the deadlines that have passed, at most `limit`; `looked`: how many of these were looks through queues. */
  *claimDue(limit: number): Steps<{ readonly due: readonly Due[]; readonly looked: number }> {
    const { deadlines, clock } = this.#parts
    const now = clock.now()
    const due: Due[] = []
    let looked = 0
    while (due.length + looked < limit) {
      const deadline = deadlines.take(now)
      if (deadline === undefined) break
      const { what } = deadline
      if (what === 'queueExpiry' || what === 'groupExpiry') {
        yield* this.#lookThrough(deadline)
        looked += 1
      } else due.push(...(yield* this.#carryOut(deadline)))
    }
    return { due, looked }
  }

  *#carryOut({ what, number, name: clientId }: Deadline): Steps<readonly Due[]> {
    const { set, wills } = this.#parts
    if (what === 'unconfirmedWill') {
      const will = wills.handOutAgain(number)
      return will === undefined ? [] : [{ kind: 'will', will }]
    }
    const session = set.session(clientId)
    if (session?.number !== number) return []
    if (what === 'sessionExpired') {
      yield* this.#end(session, takenThrough(session))
      return [{ kind: 'sessionExpired', clientId }]
    }
    session.willAt = undefined
    set.changed(session)
    const will = wills.take(session)
    return will === undefined ? [] : [{ kind: 'will', will: wills.handOut(will) }]
  }

  *#lookThrough({ what, number, name }: Deadline): Steps<void> {
    const { set, queues, groups } = this.#parts
    if (what === 'queueExpiry') {
      const session = set.session(name)
      if (session?.number === number) yield* queues.lookThrough(session)
    } else {
      const group = set.group(name)
      if (group?.number === number) yield* groups.lookThrough(group)
    }
  }

  *#leave(
    session: SessionRecord,
    closing: Pick<SessionClosing, 'sessionExpiryInterval' | 'sentThrough'>,
    will: Will | undefined,
  ): Steps<Will | undefined> {
    const { queues, groups, wills, groupsReady } = this.#parts
    const sentThrough = Math.max(session.sentThrough, closing.sentThrough)
    const { sessionExpiryInterval } = closing
    if (sessionExpiryInterval === 0) {
      yield* this.#end(session, sentThrough)
      return will && wills.handOut(will)
    }
    const returned = yield* groups.returnClaims(session, sentThrough)
    yield* queues.detach(session, sentThrough)
    this.#disown(session)
    yield* this.#setInterval(session, sessionExpiryInterval)
    const waits = will !== undefined && will.delayInterval > 0
    this.#setDeadlines(session, waits ? will : undefined)
    groupsReady(returned)
    return waits || will === undefined ? undefined : wills.handOut(will)
  }

  /** Whether a session is still there: with interval 0 it ended with its connection, which ends now at the latest. */
  #lives(session: SessionRecord): boolean {
    if (session.owner !== 0) return session.sessionExpiryInterval > 0
    return session.expiresAt === undefined || session.expiresAt > this.#parts.clock.now()
  }

  /** The will that a new connection finds: due when the session ended, when its delay is over unnoticed, or when it had
   * none and the connection ends by this take-over; dropped otherwise ([MQTT5-3.1.3-9], MQTT 5.0 §3.1.4). */
  #takeDueWill(session: SessionRecord, goesOn: boolean): Will | undefined {
    const { wills, clock } = this.#parts
    const will = wills.take(session)
    if (will === undefined) return undefined
    const { willAt } = session
    const isOver = willAt === undefined ? will.delayInterval === 0 : willAt <= clock.now()
    return !goesOn || isOver ? wills.handOut(will) : undefined
  }

  #fence(session: SessionRecord): void {
    const { set, fence } = this.#parts
    const { owner, clientId, epoch } = session
    if (owner === 0) return
    this.#disown(session)
    set.afterwards(() => fence(owner, { clientId, epoch: String(epoch) }))
  }

  *#begin(session: SessionRecord, request: OpenSessionRequest): Steps<void> {
    const { environment, set, wills, instances } = this.#parts
    this.#clearDeadlines(session)
    session.epoch = set.nextNumber()
    session.owner = instances.own
    environment.put(numberKey(kind.owned, instances.own, session.number), Buffer.from(session.clientId))
    if (request.will !== undefined) wills.put(session, request.will)
    // The same holds for what was claimed.
    session.sentThrough = takenThrough(session)
    yield* this.#setInterval(session, request.sessionExpiryInterval)
    set.changed(session)
  }

  #disown(session: SessionRecord): void {
    if (session.owner === 0) return
    this.#parts.environment.remove(numberKey(kind.owned, session.owner, session.number))
    session.owner = 0
    this.#parts.set.changed(session)
  }

  /** Ends a session with everything of it. */
  *#end(session: SessionRecord, sentThrough: number): Steps<void> {
    const { set, subscriptions, queues, groups, wills, groupsReady } = this.#parts
    const returned = yield* groups.returnClaims(session, sentThrough)
    for (const [index, { filter }] of (yield* subscriptions.all(session)).entries()) {
      yield* groups.leave(session, filter)
      subscriptions.remove(session, filter)
      if (index % 8 === 7) yield
    }
    yield* queues.clear(session)
    this.#clearRows(kind.claim, session)
    this.#clearRows(kind.received, session)
    wills.take(session)
    this.#clearDeadlines(session)
    this.#disown(session)
    if (session.sessionExpiryInterval > 0) set.count('sessions', -1)
    set.removeSession(session)
    groupsReady(returned)
  }

  #clearRows(first: number, session: SessionRecord): void {
    const { environment } = this.#parts
    const range = { start: numberKey(first, session.number), end: numberKey(first, session.number + 1) }
    for (const key of environment.collectKeys(range)) environment.remove(key)
  }

  *#setInterval(session: SessionRecord, sessionExpiryInterval: number): Steps<void> {
    const { set, subscriptions } = this.#parts
    const wasStored = session.sessionExpiryInterval > 0
    const isStored = sessionExpiryInterval > 0
    session.sessionExpiryInterval = sessionExpiryInterval
    set.changed(session)
    if (wasStored === isStored) return
    set.count('sessions', isStored ? 1 : -1)
    yield* subscriptions.reroute(session)
  }

  #setDeadlines(session: SessionRecord, will: Will | undefined): void {
    const { wills, deadlines, clock } = this.#parts
    const now = clock.now()
    const { number, clientId, sessionExpiryInterval } = session
    if (will !== undefined) {
      wills.put(session, will)
      session.willAt = now + Math.min(will.delayInterval, sessionExpiryInterval) * 1000
      deadlines.set(session.willAt, { what: 'will', number }, clientId)
    }
    if (sessionExpiryInterval !== SESSION_NEVER_EXPIRES) {
      session.expiresAt = now + sessionExpiryInterval * 1000
      deadlines.set(session.expiresAt, { what: 'sessionExpired', number }, clientId)
    }
  }

  #clearDeadlines(session: SessionRecord): void {
    const { deadlines } = this.#parts
    const { number, willAt, expiresAt } = session
    if (willAt !== undefined) deadlines.cancel(willAt, { what: 'will', number })
    if (expiresAt !== undefined) deadlines.cancel(expiresAt, { what: 'sessionExpired', number })
    session.willAt = undefined
    session.expiresAt = undefined
  }

  *#describe(session: SessionRecord, present: boolean, dueWill: Will | undefined): Steps<OpenedSession> {
    const { environment, subscriptions } = this.#parts
    const range = { start: numberKey(kind.received, session.number), end: numberKey(kind.received, session.number + 1) }
    return {
      handle: { clientId: session.clientId, epoch: String(session.epoch) },
      present,
      subscriptions: yield* subscriptions.all(session),
      received: Array.from(environment.keys(range), key => numberAt(key, 1)),
      sentThrough: session.sentThrough,
      lastSequence: session.lastSequence,
      dueWill,
    }
  }
}

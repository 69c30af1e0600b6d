import type {
  Due,
  MaybePromise,
  OpenedSession,
  OpenSessionRequest,
  QueueEntry,
  SessionClosing,
  SessionHandle,
  Subscription,
  Will,
} from '@x/contract'
import { keepMessage, messageBytes, PersistenceError, SESSION_NEVER_EXPIRES } from '@x/contract'
import { Deadlines } from './deadlines.ts'
import type { DueSubject } from './session.ts'
import { Session } from './session.ts'
import type { QueueContext } from './queue-context.ts'
import { SessionQueue } from './session-queue.ts'
import { returnClaims } from './returned-claims.ts'
import type { SharedGroup } from './shared-groups.ts'
import type { SubscriptionIndex } from './subscriptions.ts'

/** What sessions are kept with. */
export interface SessionStoreParts {
  readonly context: QueueContext
  readonly subscriptions: SubscriptionIndex
  readonly maximumSessions: number
  groupReady(group: string): void
  /** Makes the next epoch. */
  nextEpoch(): string
}

/** A session as another place has kept it. */
export interface RestoredSession {
  readonly clientId: string
  readonly subscriptions: readonly Subscription[]
  /** In ascending sequence; packet identifiers are derived from it. */
  readonly entries: readonly QueueEntry[]
  /** Highest sequence that may have been sent. */
  readonly sentThrough: number
}

/** Sessions by client: who owns them, when they end, and the wills that go with them. */
export class SessionStore {
  readonly #parts: SessionStoreParts
  readonly #sessions = new Map<string, Session>()
  readonly #deadlines = new Deadlines<DueSubject>()
  /** Sessions with an expiry interval above 0. */
  #stored = 0
  #willBytes = 0
  /** Carried out, and not yet claimed. */
  #due: Due[] = []

  constructor(parts: SessionStoreParts) {
    this.#parts = parts
  }

  /** Of all wills, those that wait for their delay included. */
  get willBytes(): number {
    return this.#willBytes
  }

  get storedCount(): number {
    return this.#stored
  }

  /** All of them, open or not, stored or not. */
  all(): Iterable<Session> {
    return this.#sessions.values()
  }

  /** The session of a client if it outlives its connection. */
  stored(clientId: string): Session | undefined {
    const session = this.#sessions.get(clientId)
    return session?.isStored === true ? session : undefined
  }

  /** The open session that the handle names.
   * @throws PersistenceError `FENCED` when the handle is of an earlier opening or the session is closed. */
  resolve(handle: SessionHandle): Session {
    const session = this.#sessions.get(handle.clientId)
    if (session === undefined || session.epoch !== handle.epoch || session.owner === undefined) {
      throw new PersistenceError('FENCED', {
        message: `session of client '${handle.clientId}' is not open with epoch ${handle.epoch}`,
      })
    }
    return session
  }

  queueOf(session: Session): SessionQueue {
    if (session.queue === undefined) {
      session.queue = new SessionQueue(this.#parts.context, session.clientId)
      if (session.owner !== undefined) session.queue.attach(session.owner)
    }
    return session.queue
  }

  open(request: OpenSessionRequest): OpenedSession {
    this.#freeDue(request)
    const previous = this.#sessions.get(request.clientId)
    this.#checkQuota(request, previous)
    this.#checkWills(request.will, previous?.will)
    const fencedOwner = previous?.owner
    const goesOn = previous !== undefined && !request.cleanStart && this.#lives(previous)
    const dueWill = previous === undefined ? undefined : this.#takeDueWill(previous, goesOn)
    const returned = previous !== undefined && !goesOn ? this.#end(previous, takenThrough(previous)) : []
    const session = goesOn ? previous : new Session(request.clientId)
    this.#begin(session, request)
    fencedOwner?.fenced()
    this.#announce(returned)
    return describe(session, { present: goesOn, dueWill })
  }

  /** A closed session that lives until it is opened. */
  restore({ clientId, subscriptions, entries, sentThrough }: RestoredSession): MaybePromise<void> {
    const previous = this.#sessions.get(clientId)
    if (previous !== undefined) this.#announce(this.#end(previous, takenThrough(previous)))
    const session = new Session(clientId)
    this.#sessions.set(clientId, session)
    this.#setInterval(session, SESSION_NEVER_EXPIRES)
    if (entries.length > 0) this.queueOf(session).restore(entries, sentThrough)
    return this.#parts.subscriptions.addAll(session, subscriptions)
  }

  close(handle: SessionHandle, closing: SessionClosing): Will | undefined {
    const session = this.resolve(handle)
    const will = closing.will === 'publish' ? session.will : undefined
    this.#setWill(session, undefined)
    if (closing.sessionExpiryInterval === 0) {
      this.#announce(this.#end(session, closing.sentThrough))
      return will
    }
    const returned = returnClaims(session, this.#parts.subscriptions, closing.sentThrough)
    session.queue?.detach(closing.sentThrough)
    session.owner = undefined
    this.#setInterval(session, closing.sessionExpiryInterval)
    const waits = will !== undefined && will.delayInterval > 0
    this.#setDeadlines(session, waits ? will : undefined)
    this.#announce(returned)
    return waits ? undefined : will
  }

  claimDue(limit: number): Due[] {
    while (this.#due.length < limit && this.#carryOut());
    return this.#due.splice(0, limit)
  }

  /** Carries out what is due first; false: nothing is. */
  #carryOut(): boolean {
    const subject = this.#deadlines.take(this.#parts.context.clock.now())?.subject
    if (subject === undefined) return false
    const { session } = subject
    if (subject.kind === 'sessionExpired') {
      this.#announce(this.#end(session, takenThrough(session)))
      this.#due.push({ kind: 'sessionExpired', clientId: session.clientId })
    } else if (session.will !== undefined) {
      this.#due.push({ kind: 'will', will: session.will })
      this.#setWill(session, undefined)
      session.willDelay = undefined
    }
    return true
  }

  /** What is over counts against no limit. */
  #freeDue({ sessionExpiryInterval, will }: OpenSessionRequest): void {
    const { maximumSessions, context } = this.#parts
    const { maximumWillBytes = Infinity } = context.limits
    const isFull = (): boolean =>
      (sessionExpiryInterval > 0 && this.#stored >= maximumSessions) ||
      this.#willBytes + bytesOf(will) > maximumWillBytes
    while (isFull() && this.#carryOut());
  }

  #checkQuota(request: OpenSessionRequest, previous: Session | undefined): void {
    const { maximumSessions } = this.#parts
    if (request.sessionExpiryInterval === 0 || previous?.isStored === true || this.#stored < maximumSessions) return
    throw new PersistenceError('QUOTA_EXCEEDED', {
      message: `${this.#stored} sessions are stored, the limit is maximumSessions of ${maximumSessions}`,
    })
  }

  /** The will it replaces, or which is dropped or due then, makes room. */
  #checkWills(will: Will | undefined, previous: Will | undefined): void {
    const { maximumWillBytes = Infinity } = this.#parts.context.limits
    if (will === undefined) return
    const bytes = this.#willBytes - bytesOf(previous) + bytesOf(will)
    if (bytes <= maximumWillBytes) return
    throw new PersistenceError('QUOTA_EXCEEDED', {
      message: `all wills would take ${bytes} bytes, the limit is maximumWillBytes of ${maximumWillBytes}`,
    })
  }

  #setWill(session: Session, will: Will | undefined): void {
    this.#willBytes += bytesOf(will) - bytesOf(session.will)
    session.will = will
  }

  /** Whether a session is still there: with interval 0 it ended with its connection, which ends now at the latest. */
  #lives(session: Session): boolean {
    if (session.owner !== undefined) return session.isStored
    return session.expiry === undefined || session.expiry.at > this.#parts.context.clock.now()
  }

  /** The will that a new connection finds: due when the session ended, when its delay is over unnoticed, or when it had
   * none and the connection ends by this takeover; dropped otherwise ([MQTT5-3.1.3-9], MQTT 5.0 §3.1.4). */
  #takeDueWill(session: Session, goesOn: boolean): Will | undefined {
    const { will, willDelay } = session
    this.#setWill(session, undefined)
    if (will === undefined) return undefined
    const isOver = willDelay === undefined ? will.delayInterval === 0 : willDelay.at <= this.#parts.context.clock.now()
    return !goesOn || isOver ? will : undefined
  }

  #begin(session: Session, request: OpenSessionRequest): void {
    this.#clearDeadlines(session)
    session.epoch = this.#parts.nextEpoch()
    session.owner = request.owner
    this.#setWill(session, request.will === undefined ? undefined : keepWill(request.will))
    session.queue?.attach(request.owner)
    this.#setInterval(session, request.sessionExpiryInterval)
    this.#sessions.set(session.clientId, session)
  }

  /** Ends a session. Returns the groups that got messages back. */
  #end(session: Session, sentThrough: number): readonly SharedGroup[] {
    const returned = returnClaims(session, this.#parts.subscriptions, sentThrough)
    this.#parts.subscriptions.removeAll(session)
    session.queue?.clear()
    session.queue = undefined
    session.owner = undefined
    this.#setWill(session, undefined)
    this.#clearDeadlines(session)
    this.#setInterval(session, 0)
    this.#sessions.delete(session.clientId)
    return returned
  }

  #announce(groups: readonly SharedGroup[]): void {
    for (const group of groups) if (group.members.size > 0) this.#parts.groupReady(group.name)
  }

  #setInterval(session: Session, sessionExpiryInterval: number): void {
    const wasStored = session.isStored
    session.sessionExpiryInterval = sessionExpiryInterval
    if (wasStored === session.isStored) return
    this.#stored += wasStored ? -1 : 1
    this.#parts.subscriptions.reroute(session)
  }

  /** The will first: at the same moment it is due before the session ends. */
  #setDeadlines(session: Session, will: Will | undefined): void {
    const now = this.#parts.context.clock.now()
    const { sessionExpiryInterval } = session
    if (will !== undefined) {
      this.#setWill(session, will)
      const delay = Math.min(will.delayInterval, sessionExpiryInterval)
      session.willDelay = this.#deadlines.set(now + delay * 1000, { kind: 'will', session })
    }
    if (sessionExpiryInterval !== SESSION_NEVER_EXPIRES) {
      session.expiry = this.#deadlines.set(now + sessionExpiryInterval * 1000, { kind: 'sessionExpired', session })
    }
  }

  #clearDeadlines(session: Session): void {
    if (session.willDelay !== undefined) this.#deadlines.cancel(session.willDelay)
    if (session.expiry !== undefined) this.#deadlines.cancel(session.expiry)
    session.willDelay = undefined
    session.expiry = undefined
  }
}

function takenThrough(session: Session): number {
  return session.queue?.takenThrough ?? 0
}

function bytesOf(will: Will | undefined): number {
  return will === undefined ? 0 : messageBytes(will.message)
}

function keepWill(will: Will): Will {
  return { ...will, message: keepMessage(will.message) }
}

function describe(session: Session, found: Pick<OpenedSession, 'present' | 'dueWill'>): OpenedSession {
  const { queue, subscriptions, received } = session
  return {
    handle: { clientId: session.clientId, epoch: session.epoch },
    present: found.present,
    subscriptions: Array.from(subscriptions?.values() ?? [], ({ subscription }) => subscription),
    received: [...(received ?? [])],
    sentThrough: queue?.sentThrough ?? 0,
    lastSequence: queue?.lastSequence ?? 0,
    dueWill: found.dueWill,
  }
}

import type { SessionOwner, Subscription, Will } from '@x/contract'
import type { Deadline } from './deadlines.ts'
import type { SessionQueue } from './session-queue.ts'
import type { SharedGroup, WaitingMessage } from './shared-groups.ts'

/** A subscription of a session, as the routes hold it. */
export interface SubscriptionRecord {
  readonly session: Session
  readonly subscription: Subscription
  /** Order of subscribing; a replaced subscription keeps its place. */
  readonly ordinal: number
}

/** Where an entry of a session came from, so that it can go back there. */
export interface Claim {
  readonly group: SharedGroup
  readonly waiting: WaitingMessage
}

/** What falls due: the delayed will of a session, or the session itself. */
export interface DueSubject {
  readonly kind: 'will' | 'sessionExpired'
  readonly session: Session
}

/** The state of one session. Everything that most sessions don't need is made when it is needed first: tens of thousands
 * of clients that leave nothing behind cost this object each. */
export class Session {
  readonly clientId: string
  epoch = ''
  /** Set exactly while the session is open. */
  owner: SessionOwner | undefined
  /** Seconds; of the present or, when closed, the last connection. 0: ends with the connection. */
  sessionExpiryInterval = 0
  /** While open: the will of the connection. While closed: the will that waits for its delay. */
  will: Will | undefined
  /** Pending exactly while the session is closed and a will waits. */
  willDelay: Deadline<DueSubject> | undefined
  /** Pending exactly while the session is closed and does not live for ever. */
  expiry: Deadline<DueSubject> | undefined
  queue: SessionQueue | undefined
  /** By filter. */
  subscriptions: Map<string, SubscriptionRecord> | undefined
  /** Those of them that are shared. */
  sharedFilters: Set<string> | undefined
  /** Packet ids of QoS 2 messages received and not completed. */
  received: Set<number> | undefined
  /** Claimed and not acknowledged, by sequence. */
  claims: Map<number, Claim> | undefined

  constructor(clientId: string) {
    this.clientId = clientId
  }

  /** Whether the store queues messages for it. */
  get isStored(): boolean {
    return this.sessionExpiryInterval > 0
  }
}

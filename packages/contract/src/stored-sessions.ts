import type { LazyPage } from './lazy-page.ts'
import type { MaybePromise } from './maybe-promise.ts'
import type { QueueEntry } from './queue-entry.ts'
import type { Subscription } from './subscription.ts'

/** A session that outlives its connection, as it is shown to people. */
export interface StoredSession {
  readonly clientId: string
  /** A connection has it open, here or at another broker. */
  readonly isOpen: boolean
  /** Seconds. */
  readonly sessionExpiryInterval: number
  /** ms since the epoch; undefined: it is open, or never expires. */
  readonly expiresAt: number | undefined
  readonly subscriptions: number
  /** In its queue, those in flight included. */
  readonly queuedMessages: number
}

/** Looks at the sessions of a store: for people, never for the work of the broker. Nothing is opened, taken or fenced by that. */
export interface StoredSessions {
  /** Every session with an expiry interval above 0, each once. One that begins or ends meanwhile may be missing. */
  list(): MaybePromise<LazyPage<StoredSession>>
  /** Undefined: there is no such session. */
  find(clientId: string): MaybePromise<StoredSession | undefined>
  /** In the order of subscribing; none when there is no such session. */
  subscriptions(clientId: string): MaybePromise<readonly Subscription[]>
  /** The entries of its queue with a sequence above `after`, in order, at most `limit`. */
  queue(clientId: string, after: number, limit: number): MaybePromise<readonly QueueEntry[]>
  /** Drops the messages that wait in its queue. Those that its client may have been sent stay, since their delivery has begun. Returns
   * how many were dropped. */
  clearQueue(clientId: string): MaybePromise<number>
}

import type { Clock } from './clock.ts'
import type { LazyPage } from './lazy-page.ts'
import type { MaybePromise } from './maybe-promise.ts'
import type { Message } from './message.ts'
import type { PersistenceCounts } from './persistence-counts.ts'
import type { Delivery, QueueEntry } from './queue-entry.ts'
import type { Slices } from './slices.ts'
import type { StoredSessions } from './stored-sessions.ts'
import type { Subscription } from './subscription.ts'
import type { TaskStore } from './task-store.ts'

/** A Session Expiry Interval that never ends. MQTT 5.0 §3.1.2.11.2 */
export const SESSION_NEVER_EXPIRES = 0xffffffff

/** Sessions, their queues, retained messages and wills. MQTT 5.0 §4.1, §3.1.2.5, §3.3.1.3
 *
 * Every method is atomic: another call, of this broker or another one, sees all of it or nothing. A call that has returned, or
 * whose promise has resolved, means that the change is as durable as the store promises to be; a rejection (or throw) means that nothing was changed, or that
 * repeating the call is harmless. Calls for one session take effect in the order they were made.
 *
 * A session has at most one owner. `openSession` makes the caller the owner and gives the session a new epoch; every
 * later call with an older handle, or with the handle of a session that was closed since, is refused with
 * `PersistenceError` `FENCED` and changes nothing. */
export interface Persistence extends TaskStore {
  /** What this store does not do is declared here, and the compliance suite tests that it is refused. */
  readonly supports: PersistenceSupports

  /** Must be called, and its promise resolved, before any other method. A second call is refused with `ALREADY_OPEN`. */
  open(host: PersistenceHost): MaybePromise<void>
  /** Idempotent. Afterwards every other method is refused with `NOT_OPEN`. What was stored by a durable store is there
   * again after the next `open`. */
  close(): MaybePromise<void>

  /** Takes a session over, or makes it. With `cleanStart` an existing session of that client ends first: its
   * subscriptions, queue and received ids are gone ([MQTT5-3.1.2-4]).
   *
   * The previous owner's `fenced()` is called. A will that was waiting for its delay is dropped when the session goes
   * on ([MQTT5-3.1.3-9]) and returned as `dueWill` when it ended, or when its delay had passed without `claimDue`. The
   * will of an owner that is fenced is treated in the same way, and without a delay it is due (MQTT 5.0 §3.1.4). A
   * fenced owner's session with interval 0 ends. What a fenced owner had taken counts as sent (`sentThrough`), and a
   * session that goes on keeps the shared messages it had claimed. */
  openSession(request: OpenSessionRequest): MaybePromise<OpenedSession>

  /** The owner's connection has ended. Nothing is delivered to the owner afterwards.
   *
   * With `sessionExpiryInterval` 0 the session ends now; otherwise its deadline is set. Shared messages it had claimed
   * and not acknowledged go back to the front of their group in their order, except QoS 2 messages up to
   * `sentThrough`, which stay with the session ([MQTT5-4.8.2-4]) and end with it ([MQTT5-4.8.2-5]).
   *
   * Returns the will to be published now, if any: with `will: 'publish'` and a delay of 0 or a session that ends; with
   * a longer delay `claimDue` returns it when its time has come. `will: 'discard'` removes it. */
  closeSession(session: SessionHandle, closing: SessionClosing): MaybePromise<Will | undefined>

  /** Adds the subscriptions, replacing those with the same filter; returns for each whether that filter was there
   * before (what Retain Handling 1 asks). A message that is published after the call has resolved is matched against them. */
  subscribe(session: SessionHandle, subscriptions: readonly Subscription[]): MaybePromise<readonly boolean[]>
  /** Removes subscriptions; returns for each filter whether it was there. What is already queued stays queued
   * ([MQTT5-3.10.4-3]). A shared group ends with its last member, and what waits in it is gone. */
  unsubscribe(session: SessionHandle, filters: readonly string[]): MaybePromise<readonly boolean[]>

  /** Stores what has to outlive this call: with `retain` the retained message of the topic (an empty payload removes
   * it), with QoS 1 or 2 one entry for each stored session whose subscriptions match (merged as by
   * `mergeSubscriptions`; those of effective QoS 0 get none: the broker sends these itself), and one entry for each
   * matching shared group. When the host `queuesAtMostOnce`, stored sessions that are not open get entries of QoS 0, too, also of messages
   * that were published with QoS 0.
   *
   * With a receipt the packet id is recorded as received in the same step, so that a QoS 2 message can't be stored
   * without its id or the other way round. While that id is recorded, the same receipt again stores nothing.
   *
   * Rejects with `FENCED` when the publisher's session, which was open here, has been opened elsewhere since.
   *
   * An entry of an open session is offered to its owner's `deliver`, in sequence order, before this returns or soon
   * afterwards; groups are announced by `groupReady`. A message published earlier by the same publisher has the lower
   * sequence.
   *
   * Returns how many stored sessions and shared groups the message was for: what the publisher is told with reason code
   * 0x10 (No matching subscribers) depends on it. 0 for a repeated receipt. */
  publish(message: Message, receipt?: Receipt): MaybePromise<number>

  /** Queues messages for this session alone (retained messages for a new subscription, messages the program sends to one
   * client), under the same promises as `publish`; also for a session with interval 0. */
  enqueue(session: SessionHandle, deliveries: readonly Delivery[]): MaybePromise<void>

  /** Queues a message that {@link retained} has given, unless another one has taken its place meanwhile, or none: what has overtaken it
   * may be queued already. A store that returns promises has this method; for others `enqueue` does. */
  enqueueRetained?(session: SessionHandle, delivery: Delivery): MaybePromise<void>

  /** The entries with a sequence above `after`, in order, at most `limit`; the owner has taken what is returned. Expired
   * messages are left out and dropped, unless their delivery has begun: what was taken, or sent before, stays
   * ([MQTT5-3.3.2-5]). */
  read(session: SessionHandle, after: number, limit: number): MaybePromise<readonly QueueEntry[]>

  /** The entry with this sequence, whoever has taken it; undefined: there is none (any more). Nothing is taken or dropped by that. */
  entry(session: SessionHandle, sequence: number): MaybePromise<QueueEntry | undefined>

  /** The client has taken the message over (PUBACK, PUBCOMP, or an error code in PUBACK or PUBREC): the entry is gone.
   * Unknown sequences are ignored, so it may be repeated. */
  acknowledge(session: SessionHandle, sequence: number): MaybePromise<void>
  /** PUBREC arrived: the message is no longer needed, the PUBREL is ([MQTT5-4.3.3-6]). Later reads show the entry with
   * `released: true`. PUBREL goes out once this has resolved. May be repeated. */
  release(session: SessionHandle, sequence: number): MaybePromise<void>
  /** PUBREL arrived: the packet id of a receipt is free again. PUBCOMP goes out once this has resolved. May be repeated. */
  complete(session: SessionHandle, packetId: number): MaybePromise<void>

  /** Gives up to `limit` waiting messages of a shared group to this session, which must be a member. They become
   * entries of the session, with sequences of its own; those of effective QoS 0 are not kept and need no
   * acknowledgement. Empty: nothing waits, or the session is no member (any more). Each message is claimed by one
   * session only. */
  claim(session: SessionHandle, group: string, limit: number): MaybePromise<readonly QueueEntry[]>

  /** The retained messages whose topics match, expired ones left out, each topic once. A plain filter, not a shared one. */
  retained(filter: string): MaybePromise<RetainedPage>
  /** Deadlines that have passed, at most `limit`, each returned to exactly one caller of all brokers: wills whose delay is over, sessions
   * that have expired. What it returns is carried out in the store. Expired messages are freed on the way, in proportion to `limit`. */
  claimDue(limit: number): MaybePromise<DueBatch>

  /** A will that `openSession`, `closeSession` or `claimDue` has returned was published, or a hook has refused it. May be repeated. A store
   * that several brokers share has this method, and keeps the will until then: `claimDue` returns it 30 s after each time it was returned. */
  confirmWill?(will: Will): MaybePromise<void>
  /** Like `publish`, for the message of a will that the store has returned: stored once, however often the will comes back. 0 if it was. */
  publishWill?(will: Will, message: Message): MaybePromise<number>
  /** What is stored now; may be a moment old. */
  counts(): MaybePromise<PersistenceCounts>

  /** Shows the sessions to people. Undefined: this store can't be looked into. */
  readonly storedSessions?: StoredSessions | undefined
}

/** Retained messages as far as they were found at small cost. */
export type RetainedPage = LazyPage<Message>

/** What a store does and does not support. The compliance suite tests the declared absence as well. */
export interface PersistenceSupports {
  /** What was stored is there again after `close` and `open` (or a new process). `'partly'`: retained messages, subscriptions
   * (without their identifiers) and what is queued, in its order; not sequences, properties, sources, deadlines, received packet ids. */
  readonly durable: boolean | 'partly'
  /** Brokers that open it on the same data have the same sessions, groups and retained messages: what one publishes it delivers to
   * sessions of all. */
  readonly shared: boolean
  /** `$share` groups: without it, `subscribe` refuses such a filter with `NOT_SUPPORTED`. */
  readonly sharedSubscriptions: boolean
  /** Does what {@link PersistenceHost.queuesAtMostOnce} asks for. */
  readonly queuesAtMostOnce?: boolean
  /** Keeps all of {@link StoreLimits}; by default only those of {@link QueueLimits}. */
  readonly storeLimits?: boolean
  /** Gives each task to one of several brokers: {@link TaskStore.holdTask}. */
  readonly tasks?: boolean
}

/** What a store needs from the broker that opens it. */
export interface PersistenceHost {
  readonly brokerId: string
  /** Does not jump while the process lives: a `SteadyClock`. A store that outlives the process converts times at its edge. */
  readonly clock: Clock
  /** Long work is done in these, so that the event loop stays free. */
  readonly slices: Slices
  readonly limits: StoreLimits
  /** Messages of effective QoS 0 are queued for sessions that are not open. */
  readonly queuesAtMostOnce?: boolean
  /** Messages wait in a shared group. Called for every message that joins a group and when some come back to it. The
   * group is the shared filter, `$share/{ShareName}/{filter}`. `publisher` is the message's; undefined when there is none
   * or the store doesn't know. */
  groupReady(group: string, publisher: string | undefined): void
  /** Messages were dropped from a queue: by the limits, or because they expired. */
  dropped(drop: Drop): void
}

/** Messages that a queue has dropped. */
export interface Drop {
  /** Client identifier, or the shared filter of a group. */
  readonly queue: string
  readonly reason: 'queueFull' | 'expired'
  readonly count: number
}

/** Bounds of what waits in one session's queue and in one group's queue. An entry that its owner has taken, or that was
 * sent before, does not wait and does not count; nor does one that goes straight to an owner with room. */
export interface QueueLimits {
  /** Entries waiting in a queue. */
  readonly maximumQueuedMessages: number
  /** Bytes waiting in a queue, as counted by `messageBytes`. */
  readonly maximumQueuedBytes: number
  /** At either limit: `dropOldest` drops the oldest entry that was not yet taken by the owner (or sent before); when there
   * is none, or with `dropNewest`, the new one is dropped. */
  readonly overflow: 'dropOldest' | 'dropNewest'
}

/** Bounds of a store as a whole, beside those of each queue; undefined: none. What has expired counts against none of them. A store that
 * several brokers share may count what this broker holds of it. */
export interface StoreLimits extends QueueLimits {
  /** Bytes, as counted by `messageBytes`, that wait in all queues of sessions and groups together. At the limit a queue drops by its
   * `overflow`: `dropOldest` takes from the largest queue. */
  readonly maximumTotalQueuedBytes?: number | undefined
  /** Bytes, as counted by `messageBytes`, of all wills: of open sessions, and of those that wait for their delay. At the limit
   * `openSession` is refused with `QUOTA_EXCEEDED`, and nothing is changed. */
  readonly maximumWillBytes?: number | undefined
  /** Retained messages that one client has published last; those of the broker itself are nobody's. At the limit `publish` is refused
   * with `QUOTA_EXCEEDED`. */
  readonly maximumRetainedMessagesPerClient?: number | undefined
  /** Bytes of these, as counted by `messageBytes`, likewise. */
  readonly maximumRetainedBytesPerClient?: number | undefined
}

/** The owner's side of an open session. */
export interface SessionOwner {
  /** Offers the entry. True: taken, the owner has it in flight. False: the owner has no room and will `read` it later;
   * from then on it is offered nothing until it has read up to the newest entry. The same holds from the opening of a
   * session that has entries. Before it returns, it may call the store, closing this session for example. */
  deliver(entry: QueueEntry): boolean
  /** Another connection has opened the session, here or on another broker: this owner's handle is stale. */
  fenced(): void
}

/** Names an open session towards its store. `epoch` differs for each opening. */
export interface SessionHandle {
  readonly clientId: string
  readonly epoch: string
}

/** What a connection wants of its session. MQTT 5.0 §3.1.2.4 */
export interface OpenSessionRequest {
  readonly clientId: string
  readonly cleanStart: boolean
  /** Seconds the session outlives its connection. 0: the store keeps no queue for it (the broker delivers by itself) and
   * `publish` passes it by; subscriptions to shared groups, claims and the will are kept all the same.
   * {@link SESSION_NEVER_EXPIRES}: for ever. */
  readonly sessionExpiryInterval: number
  readonly will: Will | undefined
  readonly owner: SessionOwner
}

/** A session that is open, with everything that the store has of it. */
export interface OpenedSession {
  readonly handle: SessionHandle
  /** Whether a session was there and goes on. */
  readonly present: boolean
  readonly subscriptions: readonly Subscription[]
  /** Packet ids of QoS 2 messages that were received and not completed. */
  readonly received: readonly number[]
  /** Entries up to this sequence may have been sent on an earlier connection: they are sent again with DUP. */
  readonly sentThrough: number
  /** Sequence of the newest entry that was ever queued; the next one is higher by one. Starts at 0. */
  readonly lastSequence: number
  readonly dueWill: Will | undefined
}

/** How a session is closed. */
export interface SessionClosing {
  readonly sessionExpiryInterval: number
  readonly will: 'publish' | 'discard'
  /** Highest sequence sent on this or an earlier connection. */
  readonly sentThrough: number
}

/** The will of a client. MQTT 5.0 §3.1.2.5 */
export interface Will {
  readonly clientId: string
  readonly message: Message
  /** Message Expiry Interval in seconds, counted from the moment it is published; undefined: never. */
  readonly messageExpiryInterval: number | undefined
  /** Seconds. MQTT 5.0 §3.1.3.2.2 */
  readonly delayInterval: number
}

/** The packet identifier of a QoS 2 message from a client, which the store remembers until `complete`. MQTT 5.0 §4.3.3 */
export interface Receipt {
  readonly session: SessionHandle
  readonly packetId: number
}

/** Something whose time has come. */
export type Due =
  | { readonly kind: 'will'; readonly will: Will }
  | { readonly kind: 'sessionExpired'; readonly clientId: string }

/** What one call of `claimDue` has carried out. */
export interface DueBatch extends ReadonlyArray<Due> {
  /** More may be due, although fewer than the limit are returned: expired messages, which nobody is told of, were freed instead. */
  readonly more?: boolean | undefined
}

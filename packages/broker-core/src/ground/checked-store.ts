import type {
  Delivery,
  DueBatch,
  MaybePromise,
  Message,
  OpenedSession,
  OpenSessionRequest,
  Persistence,
  PersistenceCounts,
  PersistenceHost,
  PersistenceSupports,
  QueueEntry,
  Receipt,
  RetainedPage,
  SessionClosing,
  SessionHandle,
  StoredSessions,
  Subscription,
  Will,
} from '@x/contract'
import { ownPromise } from './maybe-promise.ts'
import { storeResult } from './store-results.ts'

/** The store as the engine uses it: each method returns what the contract says, or fails.
 *
 * A result that the engine builds on is checked when it comes, so that a wrong one fails the step that asked for it and nothing else. A
 * promise is always one of the language, whatever the store's own promises do. */
export class CheckedStore implements Persistence {
  /** As the program gave it. */
  readonly given: Persistence
  readonly enqueueRetained?: NonNullable<Persistence['enqueueRetained']>
  readonly confirmWill?: NonNullable<Persistence['confirmWill']>
  readonly holdTask?: NonNullable<Persistence['holdTask']>
  readonly giveUpTask?: NonNullable<Persistence['giveUpTask']>
  readonly publishWill?: NonNullable<Persistence['publishWill']>

  constructor(given: Persistence) {
    this.given = given
    if (given.enqueueRetained !== undefined) {
      this.enqueueRetained = (session, delivery) => ownPromise(given.enqueueRetained?.(session, delivery))
    }
    if (given.confirmWill !== undefined) this.confirmWill = will => ownPromise(given.confirmWill?.(will))
    if (given.holdTask !== undefined) this.holdTask = name => ownPromise(given.holdTask?.(name) ?? true)
    if (given.giveUpTask !== undefined) this.giveUpTask = name => ownPromise(given.giveUpTask?.(name))
    if (given.publishWill !== undefined)
      this.publishWill = (will, message) => ownPromise(given.publishWill?.(will, message) ?? 0)
  }

  get supports(): PersistenceSupports {
    return this.given.supports
  }

  /** For people: nothing of the engine is built on what it says. */
  get storedSessions(): StoredSessions | undefined {
    return this.given.storedSessions
  }

  open(host: PersistenceHost): MaybePromise<void> {
    return ownPromise(this.given.open(host))
  }

  close(): MaybePromise<void> {
    return ownPromise(this.given.close())
  }

  openSession(request: OpenSessionRequest): MaybePromise<OpenedSession> {
    return storeResult('openSession', this.given.openSession(request))
  }

  closeSession(session: SessionHandle, closing: SessionClosing): MaybePromise<Will | undefined> {
    return storeResult('closeSession', this.given.closeSession(session, closing))
  }

  subscribe(session: SessionHandle, subscriptions: readonly Subscription[]): MaybePromise<readonly boolean[]> {
    return storeResult('subscribe', this.given.subscribe(session, subscriptions))
  }

  unsubscribe(session: SessionHandle, filters: readonly string[]): MaybePromise<readonly boolean[]> {
    return storeResult('unsubscribe', this.given.unsubscribe(session, filters))
  }

  /** For each message: only a promise is looked at, and a number that is none counts as 0 receivers. */
  publish(message: Message, receipt?: Receipt): MaybePromise<number> {
    return ownPromise(this.given.publish(message, receipt))
  }

  enqueue(session: SessionHandle, deliveries: readonly Delivery[]): MaybePromise<void> {
    return ownPromise(this.given.enqueue(session, deliveries))
  }

  read(session: SessionHandle, after: number, limit: number): MaybePromise<readonly QueueEntry[]> {
    return storeResult('read', this.given.read(session, after, limit))
  }

  entry(session: SessionHandle, sequence: number): MaybePromise<QueueEntry | undefined> {
    return storeResult('entry', this.given.entry(session, sequence))
  }

  acknowledge(session: SessionHandle, sequence: number): MaybePromise<void> {
    return ownPromise(this.given.acknowledge(session, sequence))
  }

  release(session: SessionHandle, sequence: number): MaybePromise<void> {
    return ownPromise(this.given.release(session, sequence))
  }

  complete(session: SessionHandle, packetId: number): MaybePromise<void> {
    return ownPromise(this.given.complete(session, packetId))
  }

  claim(session: SessionHandle, group: string, limit: number): MaybePromise<readonly QueueEntry[]> {
    return storeResult('claim', this.given.claim(session, group, limit))
  }

  retained(filter: string): MaybePromise<RetainedPage> {
    return storeResult('retained', this.given.retained(filter))
  }

  claimDue(limit: number): MaybePromise<DueBatch> {
    return storeResult('claimDue', this.given.claimDue(limit))
  }

  counts(): MaybePromise<PersistenceCounts> {
    return storeResult('counts', this.given.counts())
  }
}

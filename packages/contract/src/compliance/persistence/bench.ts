import assert from 'node:assert/strict'
import type { PersistenceErrorCode } from '../../errors.ts'
import { PersistenceError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import type { MaybePromise } from '../../maybe-promise.ts'
import type {
  Drop,
  Due,
  OpenedSession,
  Persistence,
  PersistenceHost,
  QueueLimits,
  RetainedPage,
  SessionClosing,
  SessionHandle,
  SessionOwner,
  Will,
} from '../../persistence.ts'
import type { QueueEntry } from '../../queue-entry.ts'
import { Slices } from '../../slices.ts'
import type { Subscription } from '../../subscription.ts'
import { ManualClock } from '../../testing/manual-clock.ts'
import { settle, soon } from '../soon.ts'

/** What is needed to check a store. */
export interface PersistenceUnderTest {
  /** A fresh, empty store that is not open yet. */
  factory(): MaybePromise<Persistence>
  /** Another store, not open yet, on the data of one that is open: what a second broker would use. Leave it out when
   * two can't be open at once. */
  reopen?: ((store: Persistence) => MaybePromise<Persistence>) | undefined
  /** Milliseconds in which news of one store usually reaches its owner and the other brokers: what must come is waited for longer, and
   * what has not come by then counts as what does not come. Default 0: one turn of the event loop. */
  settleMilliseconds?: number | undefined
}

/** An owner that notes what it is offered and takes as much as it has room for. */
export class RecordingOwner implements SessionOwner {
  readonly taken: QueueEntry[] = []
  readonly refused: QueueEntry[] = []
  fencedCount = 0
  room: number = Infinity
  /** What a program does while it is asked whether the client may have the entry. */
  meanwhile: (() => void) | undefined

  deliver(entry: QueueEntry): boolean {
    const { meanwhile } = this
    this.meanwhile = undefined
    meanwhile?.()
    const takes = this.taken.length < this.room
    ;(takes ? this.taken : this.refused).push(entry)
    return takes
  }

  fenced(): void {
    this.fencedCount += 1
  }
}

/** One connection of a client, as the store sees it. */
export class Connection {
  readonly store: Persistence
  readonly opened: OpenedSession
  readonly owner: RecordingOwner

  constructor(store: Persistence, opened: OpenedSession, owner: RecordingOwner) {
    this.store = store
    this.opened = opened
    this.owner = owner
  }

  get handle(): SessionHandle {
    return this.opened.handle
  }

  async subscribe(...subscriptions: (Partial<Subscription> & { filter: string })[]): Promise<readonly boolean[]> {
    return this.store.subscribe(
      this.handle,
      subscriptions.map(fields => subscriptionOf(fields)),
    )
  }

  async read(after = 0, limit = 1000): Promise<readonly QueueEntry[]> {
    return this.store.read(this.handle, after, limit)
  }

  /** Leaves the will that is due to a broker that may die before it has published it. */
  async closeUnconfirmed(closing: Partial<SessionClosing> = {}): Promise<Will | undefined> {
    return this.store.closeSession(this.handle, {
      sessionExpiryInterval: 100,
      will: 'publish',
      sentThrough: 0,
      ...closing,
    })
  }

  async close(closing: Partial<SessionClosing> = {}): Promise<Will | undefined> {
    const will = await this.closeUnconfirmed(closing)
    if (will !== undefined) await this.store.confirmWill?.(will)
    return will
  }
}

/** How a client of a test connects. */
export interface ConnectOptions {
  readonly cleanStart?: boolean
  readonly sessionExpiryInterval?: number
  readonly will?: Will | undefined
  readonly room?: number
}

/** A store with its surroundings, fresh for every test. */
export class Bench {
  readonly clock: ManualClock = new ManualClock()
  readonly drops: Drop[] = []
  /** What the host asks for, when the store is opened. */
  queuesAtMostOnce = false
  /** Announced groups, in order. */
  readonly ready: string[] = []
  /** Publishers the announcements named, in the same order. */
  readonly publishers: (string | undefined)[] = []
  limits: QueueLimits = { maximumQueuedMessages: 1000, maximumQueuedBytes: 1_000_000, overflow: 'dropOldest' }

  readonly #subject: PersistenceUnderTest
  readonly #store: Persistence
  readonly #others: Persistence[] = []
  #published = 0

  constructor(subject: PersistenceUnderTest, store: Persistence) {
    this.#subject = subject
    this.#store = store
  }

  get store(): Persistence {
    return this.#store
  }

  host(brokerId = 'broker-1'): PersistenceHost {
    return {
      brokerId,
      clock: this.clock,
      slices: new Slices(),
      limits: this.limits,
      queuesAtMostOnce: this.queuesAtMostOnce,
      groupReady: (group, publisher) => {
        this.ready.push(group)
        this.publishers.push(publisher)
      },
      dropped: drop => void this.drops.push(drop),
    }
  }

  async open(): Promise<void> {
    await this.#store.open(this.host())
  }

  async closeAll(): Promise<void> {
    for (const store of [...this.#others, this.#store]) await store.close()
  }

  /** A second broker's store on the same data, open. */
  async second(): Promise<Persistence> {
    assert.ok(this.#subject.reopen !== undefined)
    const store = await this.#subject.reopen(this.#store)
    this.#others.push(store)
    await store.open(this.host('broker-2'))
    return store
  }

  /** Opens a session of 100 s; it is resumed when it is there. */
  async connect(clientId: string, options: ConnectOptions = {}, store: Persistence = this.#store): Promise<Connection> {
    const owner = new RecordingOwner()
    owner.room = options.room ?? Infinity
    const opened = await store.openSession({
      clientId,
      cleanStart: options.cleanStart ?? false,
      sessionExpiryInterval: options.sessionExpiryInterval ?? 100,
      will: options.will,
      owner,
    })
    if (opened.dueWill !== undefined) await store.confirmWill?.(opened.dueWill)
    return new Connection(store, opened, owner)
  }

  /** What is due, with its wills confirmed. */
  async claimDue(limit: number): Promise<readonly Due[]> {
    const due = await this.#store.claimDue(limit)
    for (const one of due) if (one.kind === 'will') await this.#store.confirmWill?.(one.will)
    return due
  }

  /** A message of QoS 1 on `a` from a client without a session. */
  message(fields: Partial<Omit<Message, 'payload'>> & { text?: string } = {}): Message {
    this.#published += 1
    const { text, ...rest } = fields
    return {
      topic: 'a',
      payload: Buffer.from(text ?? `message ${this.#published}`),
      qos: 1,
      retain: false,
      properties: undefined,
      expiresAt: undefined,
      publisher: 'publisher',
      brokerId: 'broker-1',
      brokerCounter: this.#published,
      ...rest,
    }
  }

  /** All retained messages that the filter finds, of all pages. */
  async retained(filter: string, store: Persistence = this.#store): Promise<Message[]> {
    const found: Message[] = []
    let page: RetainedPage | undefined = await store.retained(filter)
    while (page !== undefined) {
      for (const message of page) if (message !== undefined) found.push(message)
      page = await page.more?.()
    }
    return found
  }

  async publish(...payloads: string[]): Promise<void> {
    for (const text of payloads) await this.#store.publish(this.message({ text }))
  }

  will(fields: Partial<Will> & { clientId: string }): Will {
    return {
      message: this.message({ topic: 'will', text: 'gone' }),
      messageExpiryInterval: 7,
      delayInterval: 0,
      ...fields,
    }
  }

  /** Waits until the check passes, and that it does when all has settled: what must not come has not come. */
  async soon(check: () => unknown): Promise<void> {
    await soon(check, this.#settleMilliseconds)
  }

  /** Waits until what was promised for "soon" must have happened. */
  async settle(): Promise<void> {
    await settle(this.#settleMilliseconds)
  }

  get #settleMilliseconds(): number {
    return this.#subject.settleMilliseconds ?? 0
  }
}

/** A subscription at QoS 2, changed by the fields. */
export function subscriptionOf(fields: Partial<Subscription> & { filter: string }): Subscription {
  return {
    qos: 2,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionIdentifier: undefined,
    ...fields,
  }
}

/** The payloads as text. */
export function texts(entries: Iterable<{ readonly message: Message } | Message>): string[] {
  return Array.from(entries, entry => ('message' in entry ? entry.message : entry).payload.toString())
}

/** The sequences of queue entries. */
export function sequences(entries: readonly QueueEntry[]): number[] {
  return entries.map(entry => entry.sequence)
}

/** Asserts that the call is refused with this code, whether it throws or rejects. */
export async function refused(code: PersistenceErrorCode, call: () => unknown): Promise<void> {
  await assert.rejects(
    async () => {
      await call()
    },
    (error: unknown) => {
      assert.ok(error instanceof PersistenceError, `${String(error)} is no PersistenceError`)
      assert.equal(error.code, code)
      assert.notEqual(error.message, '')
      return true
    },
  )
}

/** Defines a test that gets an open store of its own. */
export type DefineStoreTest = (title: string, run: (bench: Bench) => Promise<void>) => void

import { packetIdOf } from '@x/contract'
import type { MaybePromise, Message, OpenedSession, QueueEntry, SessionHandle } from '@x/contract'
import type { Outbox } from '../connection/outbox.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { forwarded } from '../hooks/authorize-forward.ts'
import type { Client } from '../hooks/client.ts'
import type { Publication } from '../message/publication.ts'
import type { ReceiverConnection } from '../routing/receiver.ts'
import { writeAtMostOnce, writePubrel } from './delivery-writer.ts'
import type { DeliveryManner, DeliveryTarget } from './delivery-writer.ts'
import { Inflight } from './inflight-window.ts'
import type { SessionHost } from './session-host.ts'
import type { Unacknowledged } from './unacknowledged.ts'

/** Entries that are asked of the store at a time. */
const pageSize = 256
/** ms after a read that has failed. */
const readRetryDelay = 1000

/** The session that takes the entries. */
interface EntryTaker extends DeliveryTarget {
  readonly handle: SessionHandle
  readonly client: Client
  readonly connection: ReceiverConnection
  readonly isOpen: boolean
  readonly outbox: Outbox
  readonly unacknowledged: Unacknowledged
  /** Another message can be sent at once. */
  readonly hasRoom: boolean
  /** Messages that may be sent before an acknowledgement comes. */
  readonly windowRoom: number
  /** Whether the message with this sequence can be sent before an acknowledgement comes. */
  windowHasRoom(sequence: number): boolean
  /** Whether the message has expired; then it is counted as dropped. */
  dropsExpired(message: Message): boolean
  sendInflight(publication: Publication, manner: DeliveryManner, sequence: number): void
  /** Sends everything that waits, as far as there is room. */
  pump(): void
}

/** - `caughtUp`: the session has taken every entry, so the store may offer new ones
 * - `behind`: the store has entries that were not taken
 * - `reading`: a page of them is on its way
 * - `readingBehind`: likewise, and an entry was refused meanwhile that the page may not have */
type QueueState = 'caughtUp' | 'behind' | 'reading' | 'readingBehind'

/** How far a session has taken its queue in the store: entries are offered one by one, or read in pages after there was no room. */
export class StoredQueue {
  readonly #session: EntryTaker
  readonly #engine: SessionHost
  #state: QueueState
  /** Entries up to this sequence may have been sent on an earlier connection. */
  readonly #sentBefore: number
  /** Entries up to this sequence have been taken. */
  takenThrough: number

  /** @param opened what the store has of the session: some of its entries may not be taken */
  constructor(session: EntryTaker, engine: SessionHost, { present, lastSequence, sentThrough }: OpenedSession) {
    const hasEntries = present && lastSequence > 0
    this.#session = session
    this.#engine = engine
    this.#sentBefore = sentThrough
    this.#state = hasEntries ? 'behind' : 'caughtUp'
    this.takenThrough = hasEntries ? 0 : lastSequence
  }

  get isCaughtUp(): boolean {
    return this.#state === 'caughtUp'
  }

  /** Highest sequence of an entry that was sent to the client, ever. */
  get sentThrough(): number {
    return Math.max(this.#sentBefore, this.takenThrough)
  }

  /** Takes an entry that the store offers. False: it is read later. */
  offer(entry: QueueEntry): boolean {
    const session = this.#session
    if (!session.hasRoom || !session.unacknowledged.reaches(entry.sequence)) {
      this.#missed()
      return false
    }
    this.takenThrough = entry.sequence
    try {
      this.#take(entry, 'offered')
    } catch (error) {
      // Fails later, since this may be a call of the store or of a publisher, which must not fail.
      queueMicrotask(() => session.connection.fail(error))
    }
    return true
  }

  /** Takes an entry that the session has claimed for a shared group. Older entries may not be taken yet. */
  takeClaimed(entry: QueueEntry): void {
    if (this.#session.unacknowledged.reaches(entry.sequence)) this.#take(entry, 'offered')
    else this.#missed()
  }

  #missed(): void {
    this.#state = this.#state === 'reading' || this.#state === 'readingBehind' ? 'readingBehind' : 'behind'
  }

  /** Reads the entries that were not taken, as far as there is room. */
  readOn(): void {
    while (this.#state === 'behind' && this.#session.isOpen) {
      const limit = Math.min(pageSize, this.#session.windowRoom)
      if (limit <= 0 || this.#session.outbox.full) return
      const page = this.#ask(limit)
      if (page === undefined) return
      if (isPromise(page)) {
        this.#await(page, limit)
        return
      }
      if (!this.#takePage(page, limit)) return
    }
  }

  #await(page: Promise<readonly QueueEntry[]>, limit: number): void {
    this.#state = 'reading'
    page
      .then(entries => {
        const wasRefused = this.#state === 'readingBehind'
        this.#state = 'behind'
        const hadRoom = this.#takePage(entries, limit)
        if (wasRefused) this.#state = 'behind'
        // Without room the next acknowledgement reads on.
        if (hadRoom) this.#session.pump()
      })
      .catch((error: unknown) => {
        this.#state = 'behind'
        this.#failed(error)
      })
  }

  #ask(limit: number): MaybePromise<readonly QueueEntry[]> | undefined {
    try {
      return this.#engine.persistence.read(this.#session.handle, this.takenThrough, limit)
    } catch (error) {
      this.#failed(error)
      return undefined
    }
  }

  /** Tries again later: a store that can't be reached may be back then, and nothing else would ask again. */
  #failed(error: unknown): void {
    this.#engine.fail(error, 'QUEUE_READ_FAILED', this.#session.client)
    this.#engine.clock.setTimeout(() => this.readOn(), readRetryDelay)
  }

  /** Returns whether there was room for all entries. */
  #takePage(entries: readonly QueueEntry[], limit: number): boolean {
    for (const entry of entries) {
      if (!this.#session.isOpen) return false
      const before = this.takenThrough
      this.takenThrough = entry.sequence
      if (!this.#takeRead(entry)) {
        this.takenThrough = before
        return false
      }
    }
    if (entries.length < limit) this.#state = 'caughtUp'
    return true
  }

  /** Sends an entry that was read. False: there is no room for it. */
  #takeRead(entry: QueueEntry): boolean {
    // A message that was claimed is on its way already.
    if (this.#session.unacknowledged.has(entry.sequence)) return true
    if (!this.#session.windowHasRoom(entry.sequence)) return false
    this.#take(entry, 'read')
    return true
  }

  #take(entry: QueueEntry, origin: 'offered' | 'read'): void {
    const session = this.#session
    const { unacknowledged } = session
    const { sequence, qos, retain, subscriptionIdentifiers } = entry
    if (entry.released) {
      unacknowledged.add(sequence, Inflight.pubcomp)
      writePubrel(session, packetIdOf(sequence), 0)
      return
    }
    const dup = sequence <= this.#sentBefore
    // A message that was sent before is sent again even if it has expired ([MQTT5-4.3.3-7]).
    if (!dup && session.dropsExpired(entry.message)) {
      unacknowledged.settleLater(sequence)
      return
    }
    const { publications } = this.#engine
    const stored = origin === 'read' ? publications.recall(entry.message) : publications.of(entry.message)
    const publication = forwarded(this.#engine, session.connection, stored)
    if (qos === 0) {
      unacknowledged.settleLater(sequence)
      // It may have arrived.
      if (publication !== undefined && !dup) writeAtMostOnce(session, publication, retain, subscriptionIdentifiers)
    } else if (publication === undefined) unacknowledged.settleLater(sequence)
    else session.sendInflight(publication, { qos, retain, dup, subscriptionIdentifiers }, sequence)
  }
}

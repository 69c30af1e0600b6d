import { isPromise } from '../ground/maybe-promise.ts'
import type { MaybePromise, QueueEntry, SessionHandle } from '@x/contract'
import type { Client } from '../hooks/client.ts'
import type { SessionHost } from './session-host.ts'

/** Entries that are asked of the store at a time. */
const pageSize = 256
/** ms after a read that has failed. */
const readRetryDelay = 1000

/** The session that takes the entries. */
interface EntryTaker {
  readonly handle: SessionHandle
  readonly client: Client
  readonly isOpen: boolean
  readonly outbox: { readonly full: boolean }
  /** Messages that may be sent before an acknowledgement comes. */
  readonly windowRoom: number
  /** Sends an entry that was read, unless it was sent already. False: there is no room for it. */
  takeRead(entry: QueueEntry): boolean
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
  #state: QueueState = 'caughtUp'
  /** Entries up to this sequence have been taken. */
  takenThrough = 0

  constructor(session: EntryTaker, engine: SessionHost) {
    this.#session = session
    this.#engine = engine
  }

  get isCaughtUp(): boolean {
    return this.#state === 'caughtUp'
  }

  /** Begins with a session that the store has opened.
   * @param lastSequence of the newest entry; 0: none
   * @param hasEntries some of them may not be taken */
  restore(lastSequence: number, hasEntries: boolean): void {
    this.#state = hasEntries ? 'behind' : 'caughtUp'
    this.takenThrough = hasEntries ? 0 : lastSequence
  }

  /** An entry was not taken; it is read later. */
  missed(): void {
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
      if (!this.#session.takeRead(entry)) {
        this.takenThrough = before
        return false
      }
    }
    if (entries.length < limit) this.#state = 'caughtUp'
    return true
  }
}

import { PersistenceError } from '@x/contract'
import type { QueueEntry, SessionHandle, SessionOwner } from '@x/contract'

interface Owned {
  readonly handle: SessionHandle
  readonly owner: SessionOwner
  /** The owner has not seen the newest entry: it reads, and is offered nothing. */
  behind: boolean
  /** It has read all that there is, which it will know before anything that comes from now on. */
  catchesUp: boolean
  /** Entries up to here were offered, claimed or read. A new one that does not follow tells of others in between. */
  through: number
}

/** What an owner did with entries that it was offered. */
export interface Offered {
  readonly handle: SessionHandle
  readonly taken: QueueEntry[]
  refused: boolean
}

/** What the open sessions are made with. */
export interface OwnedSessionsParts {
  /** There are offers whose outcome has to be stored. */
  report(): void
  /** Another broker has queued entries that this one does not know. */
  catchUp(handle: SessionHandle): void
}

/** The sessions that connections of this broker have open, by client. */
export class OwnedSessions {
  readonly #owned = new Map<string, Owned>()
  /** By client; what is not in the directory yet. */
  #offered = new Map<string, Offered>()
  readonly #parts: OwnedSessionsParts

  constructor(parts: OwnedSessionsParts) {
    this.#parts = parts
  }

  /** All of them, for a look at each. */
  get handles(): readonly SessionHandle[] {
    return Array.from(this.#owned.values(), ({ handle }) => handle)
  }

  /** `through`: sequence of its newest entry. */
  open(handle: SessionHandle, owner: SessionOwner, { behind, through }: Pick<Owned, 'behind' | 'through'>): void {
    this.#owned.set(handle.clientId, { handle, owner, behind, catchesUp: false, through })
  }

  close({ clientId, epoch }: SessionHandle): void {
    if (this.#owned.get(clientId)?.handle.epoch === epoch) this.#owned.delete(clientId)
  }

  /** Another connection, here or at another broker, has opened the session. */
  fence({ clientId, epoch }: SessionHandle): void {
    const owned = this.#owned.get(clientId)
    if (owned?.handle.epoch !== epoch) return
    this.#owned.delete(clientId)
    owned.owner.fenced()
  }

  /** Refuses a handle that is known to be stale. What another process did may not be known yet.
   * @throws PersistenceError `FENCED` */
  check({ clientId, epoch }: SessionHandle): void {
    if (this.#owned.get(clientId)?.handle.epoch === epoch) return
    throw new PersistenceError('FENCED', {
      message: `session of client '${clientId}' is not open with epoch ${epoch}`,
    })
  }

  /** Whether a new entry is offered to an owner that has seen all before it. */
  isAttentive(clientId: string): boolean {
    const owned = this.#owned.get(clientId)
    return owned !== undefined && (owned.catchesUp || !owned.behind)
  }

  /** The transaction goes on in which the owner reads all that there is. */
  catchesUp({ clientId, epoch }: SessionHandle): void {
    const owned = this.#owned.get(clientId)
    if (owned?.handle.epoch === epoch) owned.catchesUp = true
  }

  /** The open handle of a client, if it is open here. */
  handleOf(clientId: string): SessionHandle | undefined {
    return this.#owned.get(clientId)?.handle
  }

  /** The sequence up to which the owner knows of entries; undefined while it reads them itself. */
  knownThrough(clientId: string): number | undefined {
    const owned = this.#owned.get(clientId)
    return owned === undefined || owned.behind ? undefined : owned.through
  }

  /** The owner has read all that there is, or claimed the newest. */
  caughtUp({ clientId, epoch }: SessionHandle, through: number): void {
    const owned = this.#owned.get(clientId)
    if (owned?.handle.epoch !== epoch) return
    owned.behind = false
    owned.catchesUp = false
    owned.through = Math.max(owned.through, through)
  }

  /** The owner has claimed an entry. */
  claimed({ clientId, epoch }: SessionHandle, sequence: number): void {
    const owned = this.#owned.get(clientId)
    if (owned?.handle.epoch === epoch && owned.through === sequence - 1) owned.through = sequence
  }

  /** Offers the entry that follows those before, or finds out what lies between. */
  offer(clientId: string, entry: QueueEntry): void {
    const owned = this.#owned.get(clientId)
    if (owned === undefined || owned.behind || entry.sequence <= owned.through) return
    if (entry.sequence === owned.through + 1) this.#deliver(owned, entry)
    else this.#parts.catchUp(owned.handle)
  }

  /** Offers entries that were looked for: all that wait up to `through`. */
  offerFound({ clientId, epoch }: SessionHandle, entries: readonly QueueEntry[], through: number): void {
    const owned = this.#owned.get(clientId)
    if (owned?.handle.epoch !== epoch) return
    for (const entry of entries) {
      if (owned.behind) return
      if (entry.sequence > owned.through) this.#deliver(owned, entry)
    }
    if (!owned.behind) owned.through = Math.max(owned.through, through)
  }

  #deliver(owned: Owned, entry: QueueEntry): void {
    const { clientId } = owned.handle
    owned.through = entry.sequence
    let offered = this.#offered.get(clientId)
    if (offered?.handle !== owned.handle) {
      if (this.#offered.size === 0) this.#parts.report()
      offered = { handle: owned.handle, taken: [], refused: false }
      this.#offered.set(clientId, offered)
    }
    if (owned.owner.deliver(entry)) offered.taken.push(entry)
    else {
      owned.behind = true
      offered.refused = true
    }
  }

  /** Takes the outcomes of offers, to be stored. */
  outcomes(): readonly Offered[] {
    const outcomes = [...this.#offered.values()]
    this.#offered = new Map()
    return outcomes
  }

  /** Nobody is told anything any more. */
  clear(): void {
    this.#owned.clear()
    this.#offered.clear()
  }
}

import type { QueueEntry, SessionOwner } from '@x/contract'

/** What a session of this broker needs from the store. */
export interface OwnedSessionHost {
  /** The owner has no room for what comes after `takenThrough`. */
  refused(session: OwnedSession, takenThrough: number): void
  /** News of an entry is missing. */
  missing(session: OwnedSession): void
}

/** A session that is open at this broker: offers its owner new entries in the order of their sequences, by whichever way
 * and in whichever order their news arrives. */
export class OwnedSession {
  readonly clientId: string
  readonly epoch: string
  readonly owner: SessionOwner
  /** The shared groups it is a member of; undefined until the first. */
  groups: Set<string> | undefined
  readonly #host: OwnedSessionHost
  /** Sequence of the next entry to offer. */
  #next = 0
  /** The owner has not seen the newest entry: it reads, and Redis offers nothing. Also until the session is open. */
  #behind = true
  /** Reads on their way: news that come meanwhile may be of what they don't see. */
  #reading = 1
  #refusals = 0
  /** Reads without an answer yet. */
  #asking = 0
  /** Highest sequence that a read has brought. */
  #readThrough = 0
  /** Refused while reads were on their way: Redis is told after them how far the owner has come, not before. */
  #refusedAt: number | undefined
  /** Redis could not be told that the owner has no room for what comes after this. */
  #untold: number | undefined
  /** News that came before those of lower sequence; undefined: an entry that needs no offer. */
  readonly #early = new Map<number, QueueEntry | undefined>()

  constructor(clientId: string, epoch: string, owner: SessionOwner, host: OwnedSessionHost) {
    this.clientId = clientId
    this.epoch = epoch
    this.owner = owner
    this.#host = host
  }

  get next(): number {
    return this.#next
  }

  get isBehind(): boolean {
    return this.#behind
  }

  joined(filters: Iterable<string>): void {
    for (const filter of filters) if (filter.startsWith('$share/')) (this.groups ??= new Set()).add(filter)
  }

  left(filters: Iterable<string>): void {
    for (const filter of filters) this.groups?.delete(filter)
  }

  opened(lastSequence: number, behind: boolean): void {
    this.#reading -= 1
    this.#next = lastSequence + 1
    this.#behind = behind
    this.#drain()
  }

  offer(entry: QueueEntry): void {
    this.#arrived(entry.sequence, entry)
  }

  /** The entry is the owner's by another way. */
  skip(sequence: number): void {
    this.#arrived(sequence, undefined)
  }

  /** A read goes out; what it returns is to be given to the function that this returns. */
  readBegins(): (lastSequence: number | undefined) => void {
    const refusals = this.#refusals
    this.#reading += 1
    this.#asking += 1
    return lastSequence => {
      this.#reading -= 1
      if (!this.#behind) this.#drain()
      if (lastSequence === undefined || !this.#behind || refusals !== this.#refusals) return
      this.#behind = false
      this.#next = lastSequence + 1
      this.#drain()
    }
  }

  /** The answer of a read is there, with entries up to that sequence; or it has failed. */
  readEnds(through: number): void {
    this.#asking -= 1
    this.#readThrough = Math.max(this.#readThrough, through)
    // A session that was resumed reads although Redis knows of nothing that waits: news of what it finds come still.
    if (!this.#behind && through >= this.#next) this.#next = through + 1
    if (this.#asking > 0 || this.#refusedAt === undefined) return
    const takenThrough = Math.max(this.#refusedAt - 1, this.#readThrough)
    this.#refusedAt = undefined
    this.#host.refused(this, takenThrough)
  }

  /** Redis could not be told: {@link tellAgain} tries it later. */
  untold(takenThrough: number): void {
    this.#untold = takenThrough
  }

  /** Tells how far the owner has come by now. Redis would offer, without limits, what is not taken. */
  tellAgain(): void {
    if (this.#untold === undefined || this.#asking > 0) return
    const takenThrough = Math.max(this.#untold, this.#readThrough)
    this.#untold = undefined
    if (this.#behind) this.#host.refused(this, takenThrough)
  }

  /** Everything up to here has been offered, or needs no offer. */
  caughtUp(lastSequence: number): void {
    if (this.#behind || lastSequence < this.#next) return
    this.#next = lastSequence + 1
    this.#drain()
  }

  /** Entries of a look at the queue, in order; those between them are gone. */
  offerFound(entries: readonly QueueEntry[]): void {
    for (const entry of entries) {
      if (this.#behind) return
      if (entry.sequence < this.#next) continue
      this.#next = entry.sequence
      this.#early.delete(entry.sequence)
      this.#deliver(entry)
    }
  }

  #arrived(sequence: number, entry: QueueEntry | undefined): void {
    if (this.#behind) {
      if (this.#reading > 0) this.#early.set(sequence, entry)
      return
    }
    if (sequence < this.#next) return
    if (sequence === this.#next && this.#early.size === 0 && entry !== undefined) {
      this.#deliver(entry)
      return
    }
    this.#early.set(sequence, entry)
    this.#drain()
  }

  #drain(): void {
    if (this.#early.size === 0) return
    if (this.#behind) {
      if (this.#reading === 0) this.#early.clear()
      return
    }
    for (const sequence of this.#early.keys()) if (sequence < this.#next) this.#early.delete(sequence)
    while (this.#early.has(this.#next)) {
      const entry = this.#early.get(this.#next)
      this.#early.delete(this.#next)
      if (entry === undefined) this.#next += 1
      else this.#deliver(entry)
      if (this.#behind) return
    }
    if (this.#early.size > 0) this.#host.missing(this)
  }

  #deliver(entry: QueueEntry): void {
    this.#next = entry.sequence + 1
    if (this.owner.deliver(entry)) return
    this.#behind = true
    this.#refusals += 1
    this.#early.clear()
    // What a read on its way brings is taken: said before its answer is known, this would count it as waiting.
    if (this.#asking > 0) this.#refusedAt ??= entry.sequence
    else this.#host.refused(this, entry.sequence - 1)
  }
}

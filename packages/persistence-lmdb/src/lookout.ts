import { PersistenceError } from '@x/contract'
import type { Clock, Due, SessionHandle } from '@x/contract'
import type { Steps } from './batch.ts'
import type { Commits } from './commits.ts'
import type { Distribution } from './distribution.ts'
import type { Instances } from './instances.ts'
import { isGone, isOutOfSight, ownMachine, startOf } from './instances.ts'
import { hasListener } from './news.ts'
import type { Neighbours } from './neighbours.ts'
import type { Hint } from './news.ts'
import type { Durability } from './options.ts'
import type { OwnedSessions } from './owned-sessions.ts'
import type { SessionQueues } from './session-queue.ts'
import type { SessionStore } from './session-store.ts'
import type { SharedGroups } from './shared-groups.ts'
import type { WorkingSet } from './working-set.ts'

/** What the lookout is made with. */
export interface LookoutParts {
  readonly directory: string
  /** No other broker may have the directory open when this one begins. */
  readonly exclusive: boolean
  readonly durability: Durability
  readonly brokerId: string
  readonly clock: Clock
  readonly commits: Commits
  readonly set: WorkingSet
  readonly instances: Instances
  readonly neighbours: Neighbours
  readonly owned: OwnedSessions
  readonly queues: SessionQueues
  readonly groups: SharedGroups
  readonly distribution: Distribution
  readonly sessions: SessionStore
  groupReady(group: string, publisher: string | undefined): void
}

/** ms after which news that got lost are found by looking. */
const lookInterval = 1000
/** Sessions that are looked at each time, in turns. */
const looksAtOnce = 5000
/** Entries that are offered at a time to an owner that has to catch up. */
const catchUpSize = 256

/** A broker that has the directory open has another durability than this one. */
export class OtherDurability extends PersistenceError {
  readonly theirs: string

  constructor(where: string, own: string, theirs: string) {
    super('UNAVAILABLE', {
      message: `${where}, with durability '${theirs}', this one has '${own}': give both the same`,
    })
    this.theirs = theirs
  }
}

/** Looks after what other brokers do in the same directory: what they queue, whom they take over, and what those leave behind that
 * have died. */
export class Lookout {
  readonly #parts: LookoutParts
  #closed = false
  #timer: unknown
  /** Sessions that are still to be looked at, before all of them are again. */
  #unseen: SessionHandle[] = []

  constructor(parts: LookoutParts) {
    this.#parts = parts
  }

  /** Registers this broker in the directory.
   * @throws PersistenceError `UNAVAILABLE` when a broker has it open whose locks can't be seen from here, one with another
   * durability, or any with `exclusive` */
  async begin(): Promise<void> {
    const { directory, durability, brokerId, commits, set, instances, neighbours } = this.#parts
    await this.#checkOthers()
    const address = await neighbours.open(directory)
    await commits.run(() => {
      this.#checkNeighbours()
      const { pid } = process
      const own = { number: set.nextNumber(), state: 'open', brokerId, pid, started: startOf(pid), address } as const
      instances.register({ ...own, durability, machine: ownMachine })
    })
    neighbours.refresh()
    this.#lookAgain()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#parts.clock.clearTimeout(this.#timer)
    await this.#parts.neighbours.close()
  }

  hear(hint: Hint): void {
    if (this.#closed) return
    if (hint[0] === 'group') this.#parts.groupReady(hint[1], hint[2] ?? undefined)
    else {
      const handle = this.#parts.owned.handleOf(hint[1])
      if (handle !== undefined) this.look(handle)
    }
  }

  /** Tells an owner, wherever it is, that its handle is stale. */
  fence(owner: number, handle: SessionHandle): void {
    const { instances, owned, neighbours } = this.#parts
    if (owner === instances.own) owned.fence(handle)
    else neighbours.tellOwner(owner, handle.clientId)
  }

  /** Finds out whether a session that is open here has another owner by now, or entries of which its owner was not told. */
  look(handle: SessionHandle): void {
    const { commits, set, owned, queues, distribution } = this.#parts
    commits.soon(() => {
      const { clientId, epoch } = handle
      const session = set.session(clientId)
      if (session === undefined || String(session.epoch) !== epoch) {
        set.afterwards(() => owned.fence(handle))
        return
      }
      const known = owned.knownThrough(clientId)
      if (known === undefined || known >= session.lastSequence) return
      const entries = queues.waitingAbove(session, known, catchUpSize)
      const through = entries.length < catchUpSize ? session.lastSequence : (entries.at(-1)?.sequence ?? 0)
      const isAll = through === session.lastSequence
      set.afterwards(() => {
        owned.offerFound(handle, distribution.outward(entries), through)
        if (!isAll) this.look(handle)
      })
    })
  }

  /** Closes sessions of brokers that have died. Called within a transaction. */
  *sweep(limit: number): Steps<readonly Due[]> {
    const { instances, sessions } = this.#parts
    const due: Due[] = []
    let left = limit
    for (const instance of instances.all()) {
      if (instance.number === instances.own || !isGone(instance)) continue
      const clients = instances.owned(instance.number, left)
      for (const clientId of clients) {
        const will = yield* sessions.abandon(clientId, instance.number)
        if (will !== undefined) due.push({ kind: 'will', will })
      }
      left -= clients.length
      if (left <= 0) break
      instances.remove(instance.number)
    }
    return due
  }

  /** lmdb's locks don't hold between containers that don't see each other's processes. One that is gone does not listen any more. */
  async #checkOthers(): Promise<void> {
    for (const other of this.#parts.instances.all()) {
      if (other.state === 'closed' || !isOutOfSight(other) || !(await hasListener(other.address))) continue
      throw new PersistenceError('UNAVAILABLE', {
        message: `${this.#parts.directory} is open in another container, as broker '${other.brokerId}' with process ${other.pid}: give each container a directory of its own, or let them share their processes (pid namespace)`,
      })
    }
  }

  /** Whether others may have the directory open, too, is for each of them to say. */
  #checkNeighbours(): void {
    const { directory, exclusive, durability, instances } = this.#parts
    for (const other of instances.all()) {
      if (other.state === 'closed' || isGone(other)) continue
      const where = `${directory} is open in another broker, process ${other.pid}`
      if (exclusive)
        throw new PersistenceError('UNAVAILABLE', { message: `${where}: give each a directory of its own` })
      if (other.durability === durability) continue
      throw new OtherDurability(where, durability, other.durability)
    }
  }

  /** Once a second: who is there, and what news did not say. */
  #lookAgain(): void {
    if (this.#closed) return
    const { clock, commits, set, owned, neighbours, groups, distribution } = this.#parts
    neighbours.refresh()
    if (!neighbours.isAlone && set.isStale) {
      if (this.#unseen.length === 0) this.#unseen = [...owned.handles]
      for (const handle of this.#unseen.splice(-looksAtOnce)) this.look(handle)
      commits.soon(function* () {
        distribution.announce(yield* groups.waiting(), undefined)
      })
    }
    // Not before others were served, however far the clock has been moved.
    setImmediate(() => {
      if (!this.#closed) this.#timer = clock.setTimeout(() => this.#lookAgain(), lookInterval)
    })
  }
}

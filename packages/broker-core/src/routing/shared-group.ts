import type { Clock, Counters, MaybePromise, Persistence, QueueEntry, Subscription } from '@x/contract'
import type { Connection } from '../connection/connection.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import type { CheckedOptions } from '../ground/limits.ts'
import type { Publication } from '../message/publication.ts'
import type { Group, GroupMember } from './receiver.ts'
import { sharedStrategies } from './shared-strategy.ts'

/** Publishers that `sticky` remembers; beyond this backlog it does not know whose messages wait. */
const rememberedPublishers = 1024
/** ms until a claim that has failed is repeated. */
const claimRetryDelay = 1000

/** What shared groups need of the engine. */
export interface SharedGroupHost {
  readonly options: CheckedOptions
  readonly persistence: Persistence
  readonly clock: Clock
  readonly counters: Counters
  /** Reports a step that has failed and that nobody waits for. */
  fail(error: unknown, code: 'CLAIM_FAILED'): void
}

interface Member {
  subscription: Subscription
  /** Index in the order of turns. */
  place: number
}

/** The members of one shared subscription with a connection here. MQTT 5.0 §4.8.2
 *
 * QoS 0 messages are dealt out as they come. QoS 1 and 2 messages wait in the store's queue of the group, and a member with room in its
 * window claims them, so no session starves while another is full. */
export class SharedGroup implements Group {
  /** `$share/{ShareName}/{filter}`. */
  readonly name: string
  readonly filter: string
  /** Settles when other brokers know of it. */
  routed: MaybePromise<void> = undefined
  readonly #engine: SharedGroupHost
  readonly #members = new Map<GroupMember, Member>()
  /** The members; each knows its place here, so that joining and leaving cost the same in a large group. */
  readonly #order: GroupMember[] = []
  /** Index of the member whose turn is next. It advances when a member gets a message. */
  #cursor = 0
  /** Index of the member that was chosen last. */
  #picked = 0
  /** The store may hold messages that nobody has claimed. */
  #backlog = false
  /** No member had room for them. Each member knows and calls `roomFor` when it has; until then no member is searched for. */
  #starved = false
  /** Publishers of the waiting messages, in order, for `sticky`. An estimate, since other brokers claim as well. */
  #publishers: (string | undefined)[] = []
  /** A claim on an asynchronous store is on its way. */
  #claiming = false
  /** Messages have come since the claim was made, so an empty claim does not mean that none wait. */
  #readySinceClaim = false

  constructor(name: string, filter: string, engine: SharedGroupHost) {
    this.name = name
    this.filter = filter
    this.#engine = engine
  }

  get size(): number {
    return this.#members.size
  }

  *clientIds(): IterableIterator<string> {
    for (const { clientId } of this.#order) yield clientId
  }

  add(session: GroupMember, subscription: Subscription): void {
    const member = this.#members.get(session)
    if (member === undefined) {
      this.#members.set(session, { subscription, place: this.#order.length })
      this.#order.push(session)
      session.groups ??= new Set()
      session.groups.add(this)
    } else member.subscription = subscription
    this.#backlog = true
    if (!this.#starved) this.#claim()
    else if (this.roomFor(session)) session.starvesGroup(this)
  }

  remove(session: GroupMember): void {
    const member = this.#members.get(session)
    if (member === undefined) return
    this.#members.delete(session)
    const last = this.#order.pop() as GroupMember
    if (last !== session) {
      this.#order[member.place] = last
      const moved = this.#members.get(last)
      if (moved !== undefined) moved.place = member.place
    }
    session.groups?.delete(this)
    // Its messages may go to the other members now, and a claim of its own that is on its way finds nothing.
    this.#backlog = true
    this.#readySinceClaim = true
    if (!this.#starved) this.#claim()
  }

  /** Sends a QoS 0 message to one member, if possible one whose outbox has room; otherwise `from`, the publisher's connection, is
   * paused. */
  send(publication: Publication, from: Connection | undefined): void {
    const { publisher } = publication
    const member = this.#next(publisher, isTaking) ?? this.#next(publisher, isOpen)
    const subscription = member && this.#members.get(member)?.subscription
    if (member === undefined || subscription === undefined) return
    const retain = subscription.retainAsPublished && publication.retain
    const identifier = subscription.subscriptionIdentifier
    this.#cursor = this.#picked + 1
    if (from !== undefined && member.outbox.full && !from.slowDownFor(member.connection)) {
      this.#engine.counters.droppedOutboxFull += 1
      return
    }
    member.send(publication, 0, retain, identifier === undefined ? undefined : [identifier])
  }

  /** A message waits in the store, for the next {@link serve}. `publisher` is undefined when it is not known. */
  ready(publisher: string | undefined): void {
    this.#backlog = true
    this.#readySinceClaim = true
    const { sharedSubscriptionStrategy } = this.#engine.options
    if (sharedSubscriptionStrategy === 'sticky' && this.#publishers.length < rememberedPublishers) {
      this.#publishers.push(publisher)
    }
  }

  /** Has the members claim what waits, as far as they have room. */
  serve(): void {
    if (!this.#starved) this.#claim()
  }

  /** The member has room again. False: no message waits for it. */
  roomFor(session: GroupMember): boolean {
    if (!this.#members.has(session)) return false
    while (this.#backlog && !this.#claiming && session.hasRoom) this.#claimFor(session)
    if (this.#backlog) return true
    this.#starved = false
    return false
  }

  /** Gives one message at a time to the next member with room, until there is no message or no room. */
  #claim(): void {
    while (this.#backlog && !this.#claiming) {
      const member = this.#next(this.#publishers[0], session => session.hasRoom)
      if (member === undefined) {
        this.#starve()
        return
      }
      this.#claimFor(member)
    }
  }

  /** Searching for a member with room visits each one: done once, not for each message. */
  #starve(): void {
    if (this.#members.size === 0) return
    this.#starved = true
    for (const member of this.#members.keys()) member.starvesGroup(this)
  }

  #claimFor(member: GroupMember): void {
    this.#readySinceClaim = false
    const claimed = this.#ask(member)
    if (claimed === undefined) return
    if (isPromise(claimed)) {
      this.#claiming = true
      member.claimBegins()
      void this.#finishClaim(member, claimed)
    } else this.#deal(member, claimed)
  }

  #ask(member: GroupMember): MaybePromise<readonly QueueEntry[]> | undefined {
    try {
      return this.#engine.persistence.claim(member.handle, this.name, 1)
    } catch (error) {
      this.#claimFailed(error)
      return undefined
    }
  }

  /** Tries again later: a store that can't be reached may be back then, and nothing else would ask again. */
  #claimFailed(error: unknown): void {
    this.#claiming = true
    this.#engine.fail(error, 'CLAIM_FAILED')
    this.#engine.clock.setTimeout(() => {
      this.#claiming = false
      this.#claim()
    }, claimRetryDelay)
  }

  #deal(member: GroupMember, claimed: readonly QueueEntry[]): void {
    if (claimed.length > 0) this.#cursor = this.#picked + 1
    if (claimed.length === 0) {
      this.#backlog = this.#readySinceClaim
      if (!this.#backlog) this.#publishers = []
    } else this.#publishers.splice(0, claimed.length)
    for (const entry of claimed) member.sendClaimed(entry)
  }

  async #finishClaim(member: GroupMember, claim: Promise<readonly QueueEntry[]>): Promise<void> {
    let claimed: readonly QueueEntry[]
    try {
      claimed = await claim
    } catch (error) {
      this.#claimFailed(error)
      member.claimEnds()
      return
    }
    this.#claiming = false
    this.#deal(member, claimed)
    member.claimEnds()
    this.#claim()
  }

  /** The next member, by the strategy, that is suitable. */
  #next(publisher: string | undefined, isSuitable: (session: GroupMember) => boolean): GroupMember | undefined {
    const members = this.#order
    if (members.length === 0) return undefined
    const strategy = sharedStrategies[this.#engine.options.sharedSubscriptionStrategy]
    const first = strategy({ members, cursor: this.#cursor % members.length, publisher })
    for (let step = 0; step < members.length; step += 1) {
      const index = (first + step) % members.length
      const session = members[index] as GroupMember
      if (!isSuitable(session)) continue
      this.#picked = index
      return session
    }
    return undefined
  }
}

function isOpen(session: GroupMember): boolean {
  return session.isOpen
}

function isTaking(session: GroupMember): boolean {
  return session.isOpen && !session.outbox.full
}

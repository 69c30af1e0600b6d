import type { Subscription } from '@x/contract'
import type { Engine } from './engine.ts'
import { isPromise } from './maybe-promise.ts'
import type { Publication } from './publication.ts'
import type { Session } from './session.ts'

/** The members of one shared subscription that are connected here. MQTT 5.0 §4.8.2
 *
 * QoS 0 messages are dealt out as they come. QoS 1 and 2 messages wait in the store's queue of the group, and a member
 * with room in its window claims them, so no session starves while another is full. */
export class SharedGroup {
  /** `$share/{ShareName}/{filter}`. */
  readonly name: string
  readonly filter: string
  readonly #engine: Engine
  readonly #members = new Map<Session, Subscription>()
  #order: Session[] = []
  #cursor = 0
  /** The store may hold messages that nobody has claimed. */
  #backlog = false
  /** A claim on an asynchronous store is on its way. */
  #claiming = false

  constructor(name: string, filter: string, engine: Engine) {
    this.name = name
    this.filter = filter
    this.#engine = engine
  }

  get size(): number {
    return this.#members.size
  }

  add(session: Session, subscription: Subscription): void {
    this.#members.set(session, subscription)
    this.#order = [...this.#members.keys()]
    session.groups ??= new Set()
    session.groups.add(this)
    this.#backlog = true
  }

  remove(session: Session): void {
    if (!this.#members.delete(session)) return
    this.#order = [...this.#members.keys()]
    session.groups?.delete(this)
  }

  /** Deals a QoS 0 message to one member. */
  send(publication: Publication): void {
    const member = this.#next(() => true)
    const subscription = member && this.#members.get(member)
    if (member === undefined || subscription === undefined) return
    const retain = subscription.retainAsPublished && publication.retain
    const identifier = subscription.subscriptionIdentifier
    member.send(publication, 0, retain, identifier === undefined ? undefined : [identifier])
  }

  /** Messages wait in the store. */
  ready(): void {
    this.#backlog = true
    this.#claim()
  }

  /** A member has room again. */
  roomFor(session: Session): void {
    if (this.#backlog && this.#members.has(session)) this.#claim()
  }

  /** One message at a time to the next member with room, until there is no more of either. */
  #claim(): void {
    while (this.#backlog && !this.#claiming) {
      const member = this.#next(session => session.hasRoom)
      if (member === undefined) return
      const claimed = this.#engine.persistence.claim(member.handle, this.name, 1)
      if (isPromise(claimed)) {
        this.#claiming = true
        this.#engine.watch(this.#finishClaim(member, claimed), 'claim')
        return
      }
      if (claimed.length === 0) this.#backlog = false
      for (const entry of claimed) member.sendClaimed(entry)
    }
  }

  async #finishClaim(member: Session, claim: Promise<readonly Parameters<Session['sendClaimed']>[0][]>): Promise<void> {
    try {
      const claimed = await claim
      if (claimed.length === 0) this.#backlog = false
      for (const entry of claimed) member.sendClaimed(entry)
    } finally {
      this.#claiming = false
    }
    this.#claim()
  }

  /** The next member in turn that is suitable. */
  #next(isSuitable: (session: Session) => boolean): Session | undefined {
    const { length } = this.#order
    for (let step = 0; step < length; step += 1) {
      const session = this.#order[(this.#cursor + step) % length] as Session
      if (!isSuitable(session)) continue
      this.#cursor = (this.#cursor + step + 1) % length
      return session
    }
    return undefined
  }
}

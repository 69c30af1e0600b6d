import type { Delivery, Message, PersistenceHost, QueueEntry } from '@x/contract'
import type { Steps } from './batch.ts'
import type { Instances } from './instances.ts'
import type { MachineTime } from './machine-time.ts'
import type { Neighbours } from './neighbours.ts'
import type { OwnedSessions } from './owned-sessions.ts'
import type { StoredDelivery } from './queue-entry.ts'
import type { SessionQueues } from './session-queue.ts'
import type { SessionRecord } from './session-record.ts'
import type { SharedGroups } from './shared-groups.ts'
import type { SharedMessages } from './shared-messages.ts'
import type { StoragePlan, Subscriptions } from './subscriptions.ts'
import type { WorkingSet } from './working-set.ts'

/** What messages are distributed with. */
export interface DistributionParts {
  readonly host: PersistenceHost
  readonly set: WorkingSet
  readonly subscriptions: Subscriptions
  readonly messages: SharedMessages
  readonly queues: SessionQueues
  readonly groups: SharedGroups
  readonly owned: OwnedSessions
  readonly instances: Instances
  readonly neighbours: Neighbours
  readonly time: MachineTime
}

/** An entry, whose it is, and which broker has that session open (0: none). */
interface Offer {
  readonly clientId: string
  readonly owner: number
  readonly entry: QueueEntry
}

/** Entries that are made in a tenth of a millisecond. */
const partSize = 16

/** Brings messages into the queues of sessions and groups, and tells those who wait for them. Called within a transaction. */
export class Distribution {
  readonly #parts: DistributionParts

  constructor(parts: DistributionParts) {
    this.#parts = parts
  }

  /** One entry for each stored session and group that the topic's plan names, and how many these are. */
  distribute(message: Message): number | Steps<number> {
    const plan = this.#parts.subscriptions.plan(message.topic)
    const takers = plan.sessions.length + plan.groups.length
    if (takers === 0) return 0
    const steps = this.#spread(message, plan)
    if (takers > partSize) return steps
    const { value } = steps.next()
    return value ?? 0
  }

  *#spread(message: Message, { sessions, groups: matching }: StoragePlan): Steps<number> {
    const { set, messages, host } = this.#parts
    // At QoS 0 the broker deals the message to the groups itself.
    const groups = message.qos === 0 ? [] : matching
    const takers = sessions.flatMap(({ clientId, reception, ownReception }) => {
      const effective = message.publisher === clientId ? ownReception : reception
      if (effective === undefined) return []
      const qos = effective.qos < message.qos ? effective.qos : message.qos
      const isSent = qos === 0 && (host.queuesAtMostOnce !== true || set.session(clientId)?.owner !== 0)
      return isSent ? [] : [{ clientId, effective, qos }]
    })
    const reached = takers.length + groups.length
    const shared = reached > 1 ? messages.add(message, reached) : undefined
    let unused = 0
    for (let first = 0; first < takers.length; first += partSize) {
      if (first > 0) yield
      const offers: Offer[] = []
      for (const { clientId, effective, qos } of takers.slice(first, first + partSize)) {
        const session = set.session(clientId)
        const entry =
          session &&
          this.#append(session, {
            message,
            shared,
            qos,
            retain: message.retain && effective.retainAsPublished,
            subscriptionIdentifiers: effective.subscriptionIdentifiers,
          })
        if (entry === undefined) unused += 1
        else offers.push({ clientId, owner: session?.owner ?? 0, entry })
      }
      if (offers.length > 0) this.#offer(offers)
    }
    const joined = groups.filter(name => this.#parts.groups.add(name, message, shared))
    unused += groups.length - joined.length
    if (shared !== undefined) messages.release(shared, unused)
    this.announce(joined, message.publisher)
    return reached
  }

  enqueue(session: SessionRecord, delivery: Delivery): void {
    const entry = this.#append(session, delivery)
    if (entry !== undefined) this.#offer([{ clientId: session.clientId, owner: session.owner, entry }])
  }

  /** Messages wait in these groups. */
  announce(groups: readonly string[], publisher: string | undefined): void {
    if (groups.length === 0) return
    const { set, neighbours, host } = this.#parts
    set.afterwards(() => {
      for (const group of groups) {
        neighbours.tellGroup(group, publisher)
        host.groupReady(group, publisher)
      }
    })
  }

  /** Entries as owners have them. */
  outward(entries: readonly QueueEntry[]): readonly QueueEntry[] {
    return entries.map(entry => this.#entryOutward(entry))
  }

  #append(session: SessionRecord, delivery: StoredDelivery): QueueEntry | undefined {
    const { queues, owned, instances } = this.#parts
    const isHere = session.owner === instances.own
    return queues.append(session, delivery, isHere && owned.isAttentive(session.clientId))
  }

  #offer(offers: readonly Offer[]): void {
    const { set, owned, instances, neighbours } = this.#parts
    set.afterwards(() => {
      for (const { clientId, owner, entry } of offers) {
        if (owner === instances.own) owned.offer(clientId, this.#entryOutward(entry))
        else neighbours.tellOwner(owner, clientId)
      }
    })
  }

  #entryOutward(entry: QueueEntry): QueueEntry {
    const message = this.#parts.time.outward(entry.message)
    return message === entry.message ? entry : { ...entry, message }
  }
}

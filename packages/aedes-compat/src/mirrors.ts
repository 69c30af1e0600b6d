import { FilterTrie } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { AedesSubscription } from './aedes-packet.ts'

/** What this process knows of a session that stands in the old store as well. */
export interface Mirror {
  /** The old store keeps it: its expiry interval is above 0. */
  stored: boolean
  hasWill: boolean
  /** Keys of messages in the old store's outgoing queue. */
  readonly queued: Set<string>
  /** Sequences whose packet identifier the old store was told. */
  readonly sent: Set<number>
  /** Packet ids of QoS 2 messages received in this life. */
  readonly received: Set<number>
  /** Subscriptions that the old store has. */
  readonly filters: Set<string>
}

/** A session of which the old store has nothing yet. */
export function newMirror(): Mirror {
  return { stored: false, hasWill: false, queued: new Set(), sent: new Set(), received: new Set(), filters: new Set() }
}

/** A subscription that an old store has, and whose it is. */
type KnownSubscription = AedesSubscription & { readonly clientId: string }

/** The sessions that are in memory, by client. Others are in the old store alone. */
export class Mirrors {
  readonly #byClient = new Map<string, Mirror>()
  /** What those sessions subscribe to and the old store has: it need not be asked about them, and some stores find too little. */
  readonly #subscriptions = new FilterTrie<KnownSubscription>()

  get(clientId: string): Mirror | undefined {
    return this.#byClient.get(clientId)
  }

  set(clientId: string, mirror: Mirror): void {
    this.#byClient.set(clientId, mirror)
  }

  /** Whether the old store keeps the session of this client. */
  isStored(clientId: string): boolean {
    return this.#byClient.get(clientId)?.stored === true
  }

  /** The old store has these subscriptions. */
  subscribed(clientId: string, subscriptions: readonly AedesSubscription[]): void {
    const filters = this.#byClient.get(clientId)?.filters
    for (const subscription of subscriptions) {
      filters?.add(subscription.topic)
      this.#subscriptions.add(subscription.topic as TopicFilter, clientId, { ...subscription, clientId })
    }
  }

  /** The old store no longer has this subscription. */
  unsubscribed(clientId: string, filter: string): void {
    this.#byClient.get(clientId)?.filters.delete(filter)
    this.#subscriptions.remove(filter as TopicFilter, clientId)
  }

  /** The subscriptions of these sessions that match a topic. */
  match(topic: string): readonly KnownSubscription[] {
    return this.#subscriptions.match(topic)
  }

  delete(clientId: string): void {
    for (const filter of this.#byClient.get(clientId)?.filters ?? []) this.unsubscribed(clientId, filter)
    this.#byClient.delete(clientId)
  }

  clear(): void {
    for (const clientId of this.#byClient.keys()) this.delete(clientId)
  }
}

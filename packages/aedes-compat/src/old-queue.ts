import { packetIdOf } from '@x/contract'
import type { Delivery, QueueEntry, SessionHandle, SessionOwner } from '@x/contract'
import { keyOf, queuedPacketOf } from './aedes-packet.ts'
import type { Mirrors } from './mirrors.ts'
import type { OldPersistence } from './old-persistence.ts'
import type { StoreBroker } from './store-broker.ts'

/** The outgoing queues in an old store, whose entries have packet identifiers instead of sequences. */
export class OldQueue {
  readonly #broker: StoreBroker
  readonly #mirrors: Mirrors

  constructor({ broker, mirrors }: { readonly broker: StoreBroker; readonly mirrors: Mirrors }) {
    this.#broker = broker
    this.#mirrors = mirrors
  }

  /** Appends messages to the queue of a session that the store keeps. */
  async append(store: OldPersistence, { clientId }: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    const mirror = this.#mirrors.get(clientId)
    if (mirror?.stored !== true) return
    for (const { message, qos, retain } of deliveries) {
      mirror.queued.add(keyOf(message))
      await store.outgoingEnqueue({ clientId }, queuedPacketOf(message, { qos, retain }))
    }
  }

  /** An entry goes out now, under an identifier that the store has to know: what is repeated after a restart is repeated under the same
   * one. Returns what tells the store, which has to be called before anything that is asked about the entry; undefined: nothing does. */
  taken(clientId: string, entry: QueueEntry): ((store: OldPersistence) => Promise<void>) | undefined {
    const mirror = this.#mirrors.get(clientId)
    const { message, sequence, qos, retain } = entry
    const isThere = mirror?.queued.has(keyOf(message)) === true || message.brokerId !== this.#broker.id
    if (mirror === undefined || !mirror.stored || entry.released || mirror.sent.has(sequence) || !isThere)
      return undefined
    mirror.sent.add(sequence)
    const packet = { ...queuedPacketOf(message, { qos, retain }), messageId: packetIdOf(sequence) }
    return async store => {
      // The session may have ended while it was offered the entry, and some stores would have the entry again.
      if (this.#mirrors.get(clientId) !== mirror) return
      try {
        await store.outgoingUpdate(this.#broker.client(clientId), packet)
      } catch {
        // The store no longer has the entry, so that there is nothing to remember.
        mirror.sent.delete(sequence)
      }
    }
  }

  /** Removes an entry that was sent.
   * @param entry - undefined: it is not there any more */
  async acknowledge(store: OldPersistence, clientId: string, entry: QueueEntry | undefined): Promise<void> {
    const mirror = this.#mirrors.get(clientId)
    if (mirror === undefined || entry === undefined || !mirror.sent.delete(entry.sequence)) return
    mirror.queued.delete(keyOf(entry.message))
    await store.outgoingClearMessageId(this.#broker.client(clientId), { messageId: packetIdOf(entry.sequence) })
  }

  /** Puts PUBREL in the place of an entry that was sent. */
  async release(store: OldPersistence, clientId: string, sequence: number): Promise<void> {
    if (this.#mirrors.get(clientId)?.sent.has(sequence) !== true) return
    const pubrel = { cmd: 'pubrel', messageId: packetIdOf(sequence) }
    await store.outgoingUpdate(this.#broker.client(clientId), pubrel)
  }
}

/** The owner of a session, with `taken` told of each entry that it takes. */
export function watchedOwner(owner: SessionOwner, taken: (entry: QueueEntry) => void): SessionOwner {
  return {
    deliver: entry => {
      const isTaken = owner.deliver(entry)
      if (isTaken) taken(entry)
      return isTaken
    },
    fenced: () => owner.fenced(),
  }
}

import { packetIdOf } from '@x/contract'
import type { Message, Receipt, Subscription, Will } from '@x/contract'
import type { MemoryPersistence } from '@x/persistence-memory'
import { aedesSubscription, entriesOf, keyOf, packetOf, queuedPacketOf, subscriptionOf } from './aedes-packet.ts'
import type { AedesPacket } from './aedes-packet.ts'
import { newMirror } from './mirrors.ts'
import type { Mirrors } from './mirrors.ts'
import type { OldPersistence } from './old-persistence.ts'
import { receiversOf } from './receivers.ts'
import type { StoreBroker } from './store-broker.ts'

/** What the sessions in an old store are made from. */
interface SessionParts {
  readonly broker: StoreBroker
  readonly memory: MemoryPersistence
  readonly mirrors: Mirrors
}

/** The sessions in an old store, each call in the steps that the store knows. */
export class OldSessions {
  readonly #broker: StoreBroker
  readonly #memory: MemoryPersistence
  readonly #mirrors: Mirrors

  constructor({ broker, memory, mirrors }: SessionParts) {
    this.#broker = broker
    this.#memory = memory
    this.#mirrors = mirrors
  }

  /** Brings a session from the old store into memory, if there is one. */
  async load(store: OldPersistence, clientId: string): Promise<void> {
    const client = this.#broker.client(clientId)
    const subscriptions = (await store.subscriptionsByClient(client)) ?? []
    const packets: AedesPacket[] = []
    for await (const packet of store.outgoingStream(client)) packets.push(packet)
    if (subscriptions.length === 0 && packets.length === 0) return
    const { entries, sentThrough } = entriesOf(packets)
    const mirror = newMirror()
    for (const { message } of entries) mirror.queued.add(keyOf(message))
    this.#mirrors.set(clientId, mirror)
    this.#mirrors.subscribed(clientId, subscriptions)
    const restored = subscriptions.map(subscriptionOf)
    await this.#memory.restoreSession({ clientId, subscriptions: restored, entries, sentThrough })
  }

  /** The session is over: nothing of it stays in the old store. */
  async wipe(store: OldPersistence, clientId: string): Promise<void> {
    this.#mirrors.delete(clientId)
    const client = this.#broker.client(clientId)
    const packets: AedesPacket[] = []
    for await (const packet of store.outgoingStream(client)) packets.push(packet)
    let last = 0
    for (const packet of packets) {
      // Only what has an identifier can be removed. Without one it is 0, undefined, or null in stores that keep it as JSON.
      let messageId = packet.messageId ?? 0
      if (messageId === 0) {
        last += 1
        messageId = packetIdOf(last)
        packet.messageId = messageId
        await store.outgoingUpdate(client, packet)
      }
      await store.outgoingClearMessageId(client, { messageId })
    }
    await store.cleanSubscriptions(client)
    await store.cleanIncoming?.(client)
  }

  /** Adds those of the subscriptions that an old store can keep. */
  async subscribe(store: OldPersistence, clientId: string, subscriptions: readonly Subscription[]): Promise<void> {
    const kept = subscriptions.filter(({ filter }) => isKept(filter)).map(aedesSubscription)
    if (!this.#mirrors.isStored(clientId) || kept.length === 0) return
    await store.addSubscriptions(this.#broker.client(clientId), kept)
    this.#mirrors.subscribed(clientId, kept)
  }

  /** Removes subscriptions that are there: some stores wait for ever when there is nothing to remove. */
  async unsubscribe(store: OldPersistence, clientId: string, filters: readonly string[]): Promise<void> {
    const kept = filters.filter(isKept)
    if (!this.#mirrors.isStored(clientId) || kept.length === 0) return
    await store.removeSubscriptions(this.#broker.client(clientId), kept)
    for (const filter of kept) this.#mirrors.unsubscribed(clientId, filter)
  }

  /** Keeps the will of a client, or deletes the one that it had. */
  async keepWill(store: OldPersistence, clientId: string, will: Will | undefined): Promise<void> {
    const mirror = this.#mirrors.get(clientId)
    if (will !== undefined) await store.putWill(this.#broker.client(clientId), packetOf(will.message))
    else if (mirror?.hasWill === true) await store.delWill(this.#broker.client(clientId))
    if (mirror !== undefined) mirror.hasWill = will !== undefined
  }

  /** Whether the message was received before, with the same packet identifier. */
  async isRepeated(store: OldPersistence, { session, packetId }: Receipt): Promise<boolean> {
    const mirror = this.#mirrors.get(session.clientId)
    if (mirror?.received.has(packetId) === true) return true
    if (mirror?.stored !== true) return false
    // Received by an earlier life of this broker, or by another one.
    const stored = store.incomingGetPacket(this.#broker.client(session.clientId), { messageId: packetId })
    return stored.then(
      packet => packet !== undefined && packet !== null,
      () => false,
    )
  }

  /** Remembers the packet identifier of a QoS 2 message. */
  async receive(store: OldPersistence, message: Message, { session, packetId }: Receipt): Promise<void> {
    const mirror = this.#mirrors.get(session.clientId)
    mirror?.received.add(packetId)
    if (mirror?.stored !== true) return
    await store.incomingStorePacket(this.#broker.client(session.clientId), {
      ...packetOf(message),
      messageId: packetId,
    })
  }

  /** Forgets the packet identifier of a QoS 2 message. */
  async complete(store: OldPersistence, clientId: string, packetId: number): Promise<void> {
    this.#mirrors.get(clientId)?.received.delete(packetId)
    if (!this.#mirrors.isStored(clientId)) return
    // Refused when it is not there, which is what is wanted.
    await store.incomingDelPacket(this.#broker.client(clientId), { messageId: packetId }).catch(() => undefined)
  }

  /** Puts the message in the outgoing queue of everybody the old store knows to subscribe. Returns how many of these are not in
   * memory, and so not counted there. */
  async enqueueForAll(store: OldPersistence, message: Message): Promise<number> {
    const inStore = await store.subscriptionsByTopic(message.topic)
    const ofOthers = inStore.filter(({ clientId }) => this.#mirrors.get(clientId) === undefined)
    const receivers = receiversOf([...ofOthers, ...this.#mirrors.match(message.topic)], message)
    let others = 0
    for (const { qos, retain, clientIds } of receivers) {
      for (const clientId of clientIds) {
        const mirror = this.#mirrors.get(clientId)
        if (mirror === undefined) others += 1
        else mirror.queued.add(keyOf(message))
      }
      await store.outgoingEnqueueCombi(
        clientIds.map(clientId => ({ clientId })),
        queuedPacketOf(message, { qos, retain }),
      )
    }
    return others
  }
}

/** What old stores can't keep: shared filters mean nothing to them, and filters are keys of their objects. Such subscriptions are
 * in memory only. */
function isKept(filter: string): boolean {
  return !filter.startsWith('$share/') && filter !== '__proto__'
}

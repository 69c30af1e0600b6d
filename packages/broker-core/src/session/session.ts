import { isExpired } from '@x/contract'
import type {
  Delivery,
  MaybePromise,
  Message,
  OpenedSession,
  QueueEntry,
  SessionHandle,
  SessionOwner,
  Subscription,
} from '@x/contract'
import type { ProtocolVersion, QoS } from '@x/packet'
import { writeAtMostOnce, writeDelivery, writePubrel } from './delivery-writer.ts'
import type { DeliveryManner } from './delivery-writer.ts'
import { forwarded } from '../hooks/authorize-forward.ts'
import { GroupClaims } from './group-claims.ts'
import { Inflight, InflightWindow, acknowledgementWrong } from './inflight-window.ts'
import type { Acknowledgement } from './inflight-window.ts'
import { after, isPromise } from '../ground/maybe-promise.ts'
import { OutgoingAliases } from './outgoing-aliases.ts'
import type { Client } from '../hooks/client.ts'
import type { Outbox } from '../connection/outbox.ts'
import { Publication } from '../message/publication.ts'
import type { Recipient } from '../message/publication.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Group, GroupMember, ReceiverConnection } from '../routing/receiver.ts'
import { ReleaseOrder } from './release-order.ts'
import { RetainedFeeds } from './retained-feed.ts'
import type { SessionHost } from './session-host.ts'
import { StoredQueue } from './stored-queue.ts'
import { WaitingQueue } from './waiting-queue.ts'

/** The session of a connected client: its subscriptions, and its outgoing QoS 1 and 2 messages. It lives as long as the connection; the
 * store has what outlives it. MQTT 5.0 §4.1
 *
 * A *stored* session (expiry above 0) has its queue in the store: entries come in by `deliver`, or by `read` after there was no room.
 * For the others messages beyond the window wait in `#waiting`. */
export class Session implements SessionOwner, Recipient, GroupMember {
  readonly clientId: string
  readonly connection: ReceiverConnection
  readonly outbox: Outbox
  readonly version: ProtocolVersion
  readonly maximumPacketSize: number
  /** min(client's Receive Maximum, maximumInflight). MQTT 5.0 §4.9 */
  readonly #inflightLimit: number
  readonly engine: SessionHost
  readonly stored: boolean
  /** Which frames may be forwarded to this client unchanged: those of 3.x (3), of 5.0 (5), or none (0). */
  lane: 0 | 3 | 5
  /** By filter; `router` and the store have them as well. Undefined until the first. */
  #subscriptions: Map<string, Subscription> | undefined
  /** Packet ids of QoS 2 messages from the client that await PUBREL. Undefined until the first. */
  #received: Set<number> | undefined
  /** Undefined until a PUBREL has to wait for the store. */
  #releases: ReleaseOrder | undefined
  #handle: SessionHandle | undefined
  /** Undefined until the first QoS 1 or 2 message is sent. */
  #window: InflightWindow | undefined
  #waiting: WaitingQueue | undefined
  /** Of a stored session; undefined before the store has opened it, and for other sessions. */
  #queue: StoredQueue | undefined
  /** Sequence of the first message of a session without a stored queue. */
  #firstSequence = 0
  /** Entries up to here may have been sent on an earlier connection. */
  #sentBefore = 0
  /** Undefined until the session claims a message of a shared group. */
  #claims: GroupClaims | undefined
  /** Undefined until there are retained messages to send. */
  #retained: RetainedFeeds | undefined
  /** Topic aliases towards the client; undefined when it takes none. */
  readonly aliases: OutgoingAliases | undefined
  /** The store has said that another connection has the session: there is nothing to close. */
  isFenced = false
  /** Shared groups this session is a member of. */
  groups: Set<Group> | undefined
  // What the limits of subscriptions count; the quota's to change.
  heldSubscriptions = 0
  heldSubscriptionBytes = 0
  heldSharedSubscriptions = 0
  #phase: 'opening' | 'open' | 'closed' = 'opening'

  constructor(
    connection: ReceiverConnection,
    engine: SessionHost,
    traits: {
      clientId: string
      stored: boolean
      receiveMaximum: number
      maximumPacketSize: number
      topicAliasMaximum: number
    },
  ) {
    this.clientId = traits.clientId
    this.connection = connection
    this.outbox = connection.outbox
    this.version = connection.version
    this.maximumPacketSize = traits.maximumPacketSize
    this.#inflightLimit = Math.min(traits.receiveMaximum, engine.options.maximumInflight)
    this.engine = engine
    this.stored = traits.stored
    const aliases = Math.min(traits.topicAliasMaximum, engine.options.maximumOutgoingTopicAliases)
    this.aliases = aliases > 0 ? new OutgoingAliases(aliases, engine.options.maximumTopicAliasBytes) : undefined
    this.lane = 0
  }

  /** The store's name for the open session. */
  get handle(): SessionHandle {
    return this.#handle as SessionHandle
  }

  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#subscriptions ?? noSubscriptions
  }

  get received(): ReadonlySet<number> {
    return this.#received ?? noneReceived
  }

  /** Highest sequence of the store's that was ever sent to this client. */
  get sentThrough(): number {
    const claimedThrough = this.#claims?.claimedThrough ?? 0
    return this.stored ? Math.max(this.#sentBefore, this.#queue?.takenThrough ?? 0, claimedThrough) : claimedThrough
  }

  /** Nothing older waits, so another message can be sent at once. With a full outbox messages wait in the queue, which has limits. */
  get hasRoom(): boolean {
    if (this.#phase !== 'open' || this.#queue?.isCaughtUp === false || this.outbox.full) return false
    if (this.#waiting !== undefined && this.#waiting.length > 0) return false
    return this.#windowHasRoom()
  }

  get inflight(): number {
    return this.#window?.open ?? 0
  }

  /** Packet ids of the messages that were sent and not acknowledged, in the order of sending. */
  inflightIds(): readonly number[] {
    return this.#window?.packetIds() ?? []
  }

  /** More waits for this client than it should: publishers that feed it are slowed down. */
  get isBackedUp(): boolean {
    return this.outbox.full || (this.#waiting?.isBackedUp ?? false)
  }

  /** Takes over the state that the store has of this session. The caller restores the subscriptions. */
  restore(opened: OpenedSession): void {
    this.#handle = opened.handle
    this.#sentBefore = opened.sentThrough
    if (opened.received.length > 0) this.#received = new Set(opened.received)
    if (this.stored) {
      this.#queue = new StoredQueue(this, this.engine)
      this.#queue.restore(opened.lastSequence, opened.present && opened.lastSequence > 0)
    } else this.#firstSequence = opened.lastSequence
  }

  /** CONNACK was sent, so deliveries may begin ([MQTT5-3.2.0-1]). `pump` sends what waits already. */
  open(): void {
    if (this.#phase !== 'opening') return
    this.#phase = 'open'
    const untouched = this.aliases === undefined && this.maximumPacketSize > this.engine.options.maximumPacketSize
    this.lane = untouched ? (this.version === 5 ? 5 : 3) : 0
  }

  get isOpen(): boolean {
    return this.#phase === 'open'
  }

  close(): void {
    this.#phase = 'closed'
    this.#waiting?.clear()
    this.lane = 0
  }

  addSubscription(subscription: Subscription): void {
    this.#subscriptions ??= new Map()
    this.#subscriptions.set(subscription.filter, subscription)
  }

  removeSubscription(filter: string): void {
    this.#subscriptions?.delete(filter)
  }

  addReceived(packetId: number): void {
    this.#received ??= new Set()
    this.#received.add(packetId)
  }

  removeReceived(packetId: number): boolean {
    return this.#received?.delete(packetId) ?? false
  }

  /** Delivers a message that no store keeps for this session: at QoS 0 now, at QoS 1 and 2 when the window has room. */
  send(
    publication: Publication,
    qos: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[] | undefined,
  ): void {
    if (this.#phase === 'closed') return
    if (this.#retained !== undefined && publication.retain) this.#retained.overtaken(publication.topic)
    if (qos === 0) {
      if (this.#phase !== 'open') return
      const allowed = forwarded(this.engine, this.connection.client, publication)
      if (allowed !== undefined) writeAtMostOnce(this, allowed, retain, subscriptionIdentifiers)
      return
    }
    if (this.hasRoom) {
      const allowed = forwarded(this.engine, this.connection.client, publication)
      if (allowed === undefined) return
      const sequence = this.#window?.nextSequence ?? this.#firstSequence
      this.#sendInflight(allowed, { qos, retain, dup: false, subscriptionIdentifiers }, sequence)
      return
    }
    this.#wait({ message: publication.kept(), qos, retain, subscriptionIdentifiers })
  }

  /** Delivers the retained messages of a subscription, as fast as the client takes them. */
  sendRetained(filter: string): MaybePromise<void> {
    this.#retained ??= new RetainedFeeds(this, this.engine)
    return this.#retained.add(filter)
  }

  /** An entry of the stored queue ({@link SessionOwner.deliver}). */
  deliver(entry: QueueEntry): boolean {
    if (this.#retained !== undefined && entry.message.retain) this.#retained.overtaken(entry.message.topic)
    if (!this.hasRoom || this.#window?.reaches(entry.sequence) === false) {
      this.#queue?.missed()
      return false
    }
    if (this.#queue !== undefined) this.#queue.takenThrough = entry.sequence
    try {
      this.#takeEntry(entry)
    } catch (error) {
      // Fails later, since this may be a call of the store or of a publisher, which must not fail.
      queueMicrotask(() => this.connection.fail(error))
    }
    return true
  }

  /** Ends later: the store may be opening the session for another connection, which ends this one when it is done. */
  fenced(): void {
    this.isFenced = true
    this.close()
    queueMicrotask(() => this.connection.sessionTakenOver())
  }

  claimBegins(): void {
    this.#claims ??= new GroupClaims()
    this.#claims.open += 1
  }

  claimEnds(): void {
    if (this.#claims !== undefined) this.#claims.open -= 1
    // Others may have waited for the place of this claim.
    this.pump()
  }

  /** Sends a message of a shared group that this session has claimed. Older entries may not be taken yet. */
  sendClaimed(entry: QueueEntry): void {
    // The store has returned it to its group.
    if (this.#phase === 'closed') return
    if (entry.qos === 0) {
      this.send(Publication.of(entry.message), 0, entry.retain, entry.subscriptionIdentifiers)
      return
    }
    this.#claims ??= new GroupClaims()
    this.#claims.claimedThrough = Math.max(this.#claims.claimedThrough, entry.sequence)
    if (this.stored) {
      // The entry is in the queue, and is read from there.
      if (this.#window?.reaches(entry.sequence) === false) this.#queue?.missed()
      else this.#takeEntry(entry)
      return
    }
    const publication = forwarded(this.engine, this.connection.client, this.engine.publications.of(entry.message))
    if (publication === undefined) {
      this.#settleLater(entry.sequence)
      return
    }
    const sequence = this.#window?.nextSequence ?? this.#firstSequence
    this.#claims.remember(sequence, entry.sequence)
    const { qos, retain, subscriptionIdentifiers } = entry
    this.#sendInflight(publication, { qos, retain, dup: false, subscriptionIdentifiers }, sequence)
  }

  /** Returns the store's entry of a message in flight; undefined: the store has none. */
  storedEntry(messageId: number): MaybePromise<QueueEntry | undefined> {
    const sequence = this.#window?.find(messageId) ?? -1
    if (!this.stored || sequence < 0) return undefined
    return after(this.engine.persistence.read(this.handle, sequence - 1, 1), ([entry]) =>
      entry?.sequence === sequence ? entry : undefined,
    )
  }

  /** PUBACK: the QoS 1 flow is over, whatever the reason code ([MQTT5-4.4.0-2]). */
  puback(messageId: number): void {
    this.#finish(messageId, 'puback')
  }

  /** PUBREC: PUBREL follows, or the flow ends when the client refused the message ([MQTT5-4.3.3-4]). */
  pubrec(messageId: number, reasonCode: number): void {
    const window = this.#window
    const sequence = window === undefined ? -1 : window.find(messageId)
    if (reasonCode >= 0x80 || window?.state(sequence) === Inflight.puback) {
      this.#finish(messageId, 'pubrec')
      return
    }
    if (window === undefined || sequence < 0) {
      writePubrel(this, messageId, this.version === 5 ? ReasonCode.packetIdentifierNotFound : 0)
      return
    }
    window.release(sequence)
    const stored = this.#storedSequence(sequence)
    // PUBREL ends the client's memory of the id: if the store could still forget the PUBREC, the message would come twice.
    const released = stored === undefined ? undefined : this.engine.persistence.release(this.handle, stored)
    if (!isPromise(released) && this.#releases?.isIdle !== false) {
      writePubrel(this, messageId, 0)
      return
    }
    this.#releases ??= new ReleaseOrder()
    this.#releases.add(
      released,
      () => {
        if (this.#phase !== 'closed') writePubrel(this, messageId, 0)
      },
      error => this.connection.fail(error),
    )
  }

  /** PUBCOMP: the QoS 2 flow is over. */
  pubcomp(messageId: number): void {
    this.#finish(messageId, 'pubcomp')
  }

  /** Forgets the waiting messages that are in no store. */
  dropWaiting(): void {
    this.#waiting = undefined
    this.#retained = undefined
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    if (this.#phase !== 'open') return
    if (this.#waiting !== undefined) this.#sendWaiting()
    if (this.#queue?.isCaughtUp === false) this.#queue.readOn()
    if (this.#retained !== undefined) this.#pumpRetained(this.#retained)
    if (this.#claims?.hasStarved === true) this.#claims.feed(this)
  }

  starvesGroup(group: Group): void {
    this.#claims ??= new GroupClaims()
    this.#claims.starves(group)
  }

  /** @throws BrokerError `ACKNOWLEDGEMENT_WRONG` when the message with this packet id waits for another acknowledgement */
  assertAwaited(messageId: number, acknowledgement: Acknowledgement): void {
    const state = this.#window?.state(this.#window.find(messageId)) ?? Inflight.none
    if (state !== Inflight.none && state !== Inflight[acknowledgement]) {
      throw acknowledgementWrong(messageId, acknowledgement, state)
    }
  }

  #finish(messageId: number, acknowledgement: Acknowledgement): void {
    const window = this.#window
    if (window === undefined) return
    const sequence = window.find(messageId)
    if (sequence < 0) return
    const state = window.state(sequence)
    if (state !== Inflight[acknowledgement]) throw acknowledgementWrong(messageId, acknowledgement, state)
    window.finish(sequence)
    this.#settle(sequence)
    if (this.#waiting || this.#queue?.isCaughtUp === false || this.#retained || this.#claims?.hasStarved) this.pump()
  }

  /** Tells the store that it can forget the message. */
  #settle(sequence: number): void {
    const stored = this.#storedSequence(sequence)
    if (stored === undefined) return
    this.#claims?.forget(sequence)
    this.#acknowledge(stored)
  }

  #acknowledge(stored: number): void {
    try {
      const acknowledged = this.engine.persistence.acknowledge(this.handle, stored)
      this.engine.watch(acknowledged, 'ACKNOWLEDGE_FAILED', this.connection.client)
    } catch (error) {
      this.engine.fail(error, 'ACKNOWLEDGE_FAILED', this.connection.client)
    }
  }

  /** Acknowledges an entry later, since the store must not be called while it offers one. */
  #settleLater(stored: number): void {
    queueMicrotask(() => {
      if (this.#phase !== 'closed') this.#acknowledge(stored)
    })
  }

  #storedSequence(sequence: number): number | undefined {
    return this.stored ? sequence : this.#claims?.storedSequence(sequence)
  }

  #sendInflight(publication: Publication, how: DeliveryManner, sequence: number): void {
    if (!writeDelivery(this, publication, how, InflightWindow.packetId(sequence))) {
      // Counts as delivered ([MQTT5-3.1.2-25]).
      const stored = this.#storedSequence(sequence)
      this.#claims?.forget(sequence)
      if (stored !== undefined) this.#settleLater(stored)
      return
    }
    this.#window ??= new InflightWindow(sequence)
    this.#window.add(sequence, how.qos === 1 ? Inflight.puback : Inflight.pubrec)
  }

  #wait(delivery: Delivery): void {
    this.#waiting ??= new WaitingQueue(this.engine.limits, this.engine.waitingBytes)
    const count = this.#waiting.push(delivery)
    if (count > 0) this.engine.dropped({ queue: this.clientId, reason: 'queueFull', count })
  }

  #windowHasRoom(sequence = this.#window?.nextSequence ?? 0): boolean {
    const limit = this.#inflightLimit - (this.#claims?.open ?? 0)
    return this.#window === undefined ? limit > 0 : this.#window.hasRoom(limit, sequence)
  }

  #sendWaiting(): void {
    const waiting = this.#waiting as WaitingQueue
    const wasCongested = waiting.isBackedUp
    while (waiting.length > 0 && !this.outbox.full) {
      if (!this.#windowHasRoom()) break
      const { message, ...how } = waiting.shift() as Delivery
      if (this.#isExpired(message)) continue
      const publication = forwarded(this.engine, this.connection.client, this.engine.publications.of(message))
      if (publication === undefined) continue
      const sequence = this.#window?.nextSequence ?? this.#firstSequence
      this.#sendInflight(publication, { ...how, dup: false }, sequence)
    }
    if (wasCongested && !waiting.isBackedUp) this.connection.relieved()
  }

  #pumpRetained(retained: RetainedFeeds): void {
    retained.pump()
    if (retained.isEmpty) this.#retained = undefined
  }

  get client(): Client {
    return this.connection.client
  }

  /** Messages that may be sent before an acknowledgement comes. */
  get windowRoom(): number {
    return this.#inflightLimit - this.inflight - (this.#claims?.open ?? 0)
  }

  /** Sends an entry that was read from the stored queue. False: there is no room for it. */
  takeRead(entry: QueueEntry): boolean {
    const { sequence } = entry
    // A message that was claimed is on its way already.
    if (this.#window !== undefined && this.#window.state(sequence) !== Inflight.none) return true
    if (!this.#windowHasRoom(sequence)) return false
    this.#takeEntry(entry, true)
    return true
  }

  #takeEntry(entry: QueueEntry, wasRead = false): void {
    const { sequence, qos, retain, subscriptionIdentifiers } = entry
    if (entry.released) {
      this.#window ??= new InflightWindow(sequence)
      this.#window.add(sequence, Inflight.pubcomp)
      writePubrel(this, InflightWindow.packetId(sequence), 0)
      return
    }
    const dup = sequence <= this.#sentBefore
    // A message that was sent before is sent again even if it has expired ([MQTT5-4.3.3-7]).
    if (!dup && this.#isExpired(entry.message)) {
      this.#settleLater(sequence)
      return
    }
    const stored = wasRead ? this.engine.publications.recall(entry.message) : this.engine.publications.of(entry.message)
    const publication = forwarded(this.engine, this.connection.client, stored)
    if (publication === undefined) this.#settleLater(sequence)
    else this.#sendInflight(publication, { qos, retain, dup, subscriptionIdentifiers }, sequence)
  }

  #isExpired(message: Message): boolean {
    if (message.expiresAt === undefined || !isExpired(message, this.engine.clock.now())) return false
    this.engine.dropped({ queue: this.clientId, reason: 'expired', count: 1 })
    return true
  }
}

const noSubscriptions: ReadonlyMap<string, Subscription> = new Map()
const noneReceived: ReadonlySet<number> = new Set()

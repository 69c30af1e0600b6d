import { isExpired, packetIdOf } from '@x/contract'
import type {
  MaybePromise,
  Message,
  OpenedSession,
  QueueEntry,
  SessionHandle,
  SessionOwner,
  Subscription,
} from '@x/contract'
import type { ProtocolVersion, QoS } from '@x/packet'
import { liveManner, writeAtMostOnce, writeDelivery } from './delivery-writer.ts'
import type { DeliveryManner } from './delivery-writer.ts'
import { forwarded } from '../hooks/authorize-forward.ts'
import { GroupClaims, sendClaimed } from './group-claims.ts'
import { Inflight } from './inflight-window.ts'
import type { Acknowledgement } from './inflight-window.ts'
import { laneOf } from './lane.ts'
import type { Lane } from './lane.ts'
import { outgoingAliases } from './outgoing-aliases.ts'
import type { OutgoingAliases } from './outgoing-aliases.ts'
import type { Client } from '../hooks/client.ts'
import type { Outbox } from '../connection/outbox.ts'
import { Publication } from '../message/publication.ts'
import type { Recipient } from '../message/publication.ts'
import type { Group, GroupMember, ReceiverConnection } from '../routing/receiver.ts'
import { RetainedFeeds } from './retained-feed.ts'
import type { SessionHost } from './session-host.ts'
import type { SessionTraits } from './session-traits.ts'
import { StoredQueue } from './stored-queue.ts'
import { Unacknowledged } from './unacknowledged.ts'
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
  readonly lane: Lane
  /** By filter; `router` and the store have them as well. Undefined until the first. */
  #subscriptions: Map<string, Subscription> | undefined
  /** Packet ids of QoS 2 messages from the client that await PUBREL. Undefined until the first. */
  #received: Set<number> | undefined
  #handle: SessionHandle | undefined
  readonly unacknowledged: Unacknowledged = new Unacknowledged(this)
  #waiting: WaitingQueue | undefined
  /** Of a stored session; undefined before the store has opened it, and for other sessions. */
  #queue: StoredQueue | undefined
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

  constructor(connection: ReceiverConnection, engine: SessionHost, traits: SessionTraits) {
    this.clientId = traits.clientId
    this.connection = connection
    this.outbox = connection.outbox
    this.version = connection.version
    this.maximumPacketSize = traits.maximumPacketSize
    this.#inflightLimit = Math.min(traits.receiveMaximum, engine.options.maximumInflight)
    this.engine = engine
    this.stored = traits.stored
    this.aliases = outgoingAliases(traits.topicAliasMaximum, engine.options, connection.profile)
    this.lane = laneOf(this)
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
    return Math.max(this.#queue?.sentThrough ?? 0, this.#claims?.claimedThrough ?? 0)
  }

  /** Nothing older waits, so another message can be sent at once. With a full outbox messages wait in the queue, which has limits. */
  get hasRoom(): boolean {
    if (this.#phase !== 'open' || this.#queue?.isCaughtUp === false || this.outbox.full) return false
    if (this.#waiting !== undefined && this.#waiting.length > 0) return false
    return this.windowHasRoom()
  }

  get inflight(): number {
    return this.unacknowledged.count
  }

  /** More waits for this client than it should: publishers that feed it are slowed down. */
  get isBackedUp(): boolean {
    return this.outbox.full || (this.#waiting?.isBackedUp ?? false)
  }

  /** Takes over the state that the store has of this session. The caller restores the subscriptions. */
  restore(opened: OpenedSession): void {
    this.#handle = opened.handle
    if (opened.received.length > 0) this.#received = new Set(opened.received)
    if (this.stored) this.#queue = new StoredQueue(this, this.engine, opened)
    else this.unacknowledged.firstSequence = opened.lastSequence + 1
  }

  /** CONNACK was sent, so deliveries may begin ([MQTT5-3.2.0-1]). `pump` sends what waits already. */
  open(): void {
    if (this.#phase !== 'opening') return
    this.#phase = 'open'
  }

  get isOpen(): boolean {
    return this.#phase === 'open'
  }

  get isClosed(): boolean {
    return this.#phase === 'closed'
  }

  close(): void {
    this.#phase = 'closed'
    this.#waiting?.clear()
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
      const allowed = forwarded(this.engine, this.connection, publication)
      if (allowed !== undefined) writeAtMostOnce(this, allowed, retain, subscriptionIdentifiers)
      return
    }
    if (this.hasRoom) {
      const allowed = forwarded(this.engine, this.connection, publication)
      if (allowed === undefined) return
      this.sendInflight(allowed, liveManner(qos, retain, subscriptionIdentifiers), this.unacknowledged.nextSequence)
      return
    }
    this.#waiting ??= new WaitingQueue(this.engine.limits, this.engine.waitingBytes)
    const count = this.#waiting.push({ message: publication.kept(), qos, retain, subscriptionIdentifiers })
    if (count > 0) this.engine.dropped({ queue: this.clientId, reason: 'queueFull', count })
  }

  /** Delivers the retained messages of a subscription, as fast as the client takes them. */
  sendRetained(filter: string): MaybePromise<void> {
    this.#retained ??= new RetainedFeeds(this, this.engine)
    return this.#retained.add(filter)
  }

  /** An entry of the stored queue ({@link SessionOwner.deliver}). */
  deliver(entry: QueueEntry): boolean {
    if (this.#retained !== undefined && entry.message.retain) this.#retained.overtaken(entry.message.topic)
    return this.#queue?.offer(entry) === true
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
    if (this.#queue === undefined) sendClaimed(this, entry)
    else this.#queue.takeClaimed(entry)
  }

  /** The client has acknowledged a message. PUBACK and PUBCOMP end the flow, whatever the reason code ([MQTT5-4.4.0-2]); PUBREL follows
   * PUBREC.
   * @throws BrokerError `ACKNOWLEDGEMENT_WRONG` when the message waits for another acknowledgement */
  acknowledged(messageId: number, kind: Acknowledgement, reasonCode = 0): void {
    const sent = this.unacknowledged
    const isOver = kind === 'pubrec' ? sent.pubrec(messageId, reasonCode) : sent.finish(messageId, kind)
    if (!isOver) return
    if (this.#waiting || this.#queue?.isCaughtUp === false || this.#retained || this.#claims?.hasStarved) this.pump()
  }

  /** Forgets the waiting messages that are in no store. */
  dropWaiting(): void {
    this.#waiting = undefined
    this.#retained = undefined
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    if (this.#phase !== 'open') return
    if (this.#waiting !== undefined && this.#waiting.feed(this)) this.connection.relieved()
    if (this.#queue?.isCaughtUp === false) this.#queue.readOn()
    this.#retained?.pump()
    if (this.#retained?.isEmpty === true) this.#retained = undefined
    if (this.#claims?.hasStarved === true) this.#claims.feed(this)
  }

  starvesGroup(group: Group): void {
    this.#claims ??= new GroupClaims()
    this.#claims.starves(group)
  }

  /** Sends a message of QoS 1 or 2, for which there is room. */
  sendInflight(publication: Publication, manner: DeliveryManner, sequence: number): void {
    const { qos } = manner
    if (writeDelivery(this, publication, manner, packetIdOf(sequence))) {
      this.unacknowledged.add(sequence, qos === 1 ? Inflight.puback : Inflight.pubrec, publication)
    } else this.unacknowledged.skip(sequence)
  }

  /** Whether the message with this sequence, or the next one, can be sent before an acknowledgement comes. */
  windowHasRoom(sequence?: number): boolean {
    return this.unacknowledged.hasRoom(this.#inflightLimit - (this.#claims?.open ?? 0), sequence)
  }

  get client(): Client {
    return this.connection.client
  }

  /** Messages that may be sent before an acknowledgement comes. */
  get windowRoom(): number {
    return this.unacknowledged.hasByteRoom ? this.#inflightLimit - this.inflight - (this.#claims?.open ?? 0) : 0
  }

  /** Whether the message has expired; then it is counted as dropped. */
  dropsExpired(message: Message): boolean {
    if (message.expiresAt === undefined || !isExpired(message, this.engine.clock.now())) return false
    this.engine.dropped({ queue: this.clientId, reason: 'expired', count: 1 })
    return true
  }
}

const noSubscriptions: ReadonlyMap<string, Subscription> = new Map()
const noneReceived: ReadonlySet<number> = new Set()

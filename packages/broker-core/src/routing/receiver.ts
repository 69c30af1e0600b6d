import type { QueueEntry, SessionHandle, Subscription } from '@x/contract'
import type { QoS } from '@x/packet'
import type { Client } from '../hooks/client.ts'
import type { ListenerProfile } from '../hooks/listener-profile.ts'
import type { Connection } from '../connection/connection.ts'
import type { Outbox } from '../connection/outbox.ts'
import type { Publication } from '../message/publication.ts'
import type { Holder } from './subscription-quota.ts'

/** The connection of a session. */
export interface ReceiverConnection extends Connection {
  readonly client: Client
  readonly profile: ListenerProfile | undefined
}

/** A session with a connection here, as routing sees it. */
export interface Receiver extends Holder {
  readonly clientId: string
  /** Its QoS 1 and 2 messages come from the store. */
  readonly stored: boolean
  readonly isOpen: boolean
  /** More waits for the client than it should: publishers that feed it are slowed down. */
  readonly isBackedUp: boolean
  readonly outbox: Outbox
  readonly connection: ReceiverConnection
  /** Which frames may be sent to this client unchanged: those of 3.x (3), of 5.0 (5), or none (0). */
  readonly lane: 0 | 3 | 5
  /** By filter. */
  readonly subscriptions: ReadonlyMap<string, Subscription>
  addSubscription(subscription: Subscription): void
  removeSubscription(filter: string): void
  /** Delivers a message that no store keeps for this session. */
  send(
    publication: Publication,
    qos: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[] | undefined,
  ): void
}

/** A receiver that can be a member of shared groups. MQTT 5.0 §4.8.2 */
export interface GroupMember extends Receiver {
  /** The store's name for the session. */
  readonly handle: SessionHandle
  /** Another message can be sent at once. */
  readonly hasRoom: boolean
  /** Number of messages that are sent and not acknowledged. */
  readonly inflight: number
  /** The groups it is a member of; undefined before the first. */
  groups: Set<Group> | undefined
  /** In this group messages wait for the first member that has room. */
  starvesGroup(group: Group): void
  /** A claim on the store begins; what it brings has its place in the window. */
  claimBegins(): void
  /** The claim has ended, and what it brought was sent. */
  claimEnds(): void
  /** Sends a message that was claimed for this member. */
  sendClaimed(entry: QueueEntry): void
}

/** A shared group, as its members know it. */
export interface Group {
  /** The member has room again. Returns whether messages still wait in the group. */
  roomFor(member: GroupMember): boolean
}

import type { LazyPage } from './lazy-page.ts'
import type { MaybePromise } from './maybe-promise.ts'
import type { RetainedPage } from './persistence.ts'
import type { Slices } from './slices.ts'
import type { StoredSessions } from './stored-sessions.ts'
import type { Subscription } from './subscription.ts'

/** A client that is connected to this broker. */
export interface InspectedClient {
  readonly clientId: string
  /** As its CONNECT, or its certificate, said; undefined: none, or not known any more. */
  readonly username: string | undefined
  /** Undefined: it is a part of the program, or came by a Unix socket. */
  readonly address: string | undefined
  readonly port: number | undefined
  readonly listener: string | undefined
  /** Protocol level: 3 (MQTT 3.1), 4 (3.1.1), 5. */
  readonly version: number
  /** Clean Session, or Clean Start. */
  readonly clean: boolean
  /** Seconds. */
  readonly keepAlive: number
  /** Seconds that its session outlives the connection. */
  readonly sessionExpiryInterval: number
  /** It is a part of this program, a bridge for one. */
  readonly trusted: boolean
  readonly subscriptions: number
  /** QoS 1 and 2 messages that it was sent and has not acknowledged. */
  readonly inflight: number
  /** Bytes that wait to be written to its connection. */
  readonly outgoingBytes: number
}

/** A shared subscription with members that are connected to this broker. */
export interface InspectedGroup {
  /** `$share/{ShareName}/{filter}`. */
  readonly name: string
  readonly filter: string
  readonly members: number
}

/** Looks at a broker one thing at a time, for people: lists are lazy, so that nobody waits while one is read. */
export interface BrokerInspection {
  /** What cuts the reading of lists: who reads one does it by these. */
  readonly slices: Slices
  /** Undefined: the store can't be looked into. */
  readonly sessions: StoredSessions | undefined
  /** Clients of this broker in the order of their coming. One that comes or leaves meanwhile may be missing. */
  clients(): LazyPage<InspectedClient>
  client(clientId: string): InspectedClient | undefined
  /** Of a client that is connected here; none otherwise. */
  subscriptions(clientId: string): Iterable<Subscription>
  groups(): LazyPage<InspectedGroup>
  /** Client identifiers of the members of a shared subscription. */
  members(group: string): Iterable<string>
  /** The retained messages whose topics match, those of the broker itself included. */
  retained(filter: string): MaybePromise<RetainedPage>
  /** Closes the connection of a client that is connected here, and tells an MQTT 5 client the reason code. False: it is not. */
  kick(clientId: string, reasonCode: number): boolean
  /** Drops what waits for a client, connected or not. Returns how many messages, as far as the store had them. */
  clearQueue(clientId: string): Promise<number>
  /** Ends the session of a client, and its connection, wherever that is. */
  endSession(clientId: string): Promise<void>
}

import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { BrokerInspection } from './inspection.ts'
import type { Latency } from './latency.ts'
import type { MaybePromise } from './maybe-promise.ts'
import type { MessageTracer } from './message-tracer.ts'
import type { PersistenceCounts } from './persistence-counts.ts'

/** What can be attached to a broker from outside, with nothing but what every program may use. */
export interface Plugin {
  readonly name: string
  /** Called once when the broker opens; what it returns is called once when the broker closes. */
  attach(broker: PluggableBroker): MaybePromise<(() => MaybePromise<void>) | undefined>
}

/** The program's end of a connection within the process. */
export interface LocalStream extends Duplex {
  /** The client as the broker sees it. */
  readonly client: {
    /** By filter, those of a resumed session included. */
    readonly subscriptions: Readonly<Record<string, unknown>>
  }
}

/** A broker as plugins see it. */
export interface PluggableBroker extends Pick<EventEmitter, 'on' | 'off' | 'once'> {
  readonly id: string
  readonly version: string
  readonly counters: Readonly<Counters>
  /** Listeners by their names, and their open connections; undefined: the program hands streams over by itself. */
  readonly listenerConnections?: readonly { readonly name: string; readonly connections: number }[]
  /** Ways in that are open, as people see them; undefined: the program hands streams over by itself. */
  readonly listenerStatus?: readonly ListenerStatus[]
  /** Of asynchronous calls: `hook NAME` of each, `store` and `emitter` of one message at a time, which is a sample. What is synchronous
   * is not measured. Undefined: the broker measures none. */
  readonly latencies?: Readonly<Record<string, Latency>>
  /** Bridges of this broker: each adds itself while it is attached. Undefined: the broker shows none. */
  readonly bridges?: Set<BridgeStatus>
  /** Work that several brokers could do and one does. Undefined: the broker does all by itself. */
  readonly tasks?: SharedTasks
  /** The processes that are this broker together, with this one among them; undefined: it is the only one. */
  readonly workers?: readonly WorkerUsage[]
  /** The other processes that are this broker; undefined: it is the only one. */
  readonly peers?: Peers
  /** What there is, one by one. Undefined: this broker can't be looked into. */
  readonly inspection?: BrokerInspection
  /** Has single messages followed, until the function that it returns is called. One tracer can do that at a time. Undefined: this broker
   * can't have it.
   * @throws Error while another tracer does */
  traceMessages?(tracer: MessageTracer): () => void
  /** What there is now; asks the store, so it is not for hot paths. */
  counts(): Promise<BrokerCounts>
  /** For what the plugin meets while nobody waits for it: becomes the event `error`. */
  reportError(error: Error): void
  /** A connection of the program's own: what speaks MQTT on the returned stream is served without a socket, and no hook is asked
   * about it. `name` is shown in logs. */
  openLocalStream(name: string): LocalStream
  publish(packet: { topic: string; payload?: string | Buffer; qos?: 0 | 1 | 2; retain?: boolean }): Promise<void>
}

/** The other processes that are one broker with this one. Questions and answers are what JSON can say. */
export interface Peers {
  /** Number of this process. */
  readonly own: number
  /** Numbers of the others, ascending. */
  readonly others: readonly number[]
  /** Undefined: it has not answered within 2 s, or is gone. */
  ask(worker: number, question: object): Promise<object | undefined>
  /** What this process answers to others; the last one that is given counts. A rejection is no answer. */
  serve(answer: (question: object) => MaybePromise<object>): void
}

/** Work that one of several brokers on the same store does at a time. */
export interface SharedTasks {
  /** There may be other brokers that ask for the same tasks. */
  readonly isShared: boolean
  /** Whether this broker does it, until it gives it up, closes, or is taken for dead by the others.
   * @throws PersistenceError when the store can't be asked */
  hold(name: string): Promise<boolean>
  giveUp(name: string): Promise<void>
}

/** A way in that is open. */
export interface ListenerStatus {
  readonly name: string
  /** As clients would write them: `mqtt://127.0.0.1:1883`. */
  readonly urls: readonly string[]
  readonly connections: number
  readonly tls: boolean
  /** Clients must show a certificate. */
  readonly mutualTls: boolean
}

/** A connection to another broker, and what has gone over it. */
export interface BridgeStatus {
  readonly name: string
  /** - `idle`: not attached to a broker
   * - `elsewhere`: another broker on the same store has the bridge
   * - `waiting`: until the next attempt
   * - `ended`: it does not connect again */
  readonly state: 'idle' | 'elsewhere' | 'connecting' | 'connected' | 'waiting' | 'ended'
  readonly counters: {
    /** From the other broker to this one. */
    readonly in: Readonly<BridgeTraffic>
    readonly out: Readonly<BridgeTraffic>
    /** Connections that stood. */
    readonly connections: number
    /** Attempts that failed. */
    readonly failures: number
  }
}

/** Messages of one direction, counted since the bridge was made. */
export interface BridgeTraffic {
  messages: number
  /** Of payload. */
  bytes: number
  /** Came back to a broker that they had left. */
  droppedLoop: number
  /** Exceed what the receiving broker takes. */
  droppedTooLarge: number
  /** Refused by the receiving broker, with a reason code. */
  refused: number
}

/** What one of several processes takes; up to a second old. */
export interface WorkerUsage {
  /** From 1. A worker that takes the place of another one has its number. */
  readonly number: number
  readonly connectedClients: number
  /** Of the processor, since the process began. */
  readonly cpuSeconds: number
  readonly residentBytes: number
  /** ms that the event loop was late at most, in 99 of 100 looks of the last second. */
  readonly eventLoopDelay: number
}

/** What a broker and its store have at one moment; may be a moment old. */
export interface BrokerCounts extends PersistenceCounts {
  /** Of this broker. */
  readonly connectedClients: number
  /** Sessions that wait for their client to come back. */
  readonly disconnectedSessions: number
  /** Of all sessions, also those that end with their connection. */
  readonly subscriptions: number
  /** Shared subscriptions of clients connected here. */
  readonly sharedSubscriptions: number
  /** Different shared subscriptions of clients connected here. */
  readonly sharedGroups: number
  /** Bytes that subscriptions of clients connected here take, as `subscriptionBytes` counts them. */
  readonly subscriptionBytes: number
}

/** Counted since the broker was made, never reset. Adding one is all that the hot path pays. */
export interface Counters {
  /** Streams that were handed to the broker, whatever became of them. */
  connectionsOpened: number
  connectionsAccepted: number
  connectionsRefused: number
  clientsConnected: number
  sessionsExpired: number
  bytesReceived: number
  bytesSent: number
  packetsReceived: number
  publishesReceived: number
  /** Of these, those at QoS 1 and 2; the rest were at QoS 0. */
  publishesReceivedQoS1: number
  publishesReceivedQoS2: number
  /** Of payload. */
  publishBytesReceived: number
  publishesSent: number
  publishesSentQoS1: number
  publishesSentQoS2: number
  publishBytesSent: number
  /** Packets sent that are not PUBLISH. */
  controlPacketsSent: number
  /** QoS 0 messages that were not sent because the client's outgoing buffer stayed full. */
  droppedOutboxFull: number
  /** QoS 1 and 2 messages dropped by the limits of a queue. */
  droppedQueueFull: number
  droppedExpired: number
  /** CONNECTs refused by the limit on wills, or on sessions. */
  refusedSessions: number
  /** Messages refused by a limit on what is retained, or by another one of the store. */
  refusedPublishes: number
  /** Not sent because they exceed the client's Maximum Packet Size. MQTT 5.0 §3.1.2.11.4 */
  droppedTooLarge: number
  malformedPackets: number
  /** Times that a connection gave way because it had its share of a turn of the event loop. */
  turnsYielded: number
  /** Times that a publisher did not wait for a full receiver, having lost `maximumPublisherPause` to others. */
  pausesRefused: number
  /** Times that a client was not read for a while because of `maximumPacketRate` or `maximumByteRate`. */
  readingRested: number
  /** Logins that were delayed because their name fails too often. */
  loginsDelayed: number
  /** Events that have no line of their own in the log, since too many others had one. */
  logLinesSummedUp: number
  /** Errors that a peer met, ended with or was refused by, at a limit for instance: by their code, which is one of the tables in
   * the READMEs. Without prototype. */
  readonly errors: Readonly<Record<string, number>>
  /** Filters of SUBSCRIBEs that a limit did not allow. */
  subscriptionsRefused: number
}

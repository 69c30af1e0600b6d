import type { EventEmitter } from 'node:events'
import type { MaybePromise } from './persistence.ts'

/** What can be attached to a broker from outside, with nothing but what every program may use. */
export interface Plugin {
  readonly name: string
  /** Called once when the broker opens; what it answers is called once when the broker closes. */
  attach(broker: PluggableBroker): MaybePromise<(() => MaybePromise<void>) | undefined>
}

export interface PluggableBroker extends Pick<EventEmitter, 'on' | 'off' | 'once'> {
  readonly id: string
  readonly counters: Readonly<Counters>
  publish(packet: { topic: string; payload?: string | Buffer; qos?: 0 | 1 | 2; retain?: boolean }): Promise<void>
}

/** Counted since the broker was made, never reset. Adding one is all that the hot path pays. */
export interface Counters {
  connectionsAccepted: number
  connectionsRefused: number
  clientsConnected: number
  bytesReceived: number
  bytesSent: number
  packetsReceived: number
  publishesReceived: number
  publishesSent: number
  /** QoS 0 messages that were not sent because the client's outgoing buffer stayed full. */
  droppedOutboxFull: number
  /** QoS 1 and 2 messages dropped by the limits of a queue. */
  droppedQueueFull: number
  droppedExpired: number
  /** Not sent because they exceed the client's Maximum Packet Size. MQTT 5.0 §3.1.2.11.4 */
  droppedTooLarge: number
  malformedPackets: number
}

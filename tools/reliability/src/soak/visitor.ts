import type { TransportName, Ways } from './transport.ts'
import type { Version } from '../wire/bytes.ts'
import type { Tally } from './tally.ts'

export interface Visit {
  readonly transport: TransportName
  readonly ways: Ways
  readonly version: Version
  readonly clientId: string
  readonly cleanStart: boolean
  readonly tally: Tally
}

/** A client of either kind, for one connection. */
export interface Visitor {
  /** PUBLISH packets that have come on this connection. */
  readonly received: number
  /** Packets of any kind likewise. */
  readonly receivedPackets: number
  connect(): Promise<void>
  subscribe(filter: string, qos: 0 | 1 | 2): Promise<void>
  unsubscribe(filter: string): Promise<void>
  /** Settles when it is acknowledged, as far as the QoS has that. */
  publish(topic: string, payload: Buffer, qos: 0 | 1 | 2): Promise<void>
  /** Says DISCONNECT, or is gone without a word; settles when the connection has ended. */
  leave(how: 'disconnect' | 'cut'): Promise<void>
}

/** Seconds that a session outlives its connection in MQTT 5.0. */
export const sessionExpiry = 30

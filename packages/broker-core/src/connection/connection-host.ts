import type { Clock, Counters } from '@x/contract'
import type { DeadlineWheel } from '../ground/deadline-wheel.ts'
import type { CheckedOptions } from '../ground/limits.ts'
import type { OutboxContext } from './outbox.ts'
import type { Turn } from './turn.ts'
import type { UnfinishedPackets } from './unfinished-packets.ts'

/** The state of a connection.
 * - `awaitingConnect`: only CONNECT may come
 * - `connecting`: CONNECT is being processed; reading rests
 * - `authenticating`: the client's next AUTH is awaited (MQTT 5.0 §4.12)
 * - `connected`: CONNACK with success was sent
 * - `closing`: the last byte to the client is written; what still comes in is discarded
 * - `closed`: the stream is gone */
export type Phase = 'awaitingConnect' | 'connecting' | 'authenticating' | 'connected' | 'closing' | 'closed'

/** What connections need of the engine. */
export interface ConnectionHost {
  readonly options: CheckedOptions
  readonly clock: Clock
  readonly wheel: DeadlineWheel
  readonly counters: Counters
  readonly turn: Turn
  readonly outboxContext: OutboxContext
  readonly unfinishedPackets: UnfinishedPackets
  /** Every open connection. */
  readonly connections: { delete(connection: unknown): boolean }
  /** Messages of one connection that are collected, and take effect with `flush`. */
  readonly run: { flush(): void }
}

/** What the listener of a connection says about it. */
export interface ConnectionProfile {
  /** Name of the listener. */
  readonly name: string
  /** ms until CONNECT must have come. */
  readonly connectTimeout: number
}

import { closeSync, openSync, writeSync } from 'node:fs'
import type { StoreName } from './store-service.ts'

export type QoS = 0 | 1 | 2

/** What a client, or the harness, saw or did. The place in the history is the order in which this process saw it. */
export type HistoryEvent = { readonly at: number } & Happening

export type Happening =
  | ConnectEvent
  | {
      readonly kind: 'connected'
      readonly client: string
      readonly connection: number
      readonly sessionPresent: boolean
    }
  | { readonly kind: 'refused'; readonly client: string; readonly connection: number; readonly reasonCode: number }
  /** DISCONNECT was written. */
  | {
      readonly kind: 'disconnecting'
      readonly client: string
      readonly connection: number
      readonly endsSession: boolean
    }
  /** `byPeer`: the broker's side has ended; `reasonCode` of its DISCONNECT. */
  | {
      readonly kind: 'closed'
      readonly client: string
      readonly connection: number
      readonly byPeer: boolean
      readonly reasonCode?: number
    }
  | {
      readonly kind: 'subscribed'
      readonly client: string
      readonly connection: number
      readonly filter: string
      readonly qos: QoS
    }
  | PublishEvent
  /** PUBACK, PUBREC or PUBCOMP came. */
  | {
      readonly kind: 'acknowledged'
      readonly client: string
      readonly connection: number
      readonly message: string
      readonly step: 'puback' | 'pubrec' | 'pubcomp'
      readonly reasonCode: number
    }
  | ReceivedEvent
  /** The first of a run. */
  | { readonly kind: 'begun'; readonly store: StoreName }
  | { readonly kind: 'fault'; readonly fault: string; readonly target: string; readonly detail?: string }
  /** Redis has forgotten what came since that place, or everything. */
  | { readonly kind: 'loss'; readonly since: number; readonly everything: boolean }
  | { readonly kind: 'memory'; readonly process: string; readonly bytes: number }
  /** A broker has ended although nobody ended it. */
  | { readonly kind: 'died'; readonly broker: string; readonly reason: string }
  /** What a new subscriber was sent of the retained messages, when it was quiet. */
  | { readonly kind: 'retained'; readonly messages: readonly { readonly topic: string; readonly message: string }[] }
  /** Faults are over and everything that could arrive has had its time. */
  | { readonly kind: 'quiet'; readonly settled: boolean; readonly detail: string }
  /** All sessions have ended, and all brokers. */
  | { readonly kind: 'keys'; readonly keys: readonly string[] }

export interface ConnectEvent {
  readonly kind: 'connect'
  readonly client: string
  readonly connection: number
  readonly broker: string
  readonly cleanStart: boolean
  /** Whether the session outlives the connection. */
  readonly persistent: boolean
  readonly will?: { readonly message: string; readonly topic: string; readonly qos: QoS }
}

export interface PublishEvent {
  readonly kind: 'publish'
  readonly client: string
  readonly connection: number
  /** Names it in the whole run; the first part of its payload. */
  readonly message: string
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  /** Of no payload: removes the retained message. */
  readonly empty?: boolean
}

export interface ReceivedEvent {
  readonly kind: 'received'
  readonly client: string
  readonly connection: number
  readonly message: string
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  /** QoS 2: this packet identifier is not released yet, so that it isn't passed on again. MQTT 5.0 §4.3.3 */
  readonly again: boolean
}

/** Keeps what happened, in memory for the checks and in a file (one JSON object for each line) for study. */
export class History {
  readonly events: HistoryEvent[] = []
  readonly #started = performance.now()
  readonly #file: number
  #lines: string[] = []

  constructor(path: string) {
    this.#file = openSync(path, 'w')
  }

  /** Milliseconds since the start. */
  get now(): number {
    return Math.round(performance.now() - this.#started)
  }

  /** Where the next event will stand. */
  get place(): number {
    return this.events.length
  }

  record(happening: Happening): void {
    const event: HistoryEvent = { at: this.now, ...happening }
    this.events.push(event)
    this.#lines.push(`${JSON.stringify(event)}\n`)
    if (this.#lines.length >= 1000) this.#write()
  }

  close(): void {
    this.#write()
    closeSync(this.#file)
  }

  #write(): void {
    writeSync(this.#file, this.#lines.join(''))
    this.#lines = []
  }
}

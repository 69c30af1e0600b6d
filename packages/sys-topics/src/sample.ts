import type { BridgeStatus, BrokerCounts, Counters } from '@x/contract'

/** Everything that the topics are made of, at one moment. */
export interface Sample {
  readonly brokerId: string
  readonly version: string
  /** ms since the epoch. */
  readonly now: number
  /** ms. */
  readonly uptime: number
  readonly counters: Readonly<Counters>
  readonly counts: BrokerCounts
  readonly maximumClients: number
  readonly bridges: readonly BridgeStatus[]
  readonly listeners: readonly { readonly name: string; readonly connections: number }[]
  /** Bytes. */
  readonly heap: number
  readonly maximumHeap: number
  /** Share of one core since the last sample, in percent. */
  readonly processor: number
  /** By the name that Mosquitto has for it, per minute over 1, 5 and 15 minutes. */
  readonly loads: ReadonlyMap<string, readonly number[]>
  /** Share of one core in percent, over 1, 5 and 15 minutes. */
  readonly processorAverages: readonly number[]
}

/** What is averaged, by the name that Mosquitto has for it. */
export const loadCounters: Readonly<Record<string, (counters: Readonly<Counters>) => number>> = {
  'messages/received': counters => counters.packetsReceived,
  'messages/sent': packetsSent,
  'publish/received': counters => counters.publishesReceived,
  'publish/sent': counters => counters.publishesSent,
  'publish/dropped': dropped,
  'bytes/received': counters => counters.bytesReceived,
  'bytes/sent': counters => counters.bytesSent,
  connections: counters => counters.connectionsAccepted,
  sockets: counters => counters.connectionsOpened,
}

/** Packets of all types that were sent. */
export function packetsSent({ publishesSent, controlPacketsSent }: Readonly<Counters>): number {
  return publishesSent + controlPacketsSent
}

/** Messages that somebody was to get and did not, whatever the reason. */
export function dropped(counters: Readonly<Counters>): number {
  return counters.droppedOutboxFull + counters.droppedQueueFull + counters.droppedExpired + counters.droppedTooLarge
}

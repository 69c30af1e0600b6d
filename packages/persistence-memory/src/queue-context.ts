import type { Clock, Drop, StoreLimits } from '@x/contract'
import type { Deadlines } from './deadlines.ts'
import type { ExpiringQueue } from './queue-expiry.ts'

/** A queue that another one may take room from. */
export interface RoomyQueue {
  /** Bytes that wait in it. */
  readonly waitingBytes: number
  /** Drops the oldest message that may be dropped; false: there is none. */
  dropOldest(): boolean
}

/** What all queues of a store share. */
export interface QueueContext {
  readonly limits: StoreLimits
  /** Messages of effective QoS 0 are queued for sessions that are not open. */
  readonly queuesAtMostOnce: boolean
  /** When queues are to be looked through for what has expired. */
  readonly expiries: Deadlines<ExpiringQueue>
  /** Bytes that wait in all queues. */
  waitingBytes: number
  /** The queue in which the most bytes wait, as far as it is known. */
  largest: RoomyQueue | undefined
  readonly clock: Clock
  dropped(drop: Drop): void
  /** Entries of all sessions' queues and messages of all groups, for `counts`. */
  queuedMessages: number
}

/** Counts bytes that wait in a queue, or, below 0, no longer do. */
export function countWaiting(context: QueueContext, queue: RoomyQueue, bytes: number): void {
  context.waitingBytes += bytes
  if (queue.waitingBytes > (context.largest?.waitingBytes ?? 0)) context.largest = queue
}

/** Whether so many bytes more may wait in all queues together, after dropping from the largest one what the limit asks for. */
export function makeRoomInStore(context: QueueContext, queue: RoomyQueue, bytes: number): boolean {
  const { maximumTotalQueuedBytes = Infinity, overflow } = context.limits
  while (context.waitingBytes + bytes > maximumTotalQueuedBytes) {
    if (overflow === 'dropNewest' || bytes > maximumTotalQueuedBytes) return false
    const { largest } = context
    const isOther = largest !== undefined && largest !== queue && largest.waitingBytes > queue.waitingBytes
    if (isOther && largest.dropOldest()) continue
    context.largest = undefined
    if (!queue.dropOldest()) return false
  }
  return true
}

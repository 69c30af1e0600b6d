import type { StoreLimits } from '@x/contract'
import type { GroupRecord } from './group-record.ts'
import type { SessionRecord } from './session-record.ts'
import type { WorkingSet } from './working-set.ts'

/** What the limit of all queues together is kept with. */
export interface TotalRoomParts {
  readonly set: WorkingSet
  readonly limits: StoreLimits
  /** Drops the oldest message of a queue that may be dropped; false: there is none. */
  readonly dropOldest: (queue: QueueRecord) => boolean
}

/** Whose queue it is. */
export type QueueRecord = SessionRecord | GroupRecord

/** What waits in all queues together. */
export class TotalRoom {
  readonly #parts: TotalRoomParts
  /** The queue in which the most bytes wait, as far as it is known. */
  #largest: QueueRecord | undefined

  constructor(parts: TotalRoomParts) {
    this.#parts = parts
  }

  /** So many messages more wait in a queue, or fewer. */
  count(queue: QueueRecord, messages: number, bytes: number): void {
    queue.waitingMessages += messages
    queue.waitingBytes += bytes
    this.#parts.set.count('waitingBytes', bytes)
    if (bytes > 0 && queue.waitingBytes > (this.#largest?.waitingBytes ?? 0)) this.#largest = queue
  }

  /** Whether so many bytes more may wait in a queue, after dropping from the largest one what the limit asks for. */
  make(queue: QueueRecord, bytes: number): boolean {
    const { set, limits, dropOldest } = this.#parts
    const { maximumTotalQueuedBytes = Infinity, overflow } = limits
    while (set.totals.waitingBytes + bytes > maximumTotalQueuedBytes) {
      if (overflow === 'dropNewest' || bytes > maximumTotalQueuedBytes) return false
      const largest = this.#current()
      const isOther = largest !== undefined && largest !== queue && largest.waitingBytes > queue.waitingBytes
      if (isOther && dropOldest(largest)) continue
      this.#largest = undefined
      if (!dropOldest(queue)) return false
    }
    return true
  }

  /** The record that is known may be an old one: the working set has forgotten it since, or it is gone. */
  #current(): QueueRecord | undefined {
    const largest = this.#largest
    if (largest === undefined) return undefined
    const { set } = this.#parts
    const current = 'clientId' in largest ? set.session(largest.clientId) : set.group(largest.name)
    return current?.number === largest.number ? current : undefined
  }
}

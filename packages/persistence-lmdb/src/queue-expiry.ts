import type { Clock, Message } from '@x/contract'
import type { Deadlines, Subject } from './deadlines.ts'
import type { QueueRecord } from './total-room.ts'
import type { WorkingSet } from './working-set.ts'

/** ms between two looks through a queue. */
const interval = 100
/** A look costs a step for each entry, so a long queue is looked through less often: entries for each ms more. */
const entriesPerMillisecond = 10

/** What the expiry of queues is made with. */
export interface QueueExpiryParts {
  readonly set: WorkingSet
  readonly deadlines: Deadlines
  readonly clock: Clock
}

/** When queues are to be looked through for messages that have expired. */
export class QueueExpiry {
  readonly #parts: QueueExpiryParts

  constructor(parts: QueueExpiryParts) {
    this.#parts = parts
  }

  /** A message waits in the queue from now on. */
  waits(queue: QueueRecord, { expiresAt }: Message): void {
    if (expiresAt !== undefined && expiresAt < (queue.lookAt ?? Infinity)) this.#set(queue, expiresAt)
  }

  isDue({ lookAt }: QueueRecord): boolean {
    return lookAt !== undefined && lookAt <= this.#parts.clock.now()
  }

  /** The queue, of so many entries, was looked through; `earliest` expires next, Infinity: nothing does. */
  looked(queue: QueueRecord, earliest: number, entries: number): void {
    const next = this.#parts.clock.now() + interval + Math.floor(entries / entriesPerMillisecond)
    this.#set(queue, earliest === Infinity ? undefined : Math.max(earliest, next))
  }

  /** The queue is gone. */
  end(queue: QueueRecord): void {
    this.#set(queue, undefined)
  }

  #set(queue: QueueRecord, at: number | undefined): void {
    const { set, deadlines } = this.#parts
    const { lookAt } = queue
    if (lookAt === at) return
    if (lookAt !== undefined) deadlines.cancel(lookAt, subjectOf(queue))
    queue.lookAt = at
    if ('clientId' in queue) set.changed(queue)
    else set.groupChanged(queue)
    if (at !== undefined) deadlines.set(at, subjectOf(queue), 'clientId' in queue ? queue.clientId : queue.name)
  }
}

function subjectOf(queue: QueueRecord): Subject {
  return { what: 'clientId' in queue ? 'queueExpiry' : 'groupExpiry', number: queue.number }
}

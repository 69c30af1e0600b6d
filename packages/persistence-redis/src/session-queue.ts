import type { Delivery, QueueEntry, SessionHandle } from '@x/contract'
import { keepMessage, messageBytes } from '@x/contract'
import { offerSize } from './news.ts'
import { decodeEntries, encodeDelivery, encodeMessage } from './records/message-record.ts'
import type { Fields, OwnedSessions } from './owned-sessions.ts'
import type { StoreCalls } from './calls/store-calls.ts'
import { isUnavailable } from './calls/store-error.ts'

/** What waits for open sessions, and how they come by it. */
export class SessionQueues {
  readonly #calls: StoreCalls
  readonly #sessions: OwnedSessions

  constructor(calls: StoreCalls, sessions: OwnedSessions) {
    this.#calls = calls
    this.#sessions = sessions
  }

  async enqueue(session: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.length > 0) await this.#enqueue(session, deliveries, '')
  }

  /** Redis leaves out messages that are no longer retained. */
  async enqueueRetained(session: SessionHandle, delivery: Delivery): Promise<void> {
    await this.#enqueue(session, [delivery], '1')
  }

  async #enqueue(session: SessionHandle, deliveries: readonly Delivery[], onlyRetained: '' | '1'): Promise<void> {
    const kept = deliveries.map(({ message }) => keepMessage(message))
    const parameters = deliveries.flatMap(delivery => {
      const message = this.#calls.time.stored(delivery.message)
      return [encodeMessage(message), encodeDelivery(delivery), messageBytes(message), message.expiresAt ?? '']
    })
    const answer = await this.#calls.callFor(session, 'enqueue', this.#calls.limits(), onlyRetained, ...parameters)
    const [offers, drops] = answer as [(Buffer | number)[], Fields]
    // All or none of them are offered.
    if (offers.length > 0) {
      kept.forEach((message, index) =>
        this.#sessions.offer(offers.slice(index * offerSize, (index + 1) * offerSize), message),
      )
    }
    this.#sessions.reportDrops(drops)
  }

  async read(handle: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
    const session = this.#sessions.get(handle.epoch)
    const ended = session?.readBegins()
    try {
      const entries: QueueEntry[] = []
      let [from, caughtUp, lastSequence] = [after, 0, 0]
      do {
        const answer = await this.#calls.callFor(handle, 'read', from, limit - entries.length)
        const [found, isAll, last, drops, through] = answer as [Fields, number, number, Fields, number]
        entries.push(...decodeEntries(found, this.#calls.time))
        this.#sessions.reportDrops(drops)
        ;[from, caughtUp, lastSequence] = [through, isAll, last]
      } while (caughtUp === 0 && entries.length < limit)
      session?.readEnds(entries.at(-1)?.sequence ?? 0)
      // Once the owner has these entries, so that it is offered later ones after them.
      const caughtUpAt = caughtUp === 1 ? lastSequence : undefined
      setImmediate(() => ended?.(caughtUpAt))
      return entries
    } catch (error) {
      session?.readEnds(0)
      ended?.(undefined)
      throw error
    }
  }

  async entry(session: SessionHandle, sequence: number): Promise<QueueEntry | undefined> {
    const found = (await this.#calls.callFor(session, 'entry', sequence)) as Fields
    return decodeEntries(found, this.#calls.time)[0]
  }

  async claim(handle: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    const answer = await this.#claimOrFence(handle, group, limit)
    const [found, drops] = answer as [Fields, Fields]
    const entries = decodeEntries(found, this.#calls.time)
    const session = this.#sessions.get(handle.epoch)
    setImmediate(() => {
      for (const { sequence } of entries) session?.skip(sequence)
    })
    this.#sessions.reportDrops(drops)
    return entries
  }

  /** A claim that may have taken effect has given the session messages that nobody knows of: opened again, it finds them. */
  async #claimOrFence(session: SessionHandle, group: string, limit: number): Promise<unknown> {
    try {
      return await this.#calls.callFor(session, 'claim', group, limit)
    } catch (error) {
      if (isUnavailable(error)) this.#sessions.fence(session.epoch)
      throw error
    }
  }
}

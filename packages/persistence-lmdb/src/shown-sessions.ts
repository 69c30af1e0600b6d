import type { LazyPage, MaybePromise, QueueEntry, StoredSession, StoredSessions, Subscription } from '@x/contract'
import type { Steps } from './batch.ts'
import type { Commits } from './commits.ts'
import type { Environment } from './environment.ts'
import { kind, numberKey, textKey } from './keys.ts'
import { RecordReader } from './record-reader.ts'
import type { SessionQueues } from './session-queue.ts'
import { readSession } from './session-record.ts'
import type { SessionRecord } from './session-record.ts'
import { readSubscription } from './subscription-record.ts'
import type { WorkingSet } from './working-set.ts'

/** What sessions are shown with. */
export interface ShownSessionsParts {
  readonly environment: Environment
  readonly set: WorkingSet
  readonly commits: Commits
  readonly queues: SessionQueues
  /** A message, or a time, of the directory as the broker has it. */
  readonly distribution: { outward(entries: readonly QueueEntry[]): readonly QueueEntry[] }
}

/** Sessions that are read in one step. */
const pageSize = 64

const first: Buffer = Buffer.of(kind.session)
const end: Buffer = Buffer.of(kind.session + 1)

/** The sessions of an open store as people see them. */
export class ShownSessions implements StoredSessions {
  readonly #parts: ShownSessionsParts

  constructor(parts: ShownSessionsParts) {
    this.#parts = parts
  }

  async list(): Promise<LazyPage<StoredSession>> {
    await this.#parts.commits.run(() => this.#parts.set.write())
    return this.#page(first)
  }

  find(clientId: string): Promise<StoredSession | undefined> {
    return this.#parts.commits.run(() => {
      const session = this.#stored(clientId)
      return session && shown(session)
    })
  }

  subscriptions(clientId: string): Promise<readonly Subscription[]> {
    return this.#parts.commits.run(() => {
      const session = this.#stored(clientId)
      if (session === undefined || session.subscriptions === 0) return []
      const { number } = session
      const range = { start: numberKey(kind.subscription, number), end: numberKey(kind.subscription, number + 1) }
      return Array.from(this.#parts.environment.rows(range), ({ value }) => readSubscription(new RecordReader(value)))
        .sort((one, other) => one.ordinal - other.ordinal)
        .map(({ subscription }) => subscription)
    })
  }

  queue(clientId: string, after: number, limit: number): Promise<readonly QueueEntry[]> {
    return this.#parts.commits.run(() => {
      const session = this.#stored(clientId)
      return session === undefined
        ? []
        : this.#parts.distribution.outward(this.#parts.queues.look(session, after, limit))
    })
  }

  clearQueue(clientId: string): Promise<number> {
    return this.#parts.commits.run(() => this.#clearQueue(clientId))
  }

  *#clearQueue(clientId: string): Steps<number> {
    const session = this.#stored(clientId)
    return session === undefined ? 0 : yield* this.#parts.queues.dropWaiting(session)
  }

  #stored(clientId: string): SessionRecord | undefined {
    const session = this.#parts.set.session(clientId)
    return session !== undefined && session.sessionExpiryInterval > 0 ? session : undefined
  }

  /** Not of one moment: no transaction stays open between two pages, so that a slow reader keeps no old page of the file. */
  #page(start: Buffer): MaybePromise<LazyPage<StoredSession>> {
    return this.#parts.commits.see(() => {
      const rows = this.#parts.environment.collect({ start, end, limit: pageSize })
      const records = rows.map(({ value }) => readSession(new RecordReader(value)))
      const page = records.filter(({ sessionExpiryInterval }) => sessionExpiryInterval > 0).map(shown)
      const last = records.at(-1)
      if (last === undefined || rows.length < pageSize) return page
      const next = Buffer.concat([textKey(kind.session, last.clientId), Buffer.of(0)])
      return Object.assign(page, { more: () => this.#page(next) })
    })
  }
}

function shown(session: SessionRecord): StoredSession {
  const { clientId, owner, sessionExpiryInterval, expiresAt, subscriptions, entries } = session
  return { clientId, isOpen: owner !== 0, sessionExpiryInterval, expiresAt, subscriptions, queuedMessages: entries }
}

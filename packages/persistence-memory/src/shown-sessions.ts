import type { LazyPage, QueueEntry, StoredSession, StoredSessions, Subscription } from '@x/contract'
import type { SessionStore } from './session-store.ts'
import type { Session } from './session.ts'

/** Sessions that end with their connection and are passed over before a search says that it has found nothing yet. */
const step = 64

/** The sessions of an open store as people see them. */
export class ShownSessions implements StoredSessions {
  readonly #opened: () => SessionStore

  /** @param opened throws when the store is not open */
  constructor(opened: () => SessionStore) {
    this.#opened = opened
  }

  list(): LazyPage<StoredSession> {
    return listed(this.#opened().all())
  }

  find(clientId: string): StoredSession | undefined {
    const session = this.#opened().stored(clientId)
    return session && shown(session)
  }

  subscriptions(clientId: string): readonly Subscription[] {
    const records = this.#opened().stored(clientId)?.subscriptions?.values() ?? []
    return Array.from(records, ({ subscription }) => subscription)
  }

  queue(clientId: string, after: number, limit: number): readonly QueueEntry[] {
    return this.#opened().stored(clientId)?.queue?.look(after, limit) ?? []
  }

  clearQueue(clientId: string): number {
    return this.#opened().stored(clientId)?.queue?.dropWaiting() ?? 0
  }
}

function* listed(sessions: Iterable<Session>): IterableIterator<StoredSession | undefined> {
  let passed = 0
  for (const session of sessions) {
    if (session.isStored) yield shown(session)
    else if ((passed += 1) % step === 0) yield undefined
  }
}

function shown({ clientId, owner, sessionExpiryInterval, expiry, subscriptions, queue }: Session): StoredSession {
  return {
    clientId,
    isOpen: owner !== undefined,
    sessionExpiryInterval,
    expiresAt: expiry?.at,
    subscriptions: subscriptions?.size ?? 0,
    queuedMessages: queue?.size ?? 0,
  }
}

import { PersistenceError, SESSION_NEVER_EXPIRES } from '@x/contract'
import type { Delivery } from '@x/contract'
import type { Steps } from '../batch.ts'
import { withFlags } from '../entry-record.ts'
import { kind, numberKey } from '../keys.ts'
import { encodeEntry, entryKey } from '../queue-entry.ts'
import { RecordWriter } from '../record-writer.ts'
import type { SessionRecord } from '../session-record.ts'
import type { StoreParts } from '../store-parts.ts'
import { restoreMessage } from './dump.ts'
import type { DumpedEntry, DumpedMessage, DumpedSession, DumpedWill, DumpRecord } from './dump.ts'
import { openAlone, toolId } from './opened-directory.ts'

/** How many records of each kind were stored. */
export type ImportCounts = Record<DumpRecord['kind'], number>

/** Stores a dump in a directory, which is made when it isn't there: all of it or, when it fails, nothing. A retained message takes the
 * place of the one that is there.
 * @throws PersistenceError `OPTION_INVALID` for a record that can't be stored, or a session that is there already; `UNAVAILABLE` while a
 * broker has the directory open */
export async function importData(directory: string, records: Iterable<DumpRecord>): Promise<ImportCounts> {
  const opened = await openAlone(directory)
  try {
    return await opened.parts.commits.run(() => undoing(new Importer(opened.parts).store(records)))
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    throw cause instanceof ImportFailure ? cause.cause : error
  } finally {
    await opened.close()
  }
}

/** Undoes the transaction, which a `PersistenceError` would not. */
class ImportFailure extends Error {}

function* undoing<T>(steps: Steps<T>): Steps<T> {
  try {
    return yield* steps
  } catch (cause) {
    throw new ImportFailure('the import has failed', { cause })
  }
}

/** Works within one transaction. */
class Importer {
  readonly #parts: StoreParts
  readonly #writer = new RecordWriter()
  readonly #now: number
  #messages = 0

  constructor(parts: StoreParts) {
    this.#parts = parts
    this.#now = parts.clock.now()
  }

  *store(records: Iterable<DumpRecord>): Steps<ImportCounts> {
    const counts = { dump: 0, retained: 0, session: 0, entry: 0, waiting: 0, publish: 0 }
    for (const record of records) {
      yield* this.#storeOne(record)
      counts[record.kind] += 1
      if (record.kind === 'session' || counts.entry % 16 === 0) yield
    }
    return counts
  }

  *#storeOne(record: DumpRecord): Steps<void> {
    const { retained, groups, distribution } = this.#parts
    switch (record.kind) {
      case 'dump':
        break
      case 'retained':
        retained.set(this.#message(record.message))
        break
      case 'session':
        this.#session(record)
        break
      case 'entry':
        this.#entry(record)
        break
      case 'waiting':
        groups.add(record.group, this.#message(record.message), undefined)
        break
      case 'publish': {
        const message = this.#message(record.message)
        if (message.retain) retained.set(message)
        const reached = message.qos === 0 ? 0 : distribution.distribute(message)
        if (typeof reached !== 'number') yield* reached
        break
      }
    }
  }

  #session(record: DumpedSession): void {
    const { environment, set, subscriptions, groups } = this.#parts
    const { clientId, sessionExpiryInterval, sentThrough, lastSequence } = record
    if (set.session(clientId) !== undefined) {
      throw new PersistenceError('OPTION_INVALID', {
        message: `the directory has a session of client '${clientId}' already: import into an empty directory`,
      })
    }
    const session = set.addSession(clientId)
    Object.assign(session, { sessionExpiryInterval, sentThrough, lastSequence, readThrough: sentThrough })
    set.count('sessions', 1)
    for (const subscription of record.subscriptions) {
      groups.join(session, subscription)
      subscriptions.add(session, subscription)
    }
    for (const packetId of record.received) {
      environment.put(numberKey(kind.received, session.number, packetId), Buffer.alloc(0))
    }
    if (record.will !== undefined) this.#will(session, record.will)
    if (sessionExpiryInterval !== SESSION_NEVER_EXPIRES) this.#expire(session, record.expiresAt)
  }

  #expire(session: SessionRecord, expiresAt: number | undefined): void {
    const { clientId, number, sessionExpiryInterval } = session
    session.expiresAt = expiresAt ?? this.#now + sessionExpiryInterval * 1000
    this.#parts.deadlines.set(session.expiresAt, { what: 'sessionExpired', number }, clientId)
  }

  #will(session: SessionRecord, { message, messageExpiryInterval, at }: DumpedWill): void {
    const { clientId, number } = session
    session.willAt = at
    this.#parts.wills.put(session, {
      clientId,
      message: this.#message(message),
      messageExpiryInterval,
      delayInterval: Math.max(0, Math.ceil((at - this.#now) / 1000)),
    })
    this.#parts.deadlines.set(at, { what: 'will', number }, clientId)
  }

  #entry({ clientId, sequence, qos, retain, subscriptionIdentifiers, released, message }: DumpedEntry): void {
    const { environment, set, queues } = this.#parts
    const session = set.session(clientId)
    if (session === undefined) {
      throw new PersistenceError('OPTION_INVALID', {
        message: `an entry of client '${clientId}' comes without its session before it`,
      })
    }
    const delivery: Delivery = { message: this.#message(message), qos, retain, subscriptionIdentifiers }
    const value = withFlags(encodeEntry(this.#writer, delivery, false), { released })
    environment.put(entryKey(session, sequence), value)
    queues.adopt(session, sequence, { message: delivery.message, released })
  }

  #message(message: DumpedMessage): ReturnType<typeof restoreMessage> {
    this.#messages += 1
    return restoreMessage(message, toolId, this.#messages)
  }
}

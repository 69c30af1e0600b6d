import { PersistenceError } from '@x/contract'
import type { Clock } from '@x/contract'
import type { Steps } from './batch.ts'
import type { Environment, Row } from './environment.ts'
import { readGroup } from './group-record.ts'
import { isGone } from './instances.ts'
import type { Instances } from './instances.ts'
import { kind, metaKey, numberAt } from './keys.ts'
import type { QueueExpiry } from './queue-expiry.ts'
import { RecordReader } from './record-reader.ts'
import type { RetainedShares } from './retained-shares.ts'
import { messageOfRow } from './retained-store.ts'
import { readSession } from './session-record.ts'
import type { StoredWills } from './wills.ts'
import type { QueueRecord } from './total-room.ts'
import type { WorkingSet } from './working-set.ts'

/** Names what stands in the directory, and how.
 * - 1: without bytes of all queues and wills together, shares of clients in what is retained, and times of looks through queues. */
export const schema = '2'
const schemaKey: Buffer = metaKey('schema')

/** What the schema is checked with. */
export interface SchemaParts {
  readonly directory: string
  readonly environment: Environment
  readonly set: WorkingSet
  readonly instances: Instances
  readonly shares: RetainedShares
  readonly wills: StoredWills
  readonly expiry: QueueExpiry
  readonly clock: Clock
}

/** Sees to it that the directory has this version's schema. Called within a transaction.
 * @throws PersistenceError `UNAVAILABLE` when a later version has written it, or a broker of an earlier one has it open */
export function* checkSchema(parts: SchemaParts): Steps<void> {
  const { directory, environment } = parts
  const found = environment.get(schemaKey)?.toString()
  if (found === schema) return
  if (found === '1') yield* fromFirst(parts)
  else if (found !== undefined) {
    throw new PersistenceError('UNAVAILABLE', {
      message: `${directory} has schema ${found}, this version reads schemas 1 and ${schema}: use the version that wrote it, or a later one`,
    })
  }
  environment.put(schemaKey, Buffer.from(schema))
}

function* fromFirst(parts: SchemaParts): Steps<void> {
  const { directory, environment, set, instances, shares, wills } = parts
  for (const instance of instances.all()) {
    if (isGone(instance)) continue
    throw new PersistenceError('UNAVAILABLE', {
      message: `${directory} is open in a broker of an earlier version, process ${instance.pid}: stop it first`,
    })
  }
  yield* rowsOf(environment, kind.retained, row => shares.change(undefined, messageOfRow(row)))
  yield* rowsOf(environment, kind.longRetained, row => shares.change(undefined, messageOfRow(row)))
  yield* rowsOf(environment, kind.will, ({ key }) => set.count('willBytes', wills.bytesOf(numberAt(key, 0))))
  yield* rowsOf(environment, kind.session, ({ value }) => {
    const session = set.session(readSession(new RecordReader(value)).clientId)
    if (session !== undefined) adopt(parts, session, session.entries)
  })
  yield* rowsOf(environment, kind.group, ({ value }) => {
    const group = set.group(readGroup(new RecordReader(value)).name)
    if (group !== undefined) adopt(parts, group, group.waitingMessages)
  })
}

/** What waits is counted, and looked through soon if there is anything. */
function adopt({ set, expiry, clock }: SchemaParts, queue: QueueRecord, entries: number): void {
  set.count('waitingBytes', queue.waitingBytes)
  if (entries > 0) expiry.looked(queue, clock.now(), entries)
}

/** Rows may be changed meanwhile. */
function* rowsOf(environment: Environment, first: number, visit: (row: Row) => void): Steps<void> {
  for (const rows of environment.parts({ start: Buffer.of(first), end: Buffer.of(first + 1) })) {
    for (const row of rows) visit(row)
    yield
  }
}

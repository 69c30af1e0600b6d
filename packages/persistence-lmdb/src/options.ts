import { PersistenceError, optionProblem, optionRules, withDefaults } from '@x/contract'
import type { OptionTable } from '@x/contract'

/** When an answer is given.
 * - `disk`: what it says is on the disk (fsync).
 * - `process`: it survives the end of the process, however that comes; the operating system writes it when it likes. */
export type Durability = 'disk' | 'process'

export interface LmdbPersistenceOptions {
  /** The directory; made, with mode 0700, when it isn't there. */
  readonly directory: string
  /** Default `disk`. */
  readonly durability?: Durability
  /** Sessions with an expiry interval above 0. Default 1 000 000. At the limit `openSession` refuses a session that isn't there yet
   * with `QUOTA_EXCEEDED`. */
  readonly maximumSessions?: number
  /** Default 1 000 000. At the limit a message on a new topic is refused with `QUOTA_EXCEEDED`. */
  readonly maximumRetainedMessages?: number
  /** Bytes of all retained messages, as counted by `messageBytes`. Default 1 GiB. */
  readonly maximumRetainedBytes?: number
}

export type CheckedOptions = Required<LmdbPersistenceOptions>

const defaults = {
  durability: 'disk',
  maximumSessions: 1_000_000,
  maximumRetainedMessages: 1_000_000,
  maximumRetainedBytes: 1024 * 1024 * 1024,
} as const

const count = optionRules.whole(0, Number.MAX_SAFE_INTEGER)

const optionTable: OptionTable<keyof LmdbPersistenceOptions> = {
  directory: { text: 'a path', allows: optionRules.text.allows },
  durability: optionRules.oneOf('disk', 'process'),
  maximumSessions: count,
  maximumRetainedMessages: count,
  maximumRetainedBytes: count,
}

/** The options with their defaults.
 * @throws PersistenceError `OPTION_INVALID`, naming the option, its value and what it may be */
export function checkOptions(options: LmdbPersistenceOptions): CheckedOptions {
  const problem = optionProblem(options, optionTable, 'LmdbPersistence')
  if (problem !== undefined) throw new PersistenceError('OPTION_INVALID', { message: problem })
  const checked = withDefaults(options, defaults)
  if (checked.directory !== undefined) return checked
  throw new PersistenceError('OPTION_INVALID', { message: 'option directory is missing, it must be a path' })
}

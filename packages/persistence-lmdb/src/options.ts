import { PersistenceError } from '@x/contract'

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

const limits = {
  maximumSessions: 1_000_000,
  maximumRetainedMessages: 1_000_000,
  maximumRetainedBytes: 1024 * 1024 * 1024,
} as const

/** The options with their defaults.
 * @throws PersistenceError `NOT_SUPPORTED`, naming the option, its value and what it may be */
export function checkOptions(options: LmdbPersistenceOptions): CheckedOptions {
  const { directory, durability = 'disk' } = options
  if (typeof directory !== 'string' || directory === '') throw invalid('directory', directory, 'a path')
  if (durability !== 'disk' && durability !== 'process') throw invalid('durability', durability, "'disk' or 'process'")
  const checked: Record<keyof typeof limits, number> = { ...limits }
  for (const name of Object.keys(limits) as (keyof typeof limits)[]) {
    const value = options[name] ?? limits[name]
    if (!Number.isSafeInteger(value) || value < 0) throw invalid(name, value, 'a whole number from 0')
    checked[name] = value
  }
  return { directory, durability, ...checked }
}

function invalid(name: string, value: unknown, expected: string): PersistenceError {
  const shown = typeof value === 'string' ? `'${value}'` : String(value)
  return new PersistenceError('NOT_SUPPORTED', { message: `option ${name} is ${shown}, it must be ${expected}` })
}

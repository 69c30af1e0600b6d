import { PersistenceError, optionProblem, optionRules, withDefaults } from '@x/contract'
import type { OptionTable } from '@x/contract'

/** When a call returns.
 * - `disk`: what it says is on the disk (fsync).
 * - `process`: it survives the end of the process, however that comes; the operating system writes it when it likes.
 * - `interval:MS`: at once. It is on the disk at most so many ms later (and as long as writing takes), so a process that is killed loses
 *   what it was told of in that time. Only one broker may have the directory open. */
export type Durability = 'disk' | 'process' | `interval:${number}`

/** Options of `LmdbPersistence`. */
export interface LmdbPersistenceOptions {
  /** The directory; made, with mode 0700, when it isn't there. */
  readonly directory: string
  /** Default `disk`, or that of the brokers which have the directory open; `open` is refused with `UNAVAILABLE` for another one. */
  readonly durability?: Durability
  /** Default false: brokers of this machine may share the directory. True: `open` is refused with `UNAVAILABLE` while another broker
   * has it open. */
  readonly exclusive?: boolean
  /** Sessions with an expiry interval above 0. Default 1 000 000. At the limit `openSession` refuses a session that isn't there yet
   * with `QUOTA_EXCEEDED`. */
  readonly maximumSessions?: number
  /** Default 1 000 000. At the limit a message on a new topic is refused with `QUOTA_EXCEEDED`. */
  readonly maximumRetainedMessages?: number
  /** Bytes of all retained messages, as counted by `messageBytes`. Default 1 GiB. */
  readonly maximumRetainedBytes?: number
}

/** The options with their defaults. */
export interface CheckedOptions extends Required<LmdbPersistenceOptions> {
  /** ms of the durability `interval:MS`; 0 with the others. */
  readonly interval: number
  /** No durability was chosen, so that of the brokers which have the directory open will do. */
  readonly adoptsDurability: boolean
}

/** ms. */
const greatestInterval = 60_000

const defaults = {
  durability: 'disk',
  exclusive: false,
  maximumSessions: 1_000_000,
  maximumRetainedMessages: 1_000_000,
  maximumRetainedBytes: 1024 * 1024 * 1024,
} as const

const count = optionRules.whole(0, Number.MAX_SAFE_INTEGER)

const optionTable: OptionTable<keyof LmdbPersistenceOptions> = {
  directory: { text: 'a path', allows: optionRules.text.allows },
  durability: {
    text: `'disk', 'process', or 'interval:MS' with 1 to ${greatestInterval} ms`,
    allows: value => value === 'disk' || value === 'process' || intervalOf(value) > 0,
  },
  exclusive: optionRules.flag,
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
  const { directory, durability } = checked
  const interval = intervalOf(durability)
  const adoptsDurability = options.durability === undefined
  const exclusive = checked.exclusive || interval > 0
  if (directory !== undefined) return { ...checked, interval, exclusive, adoptsDurability }
  throw new PersistenceError('OPTION_INVALID', { message: 'option directory is missing, it must be a path' })
}

/** ms; 0 for anything else. */
function intervalOf(durability: unknown): number {
  const [, text = '0'] = /^interval:(\d{1,5})$/.exec(String(durability)) ?? []
  return Number(text) <= greatestInterval ? Number(text) : 0
}

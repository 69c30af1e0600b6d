import { randomUUID } from 'node:crypto'
import type { Clock, Emitter, Persistence, Plugin } from '@x/contract'
import type { HookOptions } from './hooks.ts'
import { checkLimits } from './limits.ts'
import type { BrokerLimits } from './limits.ts'
import { optionInvalid } from './option-invalid.ts'

/** What a program sets of a broker. Times are in milliseconds and sizes in bytes unless the name says otherwise. */
export interface BrokerOptions extends HookOptions, Partial<BrokerLimits> {
  persistence: Persistence
  /** Connects this broker with others; none by default. */
  emitter?: Emitter
  /** What Aedes calls `emitter`. */
  mq?: Emitter
  clock?: Clock
  plugins?: readonly Plugin[]
  /** What MQTT 5 clients that ask for it are told to build response topics from. MQTT 5.0 §3.2.2.3.15 */
  responseInformation?: string
  /** Names the broker in `$SYS` topics and to others; a random UUID by default. */
  id?: string
  /** Whether `decodeProtocol` is asked about the first bytes of each connection: only behind a proxy that writes them. */
  trustProxy?: boolean
  /** Addresses of proxies, for `decodeProtocol` to compare with. */
  trustedProxies?: readonly string[]
}

export type CheckedOptions = Readonly<BrokerLimits> & {
  readonly id: string
  readonly responseInformation?: string
  readonly trustProxy: boolean
  readonly trustedProxies: readonly string[]
}

/** The options with their defaults.
 * @throws BrokerError `OPTION_INVALID`, naming the option, its value and what it may be */
export function checkOptions(options: BrokerOptions): CheckedOptions {
  const { id = randomUUID(), responseInformation } = options
  if (responseInformation !== undefined && (typeof responseInformation !== 'string' || responseInformation === '')) {
    throw optionInvalid('responseInformation', responseInformation, 'a text, the basis of response topics')
  }
  if (typeof id !== 'string' || id === '' || /[+#/\0]/.test(id)) {
    throw optionInvalid('id', id, 'a text without +, # and /, since it is a level of $SYS topics')
  }
  const { trustProxy = false, trustedProxies = [] } = options
  if (typeof trustProxy !== 'boolean') throw optionInvalid('trustProxy', trustProxy, 'true or false')
  if (!Array.isArray(trustedProxies) || trustedProxies.some(address => typeof address !== 'string')) {
    throw optionInvalid('trustedProxies', trustedProxies, 'a list of addresses')
  }
  return {
    ...checkLimits(options),
    id,
    trustProxy,
    trustedProxies,
    ...(responseInformation !== undefined && { responseInformation }),
  }
}

import type { ServerOptions } from 'node:https'
import { optionRules } from '@x/contract'
import type { Logger, MaybePromise, OptionTable } from '@x/contract'
import type { AdminControl } from './host.ts'
import type { AdminKey, AdminLogin } from './key-ring.ts'
import { roles } from './principal.ts'
import type { Role } from './principal.ts'

/** Where it is served. */
export interface AdminAddress {
  readonly host?: string
  readonly port?: number
}

/** Options of `admin`. */
export interface AdminOptions {
  /** Where API and dashboard are served: by default on port 9465 of 127.0.0.1, which only this machine reaches. Port 0 takes a free one; host
   * `'*'` is every address. `false`: nowhere, until `admin.listen` is called. */
  readonly listen?: AdminAddress | false
  /** Node's options of `https.createServer`: with them it is served with TLS. */
  readonly tls?: ServerOptions
  /** Keys for requests. Without keys and users one is made for this run, with the role `admin`: `admin.key`. */
  readonly keys?: readonly AdminKey[]
  /** Users who may ask with name and password, with their roles; `verify` knows their passwords. */
  readonly users?: Readonly<Record<string, Role>>
  readonly verify?: (login: AdminLogin) => MaybePromise<boolean>
  /** Serves the dashboard beside the API. Default true. */
  readonly dashboard?: boolean
  /** Requests in a second that an address may send, twice as many at once, 1 to 100 000; above that 429. Default 100. */
  readonly maximumRequestRate?: number
  /** Wrong keys in a minute that an address may send, 1 to 1000; above that 429. Default 10. */
  readonly maximumFailures?: number
  /** Gets a line for each change; dashboards show these with or without it. */
  readonly logger?: Logger
  /** What the program lets be done: reading its configuration again, changing its log level. */
  readonly control?: AdminControl
}

const shortestKey = 16

/** What each option may be. */
export const adminOptions: OptionTable<keyof AdminOptions> = {
  listen: {
    text: 'false, or an object with host and port (0 to 65535)',
    allows: value => value === false || isAddress(value),
  },
  tls: { text: 'an object with key and cert', allows: value => typeof value === 'object' && value !== null },
  keys: {
    text: `a list of objects with name, role (${roles.join(', ')}) and key (${shortestKey} characters or more), each key once`,
    allows: value => Array.isArray(value) && value.every(isKey) && new Set(value.map(keyOf)).size === value.length,
  },
  users: {
    text: `an object with a role (${roles.join(', ')}) for each user`,
    allows: value =>
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isRole),
  },
  verify: optionRules.function,
  dashboard: optionRules.flag,
  maximumRequestRate: optionRules.whole(1, 100_000),
  maximumFailures: optionRules.whole(1, 1000),
  logger: optionRules.has("a logger like pino's", 'debug', 'info', 'warn', 'error'),
  control: { text: 'an object of functions', allows: value => typeof value === 'object' && value !== null },
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { host, port, ...rest } = value as { readonly host?: unknown; readonly port?: unknown }
  const isPort = port === undefined || optionRules.whole(0, 65_535).allows(port)
  return isPort && (host === undefined || (typeof host === 'string' && host !== '')) && Object.keys(rest).length === 0
}

function isRole(value: unknown): value is Role {
  return roles.includes(value as Role)
}

function isKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { name, role, key } = value as Partial<AdminKey>
  return typeof name === 'string' && name !== '' && isRole(role) && typeof key === 'string' && key.length >= shortestKey
}

function keyOf({ key }: AdminKey): string {
  return key
}

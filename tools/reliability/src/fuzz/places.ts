import { styles } from './case.ts'
import type { Style } from './case.ts'

/** Where the program, the store or the log can misbehave. */
export interface Place {
  /** That a trial misbehaves there at all. */
  readonly chance: number
  readonly allowed: readonly Style[]
}

export const hookNames = [
  'decodeProtocol',
  'preConnect',
  'authenticate',
  'authenticateEnhanced',
  'authorizePublish',
  'authorizeSubscribe',
  'authorizeForward',
  'published',
] as const
export type HookName = (typeof hookNames)[number]

export const eventNames = [
  'client',
  'clientReady',
  'clientDisconnect',
  'clientError',
  'connectionError',
  'connectionRefused',
  'connackSent',
  'keepaliveTimeout',
  'publish',
  'subscribe',
  'unsubscribe',
  'ack',
  'ping',
  'dropped',
  'error',
] as const

export const storeMethods = [
  'openSession',
  'closeSession',
  'subscribe',
  'unsubscribe',
  'publish',
  'enqueue',
  'read',
  'acknowledge',
  'release',
  'complete',
  'claim',
  'retained',
  'claimDue',
  'counts',
] as const

const listenerStyles: readonly Style[] = ['ok', 'throw', 'throwFalsy', 'reject', 'rejectFalsy', 'publishes', 'closes']
const synchronousStyles: readonly Style[] = styles.filter(style => style !== 'late' && style !== 'lateReject')
const storeStyles: readonly Style[] = styles.filter(style => !['deny', 'mangle', 'publishes', 'closes'].includes(style))
const logStyles: readonly Style[] = ['ok', 'throw', 'throwFalsy', 'falsy', 'reject']
const pluginStyles: readonly Style[] = ['ok', 'late', 'throw', 'reject', 'falsy', 'nonsense', 'never', 'thenThrow']
const subscriberStyles: readonly Style[] = styles.filter(style => style !== 'deny' && style !== 'mangle')

function each(names: readonly string[], kind: string, place: Place): [string, Place][] {
  return names.map(name => [`${kind}.${name}`, place])
}

export const places: Readonly<Record<string, Place>> = Object.fromEntries<Place>([
  ...each(hookNames, 'hook', { chance: 0.35, allowed: styles }),
  ...each(['decodeProtocol', 'authorizeForward'], 'hook', { chance: 0.35, allowed: synchronousStyles }),
  ...each(eventNames, 'event', { chance: 0.12, allowed: listenerStyles }),
  ...each(storeMethods, 'store', { chance: 0.1, allowed: storeStyles }),
  ...each(['f/#', 'f/a', '+/a'], 'subscriber', { chance: 0.2, allowed: subscriberStyles }),
  ...each(['addRoute', 'removeRoute', 'publish', 'announce'], 'emitter', { chance: 0.15, allowed: storeStyles }),
  ...each(['info', 'warn', 'error', 'isLevelEnabled'], 'log', { chance: 0.15, allowed: logStyles }),
  ...each(['attach', 'detach'], 'plugin', { chance: 0.06, allowed: pluginStyles }),
])

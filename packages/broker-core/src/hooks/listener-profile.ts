import { optionRules } from '@x/contract'
import type { OptionTable } from '@x/contract'
import type { ProtocolVersion, QoS } from '@x/packet'
import { BrokerError } from '../ground/broker-error.ts'
import type { Client, ProgramBroker } from './client.ts'
import type { HookCalls } from './hook-call.ts'
import type { AuthenticateHook, NormalisedHooks } from './hooks.ts'
import { MountPoint } from '../message/mount-point.ts'
import { normaliseHook } from './normalised-hook.ts'
import { assertOptions, optionInvalid } from '../ground/option-invalid.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** What holds for the clients of one listener. */
export interface ListenerRules {
  /** Put in front of all topics and filters of these clients, as it is, and taken away from what they get: for the broker, its hooks,
   * events and store they are below it. It holds for messages, wills, retained messages, subscriptions and shared ones. A session gets
   * nothing that lies elsewhere, even if it has subscribed to it by another listener. */
  readonly mountPoint: string
  /** Protocol levels that are accepted: 3 (MQTT 3.1), 4 (3.1.1) and 5; all unless given. Others are refused (0x84; MQTT 3: 1). */
  readonly acceptedVersions: readonly ProtocolVersion[]
  /** The user name takes the place of the client identifier; a client without one is refused (0x87). */
  readonly usernameAsClientId: boolean
  /** What every client identifier begins with, also one that is generated; any other is refused (0x87; MQTT 3: 5), before the user name
   * takes its place. No rule by default. */
  readonly clientIdPrefix: string
  /** False: an empty client identifier is refused (0x80; MQTT 3.1.1: 2). True by default: the broker generates one. */
  readonly allowEmptyClientId: boolean
  /** Beginning of client identifiers that the broker generates, up to 50 bytes; `aedes_` by default. */
  readonly generatedClientIdPrefix: string
  /** False: nothing below `$SYS/` reaches these clients, whatever they or their sessions have subscribed to, and a SUBSCRIBE to it is
   * refused (0x87; MQTT 3.1.1: 0x80). True by default. */
  readonly systemTopics: boolean
  /** In place of the broker's `maximumQoS`. */
  readonly maximumQoS: QoS
  /** In place of the broker's `topicAliasMaximum`. */
  readonly topicAliasMaximum: number
  /** In place of the broker's `maximumOutgoingTopicAliases`. */
  readonly maximumOutgoingTopicAliases: number
}

/** Options of one listener, for all its streams. */
export interface ListenerProfileOptions extends Partial<ListenerRules> {
  /** Shown in logs and statistics, and as `client.listener`. */
  readonly name: string
  /** ms until CONNECT must have come; the broker's `connectTimeout` unless given. */
  readonly connectTimeout?: number
  /** Replaces the broker's hook; null accepts everybody. */
  readonly authenticate?: AuthenticateHook | null
  /** Returns the user name that the transport has verified, for instance that of a certificate; it replaces the one in CONNECT. When it
   * returns none, the client is refused. */
  readonly username?: (client: Client) => string | undefined
}

/** The checked options of a listener: `broker.listenerProfile` makes them, `broker.handle` takes them. */
export interface ListenerProfile extends Readonly<Partial<Omit<ListenerRules, 'mountPoint'>>> {
  readonly name: string
  readonly connectTimeout: number
  /** Undefined: the broker's own. */
  readonly authenticate: NormalisedHooks['authenticate'] | null
  readonly username: ((client: Client) => string | undefined) | undefined
  readonly mountPoint: MountPoint | undefined
}

const longestTimeout = 3_600_000
/** Bytes, as with Mosquitto. */
const longestPrefix = 50
const versions: ReadonlySet<unknown> = new Set([3, 4, 5])

/** What each of them may be. */
export const listenerRuleTable: OptionTable<keyof ListenerRules> = {
  mountPoint: {
    text: 'the beginning of topics, without +, # and NUL',
    allows: value => typeof value === 'string' && value !== '' && !/[+#\0]/.test(value),
  },
  acceptedVersions: {
    text: 'a list of some of 3, 4, 5',
    allows: value => Array.isArray(value) && value.length > 0 && value.every(one => versions.has(one)),
  },
  usernameAsClientId: optionRules.flag,
  clientIdPrefix: optionRules.text,
  allowEmptyClientId: optionRules.flag,
  generatedClientIdPrefix: {
    text: `a text of at most ${longestPrefix} bytes without NUL`,
    allows: value => typeof value === 'string' && Buffer.byteLength(value) <= longestPrefix && !value.includes('\0'),
  },
  systemTopics: optionRules.flag,
  maximumQoS: optionRules.whole(0, 2),
  topicAliasMaximum: optionRules.whole(0, 65_535),
  maximumOutgoingTopicAliases: optionRules.whole(0, 65_535),
}

/** The options with error messages of their own are checked below. */
const listenerProfileOptionTable: OptionTable<keyof ListenerProfileOptions> = {
  ...listenerRuleTable,
  name: optionRules.text,
  connectTimeout: optionRules.any,
  authenticate: optionRules.any,
  username: optionRules.function,
}

/** @throws BrokerError `OPTION_INVALID` */
export function makeListenerProfile(
  options: ListenerProfileOptions,
  broker: ProgramBroker & { readonly connectTimeout: number; readonly maxTopicLevels: number },
  calls: HookCalls,
): ListenerProfile {
  assertOptions(options, listenerProfileOptionTable, 'a listener profile')
  const { name, connectTimeout = broker.connectTimeout, authenticate, username, mountPoint, ...rules } = options
  if (!Number.isInteger(connectTimeout) || connectTimeout < 1 || connectTimeout > longestTimeout) {
    throw optionInvalid(`connectTimeout of ${name}`, connectTimeout, `a whole number from 1 to ${longestTimeout}`)
  }
  if (authenticate !== undefined && authenticate !== null && typeof authenticate !== 'function') {
    throw new BrokerError('OPTION_INVALID', {
      message: `option authenticate of ${name} is a ${typeof authenticate}, it must be a function`,
      reasonCode: ReasonCode.implementationSpecificError,
    })
  }
  const hook = authenticate && { name: 'authenticate' as const, call: authenticate, parameters: 3 }
  return {
    ...rules,
    name,
    connectTimeout,
    authenticate: hook && (normaliseHook(hook, broker, calls) as NonNullable<ListenerProfile['authenticate']>),
    username,
    mountPoint: mountPoint === undefined ? undefined : new MountPoint(mountPoint, broker.maxTopicLevels),
  }
}

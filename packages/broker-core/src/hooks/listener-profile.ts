import { optionRules } from '@x/contract'
import type { OptionTable } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import type { Client, ProgramBroker } from './client.ts'
import type { HookCalls } from './hook-call.ts'
import type { AuthenticateHook, NormalisedHooks } from './hooks.ts'
import { normaliseHook } from './normalised-hook.ts'
import { assertOptions, optionInvalid } from '../ground/option-invalid.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** Options of one listener, for all its streams. */
export interface ListenerProfileOptions {
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
export interface ListenerProfile {
  readonly name: string
  readonly connectTimeout: number
  /** Undefined: the broker's own. */
  readonly authenticate: NormalisedHooks['authenticate'] | null
  readonly username: ((client: Client) => string | undefined) | undefined
}

const longestTimeout = 3_600_000

/** The options with error messages of their own are checked below. */
const listenerProfileOptionTable: OptionTable<keyof ListenerProfileOptions> = {
  name: optionRules.text,
  connectTimeout: optionRules.any,
  authenticate: optionRules.any,
  username: optionRules.function,
}

/** @throws BrokerError `OPTION_INVALID` */
export function makeListenerProfile(
  options: ListenerProfileOptions,
  broker: ProgramBroker & { readonly connectTimeout: number },
  calls: HookCalls,
): ListenerProfile {
  assertOptions(options, listenerProfileOptionTable, 'a listener profile')
  const { name, connectTimeout = broker.connectTimeout, authenticate, username } = options
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
    name,
    connectTimeout,
    authenticate: hook && (normaliseHook(hook, broker, calls) as NonNullable<ListenerProfile['authenticate']>),
    username,
  }
}

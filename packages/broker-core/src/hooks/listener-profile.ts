import { optionRules } from '@x/contract'
import type { OptionTable } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import type { Client, ProgramBroker } from './client.ts'
import type { HookCalls } from './hook-call.ts'
import type { AuthenticateHook, NormalisedHooks } from './hooks.ts'
import { normaliseHook } from './normalised-hook.ts'
import { assertOptions, optionInvalid } from '../ground/option-invalid.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** What the streams of one listener have in common. */
export interface ListenerProfileOptions {
  /** Shown in logs and statistics, and as `client.listener`. */
  readonly name: string
  /** ms until CONNECT must have come; the broker's `connectTimeout` unless given. */
  readonly connectTimeout?: number
  /** In place of the broker's hook; null lets everybody in. */
  readonly authenticate?: AuthenticateHook | null
  /** The user name that the transport answers for, a certificate's for instance, in place of the one in CONNECT. When it knows
   * none, the client is refused. */
  readonly username?: (client: Client) => string | undefined
}

/** The same as the engine takes it: made by `broker.listenerProfile`, given to `broker.handle`. */
export interface ListenerProfile {
  readonly name: string
  readonly connectTimeout: number
  /** Undefined: the broker's own. */
  readonly authenticate: NormalisedHooks['authenticate'] | null
  readonly username: ((client: Client) => string | undefined) | undefined
}

const longestTimeout = 3_600_000

/** What has a sentence with the listener's name is checked below. */
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

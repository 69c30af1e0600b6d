import { BrokerError } from './broker-error.ts'
import { ReasonCode } from './reason-code.ts'

/** What a program set an option to, and what it may be. */
export function optionInvalid(name: string, value: unknown, expected: string): BrokerError {
  const shown = typeof value === 'string' ? `'${value}'` : String(value)
  return new BrokerError('OPTION_INVALID', {
    reasonCode: ReasonCode.implementationSpecificError,
    message: `option ${name} is ${shown}, it must be ${expected}`,
  })
}

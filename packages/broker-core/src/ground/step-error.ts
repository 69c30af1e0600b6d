import { BrokerError, toError } from './broker-error.ts'
import { ReasonCode } from './reason-code.ts'
import { steps } from './steps.ts'
import type { StepCode } from './steps.ts'

/** The error of a step, with what it has met as its cause. */
export function stepError(code: StepCode, thrown: unknown): BrokerError {
  const cause = toError(thrown)
  return new BrokerError(code, {
    message: `${steps[code]}: ${cause.message}`,
    reasonCode: ReasonCode.unspecifiedError,
    cause,
  })
}

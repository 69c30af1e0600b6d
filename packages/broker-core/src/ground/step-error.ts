import { BrokerError, toError } from './broker-error.ts'
import { ReasonCode } from './reason-code.ts'
import { steps } from './steps.ts'
import type { StepCode } from './steps.ts'

/** The error of a step, with what it has met as its cause, and as its message: that is what programs written for Aedes compare. */
export function stepError(code: StepCode, thrown: unknown): BrokerError {
  const cause = toError(thrown)
  return new BrokerError(code, {
    message: cause.message,
    detail: steps[code],
    reasonCode: ReasonCode.unspecifiedError,
    cause,
  })
}

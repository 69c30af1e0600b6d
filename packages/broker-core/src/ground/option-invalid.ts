import { optionProblem, shownOption } from '@x/contract'
import type { OptionTable } from '@x/contract'
import { BrokerError } from './broker-error.ts'
import { ReasonCode } from './reason-code.ts'

/** @throws BrokerError `OPTION_INVALID` for the first option that the table does not have, or whose rule does not allow it */
export function assertOptions(options: unknown, table: OptionTable, owner: string): void {
  const problem = optionProblem(options, table, owner)
  if (problem !== undefined) throw refused(problem)
}

/** The error of an option: its value, and what it may be. */
export function optionInvalid(name: string, value: unknown, expected: string): BrokerError {
  return refused(`option ${name} is ${shownOption(value)}, it must be ${expected}`)
}

function refused(message: string): BrokerError {
  return new BrokerError('OPTION_INVALID', { reasonCode: ReasonCode.implementationSpecificError, message })
}

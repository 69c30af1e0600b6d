import { optionProblem, optionRules } from '@x/contract'
import type { OptionTable } from '@x/contract'
import { CompatError } from './compat-error.ts'

/** Options of `fromAedesPersistence`. */
export interface FromAedesPersistenceOptions {
  /** The mqemitter that brokers with the same store share: the store tells its subscriptions over it, and sessions here get what
   * other brokers have queued for them. */
  readonly mq?: object
  /** ms between two heartbeats of brokers, 60 000 by default: the wills of one that has missed three are published. */
  readonly heartbeatInterval?: number
}

const optionTable: OptionTable<keyof FromAedesPersistenceOptions> = {
  mq: optionRules.has('an mqemitter', 'on', 'emit'),
  heartbeatInterval: optionRules.whole(1, 86_400_000),
}

/** @throws CompatError `OPTION_INVALID` */
export function assertFromAedesOptions(options: FromAedesPersistenceOptions): void {
  const problem = optionProblem(options, optionTable, 'fromAedesPersistence')
  if (problem !== undefined) throw new CompatError('OPTION_INVALID', problem)
}

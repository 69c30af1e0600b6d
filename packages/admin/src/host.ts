import type { BrokerInspection, MaybePromise, PluggableBroker } from '@x/contract'
import type { Cursors } from './cursors.ts'
import type { LogTail } from './log-tail.ts'
import { Problem } from './problem.ts'
import type { Traces } from './traces.ts'

/** What a program lets the API do with itself. */
export interface AdminControl {
  /** Reads the configuration again; what it returns is shown. */
  readonly reload?: () => MaybePromise<string>
  readonly logLevel?: () => string
  readonly setLogLevel?: (level: string) => void
}

/** What routes work with. */
export interface AdminHost {
  /** Undefined: the broker is not open. */
  readonly broker: PluggableBroker | undefined
  readonly control: AdminControl
  readonly cursors: Cursors
  readonly tail: LogTail
  readonly traces: Traces
  /** Where this API is served. */
  readonly url: string | undefined
  /** ms since the broker opened. */
  readonly uptime: number
}

/** @throws Problem `NOT_READY` */
export function openBroker({ broker }: AdminHost): PluggableBroker {
  if (broker === undefined) throw new Problem('NOT_READY', 'the broker is not open')
  return broker
}

/** @throws Problem `NOT_READY`, `NOT_SUPPORTED` */
export function inspectionOf(host: AdminHost): BrokerInspection {
  const { inspection } = openBroker(host)
  if (inspection === undefined) throw new Problem('NOT_SUPPORTED', 'this broker can not be looked into')
  return inspection
}

/** @throws Problem `NOT_READY`, `NOT_SUPPORTED` */
export function sessionsOf(host: AdminHost): NonNullable<BrokerInspection['sessions']> {
  const { sessions } = inspectionOf(host)
  if (sessions === undefined) throw new Problem('NOT_SUPPORTED', 'the store of this broker can not be looked into')
  return sessions
}

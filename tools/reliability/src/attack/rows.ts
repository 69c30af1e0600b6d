import type { Row } from './row.ts'
import { fanOutRows } from './rows/fan-out.ts'
import { floodRows } from './rows/floods.ts'
import { logRows } from './rows/log.ts'
import { memoryRows } from './rows/memory.ts'
import { retainedRows } from './rows/retained.ts'
import { sessionRows } from './rows/sessions.ts'
import { subscriptionRows } from './rows/subscriptions.ts'

export const allRows: readonly Row[] = [
  ...subscriptionRows,
  ...retainedRows,
  ...sessionRows,
  ...memoryRows,
  ...floodRows,
  ...fanOutRows,
  ...logRows,
]

/** @throws Error when there is none */
export function rowNamed(name: string): Row {
  const row = allRows.find(candidate => candidate.name === name)
  if (row === undefined) throw new Error(`no attack is called ${name}`)
  return row
}

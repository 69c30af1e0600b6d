import type { HistoryEvent } from '../history.ts'

/** A promise that was not kept. */
export interface Violation {
  readonly check: string
  readonly message: string
}

/** Looks at a whole history. */
export type Check = (history: readonly HistoryEvent[]) => Violation[]

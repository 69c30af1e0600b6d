import type { MaybePromise } from './maybe-promise.ts'

/** Gives work that several brokers on the same data could do to one of them. A store that declares `tasks` has both methods. */
export interface TaskStore {
  /** Whether this broker does the task of this name: of all brokers on the data, one at a time. It keeps the task until `giveUpTask`, until it
   * closes the store, or until it is taken for dead; then the next one that asks has it. */
  holdTask?(name: string): MaybePromise<boolean>
  /** Another broker may have the task. Without effect on what another broker holds. */
  giveUpTask?(name: string): MaybePromise<void>
}

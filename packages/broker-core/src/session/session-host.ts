import type { Clock, Counters, Drop, MaybePromise, Persistence, RetainedPage, Slices, StoreLimits } from '@x/contract'
import type { Client } from '../hooks/client.ts'
import type { EventReporter } from '../hooks/events.ts'
import type { MessageTraces } from '../hooks/message-traces.ts'
import type { ForwardHost } from '../hooks/authorize-forward.ts'
import type { CheckedOptions } from '../ground/limits.ts'
import type { KnownPublications } from '../message/known-publications.ts'
import type { StepCode } from '../ground/steps.ts'
import type { Subscriptions } from '../routing/subscriptions.ts'
import type { WaitingBytes } from './waiting-queue.ts'

/** What sessions need of the engine. */
export interface SessionHost extends ForwardHost {
  readonly broker: EventReporter
  readonly options: CheckedOptions
  readonly persistence: Persistence
  readonly clock: Clock
  readonly counters: Counters
  readonly traces: MessageTraces | undefined
  readonly slices: Slices
  readonly subscriptions: Subscriptions
  readonly limits: StoreLimits
  /** Bytes that wait for all sessions whose queue is in no store. */
  readonly waitingBytes: WaitingBytes
  readonly publications: KnownPublications
  /** The retained messages whose topics match. */
  retained(filter: string): MaybePromise<RetainedPage>
  /** Counts messages that were dropped, and tells the program. */
  dropped(drop: Drop): void
  /** Reports a step that has failed and that nobody waits for. */
  fail(error: unknown, code: StepCode, client: Client): void
  /** Reports what a step that was begun rejects with. */
  watch(result: unknown, code: StepCode, client: Client): void
}

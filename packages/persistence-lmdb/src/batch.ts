import { PersistenceError } from '@x/contract'

/** Long work of a transaction: it yields after each short piece, so that the event loop can serve others in between. */
export type Steps<T> = Generator<undefined, T, undefined>
/** What a call does in the transaction of its batch: at once, or in steps. */
export type Work<T> = () => T | Steps<T>

/** One call. */
export interface Task {
  readonly work: Work<unknown>
  /** It stores something new: it is refused when the disk is full, while all other tasks go on. */
  readonly adds: boolean
  /** Settles the promise of its caller; undefined: no caller waits for it. */
  readonly caller: { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void } | undefined
  outcome?: { readonly value: unknown } | { readonly error: unknown }
  /** Its caller has its outcome already, so it is carried out again until it is on the disk. */
  isPromised?: boolean
}

/** What a transaction leaves behind. */
export interface Ending {
  /** What to call, in order, when the transaction is as durable as promised. */
  readonly told: readonly (() => void)[]
  /** The transaction was not committed: what it left in memory is wrong. */
  undone(): void
}

/** What a transaction does before and after its tasks. */
export interface TransactionFrame {
  /** Before the first task. */
  begin(): void
  /** Before further tasks of the same transaction, after the event loop has served others. */
  resume(): void
  /** Stores what no caller waits for; undefined: there is nothing to store. */
  due(): Work<void> | undefined
  /** Returns what to call because of the tasks so far, in order. */
  takeTold(): readonly (() => void)[]
  /** After the last task: writes the records that are still in memory only. */
  end(): Steps<Ending>
  /** A task threw: the transaction is undone. */
  discard(): void
}

/** The tasks of one transaction. */
export class Batch {
  readonly tasks: Task[] = []
  /** `performance.now()` from which on it starts no further task. */
  until = 0
  ending: Ending | undefined
  /** What to call before what the ending names. */
  readonly told: (() => void)[] = []
  /** The event loop has served others while its tasks were carried out. */
  isCut = false
  /** It stays open for further tasks; their callers get the outcome before it is committed. */
  isHeld = false
  /** The task that threw. */
  culprit: Task | undefined

  /** Settles the promises of all callers that wait. */
  settle(): void {
    for (const task of this.tasks) {
      const { caller, outcome } = task
      if (task.isPromised === true || caller === undefined || outcome === undefined) continue
      if ('error' in outcome) caller.reject(outcome.error)
      else caller.resolve(outcome.value)
    }
  }

  /** Settles the promises of the tasks from this index on, before the commit. Returns the index of the next task. */
  promise(from: number): number {
    for (const task of this.tasks.slice(from)) {
      const { caller, outcome } = task
      if (outcome !== undefined && 'error' in outcome) caller?.reject(outcome.error)
      else caller?.resolve(outcome?.value)
      task.isPromised = true
    }
    return this.tasks.length
  }
}

/** Which tasks of an undone transaction are refused; the others are carried out in another one. */
export function blame(
  failed: readonly Task[],
  { culprit, isFull }: { readonly culprit: Task | undefined; readonly isFull: boolean },
): (task: Task) => boolean {
  if (culprit !== undefined) return task => task === culprit
  const isFreeing = isFull && failed.some(({ adds }) => adds)
  return ({ adds, isPromised }) => isPromised !== true && (adds || !isFreeing)
}

/** Whether work is done in steps. */
export function isSteps(value: unknown): value is Steps<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.toStringTag in value &&
    value[Symbol.toStringTag] === 'Generator'
  )
}

/** Does long work without serving others in between. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** The peer is told 0x97 (Quota exceeded). */
export function noRoom(cause?: unknown): PersistenceError {
  return new PersistenceError('QUOTA_EXCEEDED', { message: 'the disk is full, nothing can be stored', cause })
}

/** The error of a batch that could not be written. */
export function unwritable(cause: unknown): PersistenceError {
  const text = cause instanceof Error ? cause.message : String(cause)
  return new PersistenceError('UNAVAILABLE', { message: `the directory can't be written: ${text}`, cause })
}

import { PersistenceError } from '@x/contract'

/** Long work of a transaction, which yields after each short piece of it so that the event loop can be left to others. */
export type Steps<T> = Generator<undefined, T, undefined>
export type Work<T> = () => T | Steps<T>

/** One call. */
export interface Task {
  readonly work: Work<unknown>
  /** What it adds takes room on the disk: it is refused when there is none, while everything else goes on. */
  readonly adds: boolean
  /** Undefined: nobody waits for it. */
  readonly answer: { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void } | undefined
  outcome?: { readonly value: unknown } | { readonly error: unknown }
  /** Its caller has the outcome already: from now on it is carried out again until it is on the disk. */
  isPromised?: boolean
}

/** What a transaction leaves behind. */
export interface Ending {
  /** Whom to tell when it is as durable as promised, in order. */
  readonly told: readonly (() => void)[]
  /** It could not be committed: nothing that it left in memory holds. */
  undone(): void
}

/** What has to happen around the work of a transaction. */
export interface TransactionFrame {
  /** Before the first work. */
  begin(): void
  /** Before further work of the same transaction, when others were served in between. */
  resume(): void
  /** Something new to be stored for which nobody waits; undefined: nothing. */
  due(): Work<void> | undefined
  /** Whom to tell of the work so far, in order, when that does not wait for the end. */
  takeTold(): readonly (() => void)[]
  /** After the last one: writes what is still in memory alone. */
  end(): Steps<Ending>
  /** The work failed halfway: nothing of it holds. */
  discard(): void
}

/** The calls of one transaction. */
export class Batch {
  readonly tasks: Task[] = []
  /** `performance.now()` at which it takes no further one. */
  until = 0
  ending: Ending | undefined
  /** Whom to tell before those whom the ending names. */
  readonly told: (() => void)[] = []
  /** Its work has left the event loop to others. */
  isCut = false
  /** It stays open for further calls, whose callers are answered before it is committed. */
  isHeld = false
  /** The one whose work threw. */
  culprit: Task | undefined

  answer(): void {
    for (const task of this.tasks) {
      const { answer, outcome } = task
      if (task.isPromised === true || answer === undefined || outcome === undefined) continue
      if ('error' in outcome) answer.reject(outcome.error)
      else answer.resolve(outcome.value)
    }
  }

  /** Answers those that have not been answered yet, from this place on; returns the place of the next one. */
  promise(from: number): number {
    for (const task of this.tasks.slice(from)) {
      const { answer, outcome } = task
      if (outcome !== undefined && 'error' in outcome) answer?.reject(outcome.error)
      else answer?.resolve(outcome?.value)
      task.isPromised = true
    }
    return this.tasks.length
  }
}

/** Says which calls of a transaction are refused because it was undone; the others get another one. */
export function blame(
  failed: readonly Task[],
  { culprit, isFull }: { readonly culprit: Task | undefined; readonly isFull: boolean },
): (task: Task) => boolean {
  if (culprit !== undefined) return task => task === culprit
  const isFreeing = isFull && failed.some(({ adds }) => adds)
  return ({ adds, isPromised }) => isPromised !== true && (adds || !isFreeing)
}

export function isSteps(value: unknown): value is Steps<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.toStringTag in value &&
    value[Symbol.toStringTag] === 'Generator'
  )
}

/** Does long work at once, where it can't be left to others. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** Something the peer can be told. */
export function noRoom(cause?: unknown): PersistenceError {
  return new PersistenceError('QUOTA_EXCEEDED', { message: 'the disk is full, nothing can be stored', cause })
}

export function unwritable(cause: unknown): PersistenceError {
  const text = cause instanceof Error ? cause.message : String(cause)
  return new PersistenceError('UNAVAILABLE', { message: `the directory can't be written: ${text}`, cause })
}

import { PersistenceError } from '@x/contract'
import type { Clock, MaybePromise, Slices } from '@x/contract'
import type { Environment } from './environment.ts'

/** ms that what nobody waits for may wait. */
const lazyDelay = 1000
/** ms of one transaction's work; what is left goes into the next one. */
const transactionBudget = 5
/** ms for which a full disk is not tried again with something new. */
const fullDelay = 100

/** Long work of a transaction, which yields after each short piece of it so that the event loop can be left to others. */
export type Steps<T> = Generator<undefined, T, undefined>
type Work<T> = () => T | Steps<T>

interface Task {
  readonly work: Work<unknown>
  /** What it adds takes room on the disk: it is refused when there is none, while everything else goes on. */
  readonly adds: boolean
  /** Undefined: nobody waits for it. */
  readonly answer: { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void } | undefined
  outcome?: { readonly value: unknown } | { readonly error: unknown }
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
  /** After the last one: writes what is still in memory alone. */
  end(): Steps<Ending>
  /** The work failed halfway: nothing of it holds. */
  discard(): void
}

export interface CommitsParts {
  readonly environment: Environment
  readonly frame: TransactionFrame
  readonly clock: Clock
  readonly slices: Slices
}

/** The calls of one transaction. */
interface Batch {
  readonly tasks: Task[]
  /** `performance.now()` at which it takes no further one. */
  until: number
  ending: Ending | undefined
  /** Its work has left the event loop to others. */
  isCut: boolean
  /** The one whose work threw. */
  culprit: Task | undefined
}

/** Collects calls and carries them out in one transaction after another: all that came while the last one was committed belongs to
 * the next. */
export class Commits {
  readonly #parts: CommitsParts
  #tasks: Task[] = []
  /** Of a transaction that was undone, to be carried out before the others. */
  #again: Task[] = []
  /** A transaction is to begin, or goes on. */
  #scheduled = false
  /** The frame has something to write that no transaction has begun to write yet. */
  #isWanted = false
  #timer: unknown
  /** `performance.now()` until which the disk counts as full. */
  #fullUntil = 0
  /** The commit of the last transaction that began. */
  #last: Promise<void> = Promise.resolve()

  constructor(parts: CommitsParts) {
    this.#parts = parts
  }

  /** Carries `work` out in the next transaction, after everything that was called before. Resolves with what it returns when that is
   * durable. Work checks first and changes afterwards: a `PersistenceError` that it throws concerns this call alone, anything else
   * undoes the transaction, and the other calls are carried out in another one. */
  run<T>(work: Work<T>): Promise<T> {
    return this.#call(work, false)
  }

  /** The same for work that stores something new: refused with `QUOTA_EXCEEDED` while the disk is full. */
  add<T>(work: Work<T>): Promise<T> {
    if (this.#fullUntil > 0 && performance.now() < this.#fullUntil) return Promise.reject(noRoom())
    return this.#call(work, true)
  }

  /** The same for what nobody waits for. */
  soon(work: Work<void>): void {
    this.#tasks.push({ work, adds: false, answer: undefined })
    this.#schedule()
  }

  /** A transaction is to begin within a second, for what its frame has to write. */
  later(): void {
    this.#isWanted = true
    if (this.#scheduled) return
    this.#timer ??= this.#parts.clock.setTimeout(() => this.#schedule(), lazyDelay)
  }

  /** Everything that was called so far has been carried out, or has failed. */
  async settled(): Promise<void> {
    if (this.#tasks.length === 0 && this.#again.length === 0) await this.#last
    // Its own failure says nothing about the calls before, which are told of theirs.
    else await this.run(() => undefined).catch(() => undefined)
  }

  #call<T>(work: Work<T>, adds: boolean): Promise<T> {
    const answer = new Promise<T>((resolve, reject) => {
      this.#tasks.push({ work, adds, answer: { resolve: resolve as (value: unknown) => void, reject } })
    })
    this.#schedule()
    return answer
  }

  #schedule(): void {
    if (this.#timer !== undefined) this.#parts.clock.clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#scheduled) return
    this.#scheduled = true
    this.#last = this.#commit(this.#last)
  }

  /** `previous`: the commit before, whose calls get their answers first. */
  async #commit(previous: Promise<void>): Promise<void> {
    const batch: Batch = { tasks: [], until: 0, ending: undefined, isCut: false, culprit: undefined }
    try {
      await this.#parts.environment.transaction(() => this.#carryOut(batch))
    } catch (error) {
      if (batch.ending === undefined) this.#scheduled = false
      await previous
      this.#undo(batch, error)
      return
    }
    await previous
    await this.#tell(batch.ending?.told ?? [])
    for (const { answer, outcome } of batch.tasks) {
      if (answer === undefined || outcome === undefined) continue
      if ('error' in outcome) answer.reject(outcome.error)
      else answer.resolve(outcome.value)
    }
  }

  /** In order, and all before what the next transaction has to tell. */
  #tell(told: readonly (() => void)[]): MaybePromise<void> {
    let index = 0
    return this.#parts.slices.run(() => {
      told[index]?.()
      index += 1
      return index < told.length
    })
  }

  #carryOut(batch: Batch): MaybePromise<void> {
    this.#tasks = [...this.#again, ...this.#tasks]
    this.#again = []
    this.#isWanted = false
    this.#parts.frame.begin()
    batch.until = performance.now() + transactionBudget
    return this.#goOn(batch)
  }

  /** Carries out one call after the other, in order. What is left begins another transaction. */
  #goOn(batch: Batch): MaybePromise<void> {
    for (;;) {
      const task = this.#tasks[batch.tasks.length]
      if (task === undefined || (batch.tasks.length > 0 && performance.now() > batch.until)) break
      batch.tasks.push(task)
      const working = this.#perform(task, batch)
      // The transaction stays open meanwhile, and the event loop is free.
      if (working !== undefined) return working.then(() => this.#goOn(batch))
    }
    return this.#finish(batch)
  }

  #finish(batch: Batch): MaybePromise<void> {
    const finished = (ending: Ending): void => {
      batch.ending = ending
      this.#tasks = this.#tasks.slice(batch.tasks.length)
      // One that was cut is still open in this turn, and lmdb would take the next one to be a part of it.
      if (batch.isCut) setImmediate(() => this.#next())
      else this.#next()
    }
    return this.#walk(batch, this.#parts.frame.end(), finished)
  }

  #perform(task: Task, batch: Batch): Promise<void> | undefined {
    const failed = (error: unknown): void => {
      if (!(error instanceof PersistenceError)) {
        batch.culprit = task
        throw error
      }
      task.outcome = { error }
    }
    try {
      const value = task.work()
      if (!isSteps(value)) task.outcome = { value }
      else {
        return this.#walk(batch, value, result => {
          task.outcome = { value: result }
        })?.catch(failed)
      }
    } catch (error) {
      failed(error)
    }
    return undefined
  }

  #next(): void {
    this.#scheduled = false
    // Not from within a transaction.
    if (this.#tasks.length > 0) setImmediate(() => this.#schedule())
    else if (this.#isWanted) this.later()
  }

  #walk<T>(batch: Batch, steps: Steps<T>, walked: (result: T) => void): Promise<void> | undefined {
    const walking = this.#parts.slices.run(() => {
      const step = steps.next()
      if (step.done === true) walked(step.value)
      return step.done !== true
    })
    if (walking === undefined) return undefined
    batch.isCut = true
    return Promise.resolve(walking)
  }

  #undo({ tasks, ending, culprit }: Batch, error: unknown): void {
    if (ending === undefined) this.#parts.frame.discard()
    else ending.undone()
    // None: the transaction could not even begin.
    const failed = tasks.length > 0 ? tasks : this.#tasks.splice(0)
    const isFull = culprit === undefined && this.#parts.environment.isFull()
    if (isFull) this.#fullUntil = performance.now() + fullDelay
    const refusal = isFull ? noRoom(error) : unwritable(error)
    const isToBlame = blame(failed, { culprit, isFull })
    this.#again = [...this.#again, ...failed.filter(task => !isToBlame(task))]
    for (const task of failed) if (isToBlame(task)) task.answer?.reject(refusal)
    if (this.#again.length > 0) this.#schedule()
    else this.later()
  }
}

/** Says which calls of a transaction are refused because it was undone; the others get another one. */
function blame(
  failed: readonly Task[],
  { culprit, isFull }: { readonly culprit: Task | undefined; readonly isFull: boolean },
): (task: Task) => boolean {
  if (culprit !== undefined) return task => task === culprit
  return isFull && failed.some(({ adds }) => adds) ? ({ adds }) => adds : () => true
}

function isSteps(value: unknown): value is Steps<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.toStringTag in value &&
    value[Symbol.toStringTag] === 'Generator'
  )
}

/** Something the peer can be told. */
function noRoom(cause?: unknown): PersistenceError {
  return new PersistenceError('QUOTA_EXCEEDED', { message: 'the disk is full, nothing can be stored', cause })
}

function unwritable(cause: unknown): PersistenceError {
  const text = cause instanceof Error ? cause.message : String(cause)
  return new PersistenceError('UNAVAILABLE', { message: `the directory can't be written: ${text}`, cause })
}

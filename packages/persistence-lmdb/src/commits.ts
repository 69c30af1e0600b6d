import { PersistenceError } from '@x/contract'
import type { Clock } from '@x/contract'
import type { Environment } from './environment.ts'

/** ms a call may wait that nobody waits for. */
const lazyDelay = 1000
/** ms of one transaction's work; what is left goes into the next one. */
const transactionBudget = 5

interface Task {
  readonly work: () => unknown
  /** Undefined: nobody waits for it. */
  readonly answer: { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void } | undefined
  outcome?: { readonly value: unknown } | { readonly error: unknown }
}

/** What has to happen around the work of a transaction. */
export interface TransactionFrame {
  /** Before the first work. */
  begin(): void
  /** After the last one: writes what is still in memory alone. Returns whom to tell when it is as durable as promised. */
  end(): readonly (() => void)[]
  /** The transaction was undone: nothing that its work left in memory holds. */
  discard(): void
}

interface CarriedOut {
  readonly tasks: readonly Task[]
  readonly told: readonly (() => void)[]
}

/** Collects calls and carries them out in one transaction after another: all that came while the last one was committed belongs to
 * the next. */
export class Commits {
  readonly #environment: Environment
  readonly #frame: TransactionFrame
  readonly #clock: Clock
  #tasks: Task[] = []
  /** A transaction is to begin. */
  #scheduled = false
  #timer: unknown
  /** The commit of the last transaction that began. */
  #last: Promise<void> = Promise.resolve()

  constructor(environment: Environment, frame: TransactionFrame, clock: Clock) {
    this.#environment = environment
    this.#frame = frame
    this.#clock = clock
  }

  /** Carries `work` out in the next transaction, after everything that was called before. Resolves with what it returns when that is
   * durable. Work checks first and changes afterwards: a `PersistenceError` that it throws concerns this call alone, anything else
   * undoes the transaction. */
  run<T>(work: () => T): Promise<T> {
    const answer = new Promise<T>((resolve, reject) => {
      this.#tasks.push({ work, answer: { resolve: resolve as (value: unknown) => void, reject } })
    })
    this.#schedule()
    return answer
  }

  /** The same for what nobody waits for: with the next transaction, after a second at the latest. */
  lazily(work: () => void): void {
    this.#tasks.push({ work, answer: undefined })
    if (this.#scheduled) return
    this.#timer ??= this.#clock.setTimeout(() => this.#schedule(), lazyDelay)
  }

  /** The same, but the next transaction begins at once. */
  soon(work: () => void): void {
    this.#tasks.push({ work, answer: undefined })
    this.#schedule()
  }

  /** Everything that was called so far has been carried out. */
  async settled(): Promise<void> {
    while (this.#tasks.length > 0) {
      this.#schedule()
      await this.#last
    }
    await this.#last
  }

  #schedule(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#scheduled) return
    this.#scheduled = true
    this.#last = this.#commit(this.#last)
  }

  /** `previous`: the commit before, whose calls get their answers first. */
  async #commit(previous: Promise<void>): Promise<void> {
    let carriedOut: CarriedOut = { tasks: [], told: [] }
    try {
      await this.#environment.transaction(() => {
        carriedOut = this.#carryOut()
      })
    } catch (error) {
      this.#scheduled = false
      await previous
      this.#undo(carriedOut.tasks, error)
      return
    }
    await previous
    for (const tell of carriedOut.told) tell()
    for (const { answer, outcome } of carriedOut.tasks) {
      if (answer === undefined || outcome === undefined) continue
      if ('error' in outcome) answer.reject(outcome.error)
      else answer.resolve(outcome.value)
    }
  }

  /** What was carried out, in order. What is left begins another transaction. */
  #carryOut(): CarriedOut {
    const done: Task[] = []
    this.#frame.begin()
    const until = performance.now() + transactionBudget
    for (const task of this.#tasks) {
      if (done.length > 0 && performance.now() > until) break
      done.push(task)
      task.outcome = outcomeOf(task.work)
    }
    const told = this.#frame.end()
    this.#tasks = this.#tasks.slice(done.length)
    this.#scheduled = false
    // Not from within a transaction, which lmdb would take it to belong to.
    if (this.#tasks.some(({ answer }) => answer !== undefined)) setImmediate(() => this.#schedule())
    return { tasks: done, told }
  }

  /** Who waits is told. What nobody waits for is tried again, since nobody else would. */
  #undo(done: readonly Task[], error: unknown): void {
    this.#frame.discard()
    const failed = done.length > 0 ? done : this.#tasks.splice(0)
    const refusal = asRefusal(error)
    this.#tasks.unshift(...failed.filter(({ answer }) => answer === undefined))
    for (const { answer } of failed) answer?.reject(refusal)
    if (this.#tasks.length > 0) this.#timer ??= this.#clock.setTimeout(() => this.#schedule(), lazyDelay)
  }
}

function outcomeOf(work: () => unknown): { readonly value: unknown } | { readonly error: unknown } {
  try {
    return { value: work() }
  } catch (error) {
    if (error instanceof PersistenceError) return { error }
    throw error
  }
}

/** A full disk is something the peer can be told; everything else means that the directory can't be used now. */
function asRefusal(cause: unknown): PersistenceError {
  const text = cause instanceof Error ? cause.message : String(cause)
  return /ENOSPC|No space left|MDB_MAP_FULL/i.test(text)
    ? new PersistenceError('QUOTA_EXCEEDED', { message: `nothing can be stored: ${text}`, cause })
    : new PersistenceError('UNAVAILABLE', { message: `the directory can't be written: ${text}`, cause })
}

import { PersistenceError } from '@x/contract'
import type { Clock, MaybePromise, Slices } from '@x/contract'
import { Batch, blame, isSteps, noRoom, unwritable } from './batch.ts'
import type { Ending, Steps, Task, TransactionFrame, Work } from './batch.ts'
import type { Environment } from './environment.ts'

/** ms after which work is carried out that no caller waits for. */
const lazyDelay = 1000
/** ms of one transaction's work; what is left goes into the next one. */
const transactionBudget = 5
/** Calls of a transaction that is held open: with more it is committed early, since all may have to be carried out again. */
const maximumHeld = 20_000
/** ms for which a full disk is not tried again with something new. */
const fullDelay = 100

/** What commits are made with. */
export interface CommitsParts {
  readonly environment: Environment
  readonly frame: TransactionFrame
  readonly clock: Clock
  readonly slices: Slices
  /** ms for which a transaction stays open while callers get their outcomes at once; 0: they get them when it is committed. */
  readonly interval: number
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
  /** The last transaction failed: callers of the next one get their outcomes when it is committed. */
  #isTroubled = false
  /** The store closes, so no transaction is held open any more. */
  #isClosing = false
  /** Ends the pause of a transaction that is held open. */
  #wake: (() => void) | undefined
  /** The commit of the last transaction that began. */
  #last: Promise<void> = Promise.resolve()

  constructor(parts: CommitsParts) {
    this.#parts = parts
  }

  /** Whether callers get their outcomes before these are committed. */
  get confirmsEarly(): boolean {
    return this.#parts.interval > 0
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

  /** The same for work that no caller waits for. */
  soon(work: Work<void>): void {
    this.#tasks.push({ work, adds: false, caller: undefined })
    this.#schedule()
    this.#wake?.()
  }

  /** A transaction is to begin within a second, for what its frame has to write. */
  later(): void {
    this.#isWanted = true
    if (this.#scheduled) return
    this.#timer ??= this.#parts.clock.setTimeout(() => this.#schedule(), lazyDelay)
  }

  /** What `read` finds of everything that callers have the outcomes of. While a transaction is held open, and until it is committed, only
   * transactions see that. */
  see<T>(read: () => T): MaybePromise<T> {
    return this.#parts.interval === 0 ? read() : this.run(read).catch(read)
  }

  /** Everything that was called so far has been carried out, or has failed. */
  async settled(): Promise<void> {
    if (this.#tasks.length === 0 && this.#again.length === 0) await this.#last
    // Its own failure says nothing about the calls before, which are told of theirs.
    else await this.run(() => undefined).catch(() => undefined)
  }

  /** Holds no transaction open from now on: each call returns when everything before it is on the disk. */
  endHolding(): void {
    this.#isClosing = true
    this.#wake?.()
  }

  #call<T>(work: Work<T>, adds: boolean): Promise<T> {
    const called = new Promise<T>((resolve, reject) => {
      this.#tasks.push({ work, adds, caller: { resolve: resolve as (value: unknown) => void, reject } })
    })
    this.#schedule()
    this.#wake?.()
    return called
  }

  #schedule(): void {
    if (this.#timer !== undefined) this.#parts.clock.clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#scheduled) return
    this.#scheduled = true
    this.#last = this.#commit(this.#last)
  }

  /** `previous`: the commit before, whose callers get their outcomes first. */
  async #commit(previous: Promise<void>): Promise<void> {
    const batch = new Batch()
    try {
      await this.#parts.environment.transaction(() => this.#carryOut(batch, previous))
    } catch (error) {
      if (batch.ending === undefined) {
        this.#tasks = this.#tasks.slice(batch.tasks.length)
        this.#scheduled = false
      }
      await previous
      if (batch.isHeld) this.#scheduled = false
      this.#undo(batch, error)
      return
    }
    await previous
    this.#isTroubled = false
    await this.#tell([...batch.told, ...(batch.ending?.told ?? [])])
    batch.settle()
    // The next one builds on this one, whose callers have their outcomes: it must not begin before this one is committed.
    if (batch.isHeld) setImmediate(() => this.#next())
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

  #carryOut(batch: Batch, previous: Promise<void>): MaybePromise<void> {
    const { environment, frame, interval } = this.#parts
    this.#tasks = [...this.#again, ...this.#tasks]
    this.#again = []
    this.#isWanted = false
    frame.begin()
    const due = frame.due()
    if (due !== undefined) this.#tasks.push({ work: due, adds: true, caller: undefined })
    batch.until = performance.now() + transactionBudget
    batch.isHeld = interval > 0 && !this.#isTroubled && !this.#isClosing && !environment.isFull()
    if (batch.isHeld) return this.#hold(batch, previous)
    return this.#goOn(batch)?.then(() => this.#finish(batch)) ?? this.#finish(batch)
  }

  /** Carries out one call after the other, in order, as long as the budget lasts. What is left begins another transaction. */
  #goOn(batch: Batch): Promise<void> | undefined {
    for (;;) {
      const task = this.#tasks[batch.tasks.length]
      if (task === undefined || (batch.tasks.length > 0 && performance.now() > batch.until)) return undefined
      batch.tasks.push(task)
      const working = this.#perform(task, batch)
      // The transaction stays open meanwhile, and the event loop is free.
      if (working !== undefined) return working.then(() => this.#resume(batch))
    }
  }

  #resume(batch: Batch): Promise<void> | undefined {
    this.#parts.frame.resume()
    return this.#goOn(batch)
  }

  /** Carries out all calls that come within the interval; callers get their outcomes before the commit. */
  async #hold(batch: Batch, previous: Promise<void>): Promise<void> {
    const { clock, interval } = this.#parts
    const until = clock.monotonic() + interval
    let promised = 0
    for (;;) {
      await this.#goOn(batch)
      await previous
      await this.#tell(this.#parts.frame.takeTold())
      promised = batch.promise(promised)
      const left = until - clock.monotonic()
      if (left <= 0 || this.#isClosing || promised >= maximumHeld) break
      await this.#pause(batch, left)
      batch.until = performance.now() + transactionBudget
      this.#parts.frame.resume()
    }
    batch.isCut = true
    await this.#finish(batch)
  }

  /** Resolves when there is a call to carry out and others were served, or after so many milliseconds. */
  async #pause(batch: Batch, milliseconds: number): Promise<void> {
    if (this.#tasks.length === batch.tasks.length) {
      const { clock } = this.#parts
      let timer: unknown
      await new Promise<void>(resolve => {
        this.#wake = resolve
        timer = clock.setTimeout(resolve, milliseconds)
      })
      clock.clearTimeout(timer)
      this.#wake = undefined
    }
    await new Promise(resolve => setImmediate(resolve))
  }

  #finish(batch: Batch): MaybePromise<void> {
    const finished = (ending: Ending): void => {
      batch.ending = ending
      this.#tasks = this.#tasks.slice(batch.tasks.length)
      if (batch.isHeld) return
      // One that was cut is still open in this turn, and lmdb would take the next one to be a part of it.
      if (batch.isCut) setImmediate(() => this.#next())
      else this.#next()
    }
    return this.#walk(batch, this.#parts.frame.end(), finished)
  }

  #perform(task: Task, batch: Batch): Promise<void> | undefined {
    // Its callbacks were called when it was carried out for the first time.
    if (task.isPromised === true) batch.told.push(...this.#parts.frame.takeTold())
    try {
      const value = task.work()
      if (isSteps(value)) {
        const walking = this.#walk(batch, value, result => this.#done(task, { value: result }))
        return walking?.catch((error: unknown) => this.#failed(task, batch, error))
      }
      this.#done(task, { value })
    } catch (error) {
      this.#failed(task, batch, error)
    }
    return undefined
  }

  #done(task: Task, outcome: NonNullable<Task['outcome']>): void {
    task.outcome = outcome
    if (task.isPromised === true) this.#parts.frame.takeTold()
  }

  /** A refusal concerns its task alone; anything else undoes the transaction. */
  #failed(task: Task, batch: Batch, error: unknown): void {
    if (error instanceof PersistenceError) {
      this.#done(task, { error })
      return
    }
    batch.culprit = task
    throw error
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
    if (culprit === undefined) this.#isTroubled = true
    const refusal = isFull ? noRoom(error) : unwritable(error)
    const isToBlame = blame(failed, { culprit, isFull })
    this.#again = [...this.#again, ...failed.filter(task => !isToBlame(task))]
    for (const task of failed) if (isToBlame(task)) task.caller?.reject(refusal)
    // What callers were promised is tried again after a second: the disk may stay full for a while.
    if (this.#again.some(({ isPromised }) => isPromised !== true)) this.#schedule()
    else this.later()
  }
}

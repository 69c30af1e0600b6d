import { statfsSync } from 'node:fs'
import { relative } from 'node:path'
import type { MaybePromise } from '@x/contract'
import { open } from 'lmdb'
import type { RootDatabase } from 'lmdb'

/** A key with its value. */
export interface Row {
  readonly key: Buffer
  readonly value: Buffer
}

/** Keys from one to another. */
export interface Range {
  /** The first key that may come. */
  readonly start: Buffer
  /** The first key that may not. */
  readonly end: Buffer
  readonly limit?: number
}

/** An environment as it was at one moment. */
export interface View {
  get(key: Buffer): Buffer | undefined
  rows(range: Range): Iterable<Row>
  release(): void
}

/** How the environment of LMDB is opened. */
export interface EnvironmentOptions {
  readonly directory: string
  /** False: the operating system writes when it likes. */
  readonly sync: boolean
}

/** Rows that are looked at in a tenth of a millisecond. */
const partSize = 32

/** One lmdb environment with binary keys and values in a single tree. Reads see the transaction that runs, or what was committed
 * last; writes belong into a transaction. */
export class Environment {
  /** Of this process: lmdb has one handle for each file. */
  static readonly #open = new Set<Environment>()

  readonly #database: RootDatabase<Buffer, Buffer>
  readonly #directory: string
  /** lmdb's own work does not keep the event loop waiting for it, so without another handle a transaction would never begin. */
  readonly #keepAlive: NodeJS.Timeout
  #transactions = 0
  /** A transaction's work is under way: reads would see what is not committed. */
  #isWorking = false
  /** Those who wait until no transaction is open. */
  #idle: (() => void)[] = []

  /** Node waits for its threads at the end of a process, and lmdb's would wait for the event loop, which has ended, with the directory
   * locked: all its brokers would wait for ever. What was promised is there after a kill. */
  static readonly #exit = (): void => {
    if ([...Environment.#open].some(one => one.#transactions > 0)) process.kill(process.pid, 'SIGKILL')
  }

  /** Resolves when this process has no transaction of the directory open. Opening it waits for the end of each one, and blocks the process
   * meanwhile: of its own, for ever. */
  static async whenIdle(directory: string): Promise<void> {
    for (;;) {
      const busy = [...Environment.#open].find(one => one.#transactions > 0 && isSamePath(one.#directory, directory))
      if (busy === undefined) return
      await new Promise<void>(done => busy.#idle.push(done))
    }
  }

  constructor({ directory, sync }: EnvironmentOptions) {
    const options = {
      path: directory,
      encoding: 'binary',
      keyEncoding: 'binary',
      noSubdir: false,
      noSync: !sync,
      // Otherwise the next transaction begins before the last one is on the disk, and when all processes have been killed, or the power has
      // failed, lmdb goes back to what was. A process that has joined meanwhile takes the last one for written, and uses pages again
      // that are a part of what lmdb goes back to.
      overlappingSync: false,
      // Otherwise lmdb makes a promise of its own for each turn, whose rejection can't be handled.
      eventTurnBatching: false,
    } as const
    this.#database = open<Buffer, Buffer>(options)
    this.#directory = directory
    // Before lmdb's own listener, which closes the files while its thread has them locked: nobody would get that lock any more.
    if (Environment.#open.size === 0) process.prependListener('exit', Environment.#exit)
    Environment.#open.add(this)
    this.#keepAlive = setInterval(() => {}, 0x7fff_ffff)
    this.#keepAlive.unref()
  }

  get(key: Buffer): Buffer | undefined {
    return this.#database.get(key)
  }

  /** False while the work of a transaction waits, when {@link newest} would show what is not committed. */
  get isCommitted(): boolean {
    return !this.#isWorking
  }

  /** The value that any process has committed last, at this moment; other reads may see what was committed when the turn began. The same
   * bytes serve the next read. Reads that follow at once see the same moment. */
  newest(key: Buffer): Buffer | undefined {
    this.#database.resetReadTxn()
    return this.#database.getBinaryFast(key)
  }

  has(key: Buffer): boolean {
    return this.#database.doesExist(key)
  }

  put(key: Buffer, value: Buffer): void {
    void this.#database.put(key, value)
  }

  remove(key: Buffer): void {
    void this.#database.remove(key)
  }

  /** In ascending order. Nothing may be changed meanwhile. */
  rows(range: Range): Iterable<Row> {
    return this.#database.getRange(range)
  }

  /** All rows of a range, which may be removed while they are walked. */
  collect(range: Range): readonly Row[] {
    return Array.from(this.#database.getRange(range))
  }

  /** All rows of a range in small parts, between which others may be served. Rows may be removed and changed meanwhile. */
  *parts({ start, end }: Range): Generator<readonly Row[], void, undefined> {
    let from = start
    for (;;) {
      const rows = this.collect({ start: from, end, limit: partSize })
      const last = rows.at(-1)
      if (last === undefined) return
      yield rows
      if (rows.length < partSize) return
      from = Buffer.concat([last.key, Buffer.of(0)])
    }
  }

  keys(range: Range): Iterable<Buffer> {
    return this.#database.getKeys(range)
  }

  collectKeys(range: Range): readonly Buffer[] {
    return Array.from(this.#database.getKeys(range))
  }

  /** The first key of a range. */
  firstKey(range: Omit<Range, 'limit'>): Buffer | undefined {
    for (const key of this.#database.getKeys({ ...range, limit: 1 })) return key
    return undefined
  }

  firstRow(range: Omit<Range, 'limit'>): Row | undefined {
    for (const row of this.#database.getRange({ ...range, limit: 1 })) return row
    return undefined
  }

  /** Runs `work` in a transaction. Resolves when it is committed and, with `sync`, on the disk. A throw undoes all of it. What is
   * written by others while `work` waits belongs to it, too. */
  async transaction(work: () => MaybePromise<void>): Promise<void> {
    this.#transactions += 1
    this.#keepAlive.ref()
    try {
      await this.#database.childTransaction(() => this.#work(work))
    } catch (error) {
      throw await commitErrorOf(error)
    } finally {
      this.#transactions -= 1
      if (this.#transactions === 0) {
        this.#keepAlive.unref()
        for (const done of this.#idle.splice(0)) done()
      }
    }
  }

  #work(work: () => MaybePromise<void>): MaybePromise<void> {
    const worked = work()
    if (worked === undefined) return undefined
    this.#isWorking = true
    return worked.finally(() => {
      this.#isWorking = false
    })
  }

  /** What was committed last at this moment, until it is released: old pages stay that long. */
  view(): View {
    const transaction = this.#database.useReadTransaction()
    return {
      get: key => this.#database.get(key, { transaction }),
      rows: range => this.#database.getRange({ ...range, transaction }),
      release: () => transaction.done(),
    }
  }

  /** Writes what was committed last as `data.mdb` into a directory, which must be empty; free pages are left out. Writing goes on
   * meanwhile. */
  async copyTo(directory: string): Promise<void> {
    this.#keepAlive.ref()
    try {
      await this.#database.backup(directory, true)
    } finally {
      if (this.#transactions === 0) this.#keepAlive.unref()
    }
  }

  /** Whether a commit can have failed because there is no room: lmdb itself only says that it could not write. */
  isFull(): boolean {
    const { bavail, bsize } = statfsSync(this.#directory)
    return bavail * bsize < scarce
  }

  async close(): Promise<void> {
    clearInterval(this.#keepAlive)
    Environment.#open.delete(this)
    if (Environment.#open.size === 0) process.off('exit', Environment.#exit)
    await this.#database.close()
  }
}

function isSamePath(one: string, other: string): boolean {
  return relative(one, other) === ''
}

/** Bytes that are left of a disk that counts as full when writing has failed: one large transaction. */
const scarce = 16 * 1024 * 1024

/** lmdb rejects with an error that holds a promise of the real one; its rejection has to be handled here. */
async function commitErrorOf(failure: unknown): Promise<unknown> {
  if (!(failure instanceof Error) || !('commitError' in failure)) return failure
  const nextTurn = new Promise(resolve => setImmediate(resolve))
  try {
    await Promise.race([failure.commitError, nextTurn])
    return failure
  } catch (cause) {
    return cause
  }
}

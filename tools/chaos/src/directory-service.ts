import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import type { Disk } from './fault-plan.ts'
import type { StoreService } from './store-service.ts'

/** First bytes of keys, by the table of persistence-lmdb. */
const handedOut = 0x75
/** Totals; brokers that have closed; deadlines of wills that were confirmed, which find nothing when they have passed. */
const explained: ReadonlySet<number> = new Set([0x21, 0x4c, 0x64])

/** Bytes of a small disk: room for what brokers store, and for the pages that they free. */
const smallDisk = 134_217_728
const filler = 'filler'

/** A directory that all brokers of a run have open. */
export class DirectoryService implements StoreService {
  readonly name = 'lmdb'
  readonly joinsBrokers: boolean
  readonly #directory: string

  /** The root of a small file system; undefined: the directory is on a large one. */
  readonly #small: string | undefined

  constructor(directory: string, brokers: number, disk: Disk = 'large') {
    const root = join(directory, 'disk')
    mkdirSync(root)
    if (disk === 'small') execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${smallDisk}`, 'tmpfs', root])
    this.#small = disk === 'small' ? root : undefined
    this.#directory = join(root, 'data')
    this.joinsBrokers = brokers === 1
  }

  parameters(): readonly string[] {
    return ['--data', this.#directory]
  }

  async hasWills(): Promise<boolean> {
    return (await this.#keys()).some(([first]) => first === handedOut)
  }

  async leftovers(): Promise<readonly string[]> {
    const left = (await this.#keys()).filter(([first = 0]) => !explained.has(first))
    return left.map(key => key.toString('hex'))
  }

  /** Leaves no room on the disk. */
  fill(): void {
    if (this.#small === undefined) return
    const file = openSync(join(this.#small, filler), 'a')
    try {
      for (const size of [1_048_576, 4096]) fillWith(file, size)
    } finally {
      closeSync(file)
    }
  }

  empty(): void {
    if (this.#small !== undefined) rmSync(join(this.#small, filler), { force: true })
  }

  async close(): Promise<void> {
    if (this.#small !== undefined) execFileSync('umount', ['-l', this.#small])
  }

  async #keys(): Promise<readonly Buffer[]> {
    const database = open<Buffer, Buffer>({
      path: this.#directory,
      encoding: 'binary',
      keyEncoding: 'binary',
      noSubdir: false,
      readOnly: true,
    })
    try {
      return Array.from(database.getKeys())
    } finally {
      await database.close()
    }
  }
}

/** Writes pieces of this size until there is no room for another one. */
function fillWith(file: number, size: number): void {
  const piece = Buffer.alloc(size)
  for (;;) {
    try {
      if (writeSync(file, piece) < size) return
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return
      throw error
    }
  }
}

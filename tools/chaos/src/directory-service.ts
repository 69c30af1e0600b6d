import { join } from 'node:path'
import { open } from 'lmdb'
import type { StoreService } from './store-service.ts'

/** First bytes of keys, by the table of persistence-lmdb. */
const handedOut = 0x75
/** Totals; brokers that have closed; deadlines of wills that were confirmed, which find nothing when they have passed. */
const explained: ReadonlySet<number> = new Set([0x21, 0x4c, 0x64])

/** A directory that all brokers of a run have open. */
export class DirectoryService implements StoreService {
  readonly name = 'lmdb'
  readonly joinsBrokers: boolean
  readonly #directory: string

  constructor(directory: string, brokers: number) {
    this.#directory = join(directory, 'data')
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

  async close(): Promise<void> {}

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

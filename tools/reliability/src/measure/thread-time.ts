import { closeSync, openSync, readSync } from 'node:fs'

const nanosecondsPerMillisecond = 1e6

/** How long the main thread of a process has had a processor, or waited for one. The kernel brings it up to date with its clock tick, every 1 to 4 ms, and
 * whenever the thread rests. Linux only. */
export class ThreadTime {
  readonly #file: number
  readonly #bytes = Buffer.alloc(64)

  /** @param process its id, or this one */
  constructor(process: number | 'self') {
    this.#file = openSync(`/proc/${process}/schedstat`, 'r')
  }

  /** ms. A process that has ended stays at 0. */
  read(): number {
    return this.#field(0)
  }

  /** ms that the thread could have gone on, and waited for a processor. */
  readWaiting(): number {
    return this.#field(1)
  }

  #field(index: number): number {
    try {
      const length = readSync(this.#file, this.#bytes, 0, this.#bytes.length, 0)
      return Number(this.#bytes.toString('latin1', 0, length).split(' ')[index]) / nanosecondsPerMillisecond
    } catch {
      return 0
    }
  }

  close(): void {
    closeSync(this.#file)
  }
}

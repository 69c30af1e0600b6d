import { writeSync } from 'node:fs'
import { standardSink } from './log-sink.ts'
import type { LogSink } from './log-sink.ts'

/** ms between two tries to write what waits. */
const retryInterval = 100

/** Where the log goes: one line after the other, written at once, so that nothing that a dying process had to say is lost. What the
 * output does not take (a full disk, a reader that sleeps) waits, up to a number of bytes; further lines are dropped and counted.
 * Nothing here throws or blocks. */
export class LogOutput {
  readonly #sink: LogSink
  readonly #errors = standardSink('stderr').file
  readonly #maximum: number
  readonly #recovered: (dropped: number) => void
  /** Lines that wait, oldest first; of the first one, the part that is not written yet. */
  #waiting: Buffer[] = []
  #bytes = 0
  #dropped = 0
  #isSaid = false
  #timer: NodeJS.Timeout | undefined

  /** @param maximum bytes that may wait
   * @param recovered told how many lines are missing when the output takes lines again */
  constructor(sink: LogSink, maximum: number, recovered: (dropped: number) => void) {
    this.#sink = sink
    this.#maximum = maximum
    this.#recovered = recovered
    process.once('exit', () => this.#drain())
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#bytes + bytes.length > this.#maximum && this.#waiting.length > 0) {
      this.#dropped += 1
      return
    }
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
    // While others wait, a try for each line would be a system call for nothing.
    if (this.#timer === undefined) this.#drain()
  }

  #drain(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    try {
      for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) this.#writeFirst(line)
    } catch (error) {
      this.#failed(error)
      return
    }
    if (this.#dropped === 0) return
    const dropped = this.#dropped
    this.#dropped = 0
    this.#recovered(dropped)
  }

  #writeFirst(line: Buffer): void {
    const written = writeSync(this.#sink.file, line)
    this.#bytes -= written
    if (written < line.length) this.#waiting[0] = line.subarray(written)
    else this.#waiting.shift()
  }

  #failed(error: unknown): void {
    this.#timer = setTimeout(() => this.#drain(), retryInterval).unref()
    if (this.#isSaid) return
    this.#isSaid = true
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const sentence = `x-broker: the log can't be written (${reason}); ${this.#maximum} bytes of it wait, further lines are dropped and counted\n`
    try {
      writeSync(this.#errors, sentence)
    } catch {
      // There is nobody left to tell.
    }
  }
}

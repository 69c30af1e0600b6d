import { closeSync, constants, openSync } from 'node:fs'

/** Where lines are written. */
export interface LogSink {
  /** File descriptor whose writes fail where they would wait. */
  readonly file: number
}

/** Standard output, or standard error. */
export function standardSink(name: 'stdout' | 'stderr'): LogSink {
  const stream = process[name]
  // With the stream, Node has made a pipe or socket non-blocking. It reports there what concerns nobody any more.
  stream.on('error', () => undefined)
  if (!stream.isTTY) return { file: stream.fd }
  try {
    // Of a terminal, only Node's own descriptor is.
    return { file: openSync(`/dev/fd/${stream.fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY) }
  } catch {
    return { file: stream.fd }
  }
}

/** A file that lines are appended to. Its owner alone can read it. */
export class FileSink implements LogSink {
  readonly name: string
  #file: number

  /** @throws Error of Node */
  constructor(name: string) {
    this.name = name
    this.#file = opened(name)
  }

  get file(): number {
    return this.#file
  }

  /** Begins a new file where the old one was moved away.
   * @throws Error of Node; the old one stays then */
  reopen(): void {
    const next = opened(this.name)
    closeSync(this.#file)
    this.#file = next
  }
}

function opened(name: string): number {
  return openSync(name, 'a', 0o600)
}

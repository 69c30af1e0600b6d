import { logTopics } from '@x/sys-topics'
import type { LogLineKind, LogTopics } from '@x/sys-topics'
import { pino } from 'pino'
import type { Logger } from 'pino'
import type { Config } from '../config/schema.ts'
import { LogOutput } from './log-output.ts'
import { FileSink, standardSink } from './log-sink.ts'

type LogConfig = NonNullable<Config['log']>

const defaultBuffer = 1_048_576

/** The lines of a log, for people or for machines. */
export interface LogLines {
  /** What makes them readable, for a terminal. */
  readonly pretty: (line: string) => string
  /** Number of the worker whose lines these are; undefined: there is one process, or it is the primary. */
  readonly worker: number | undefined
}

/** The command's logger, and where its lines go. */
export class CommandLog {
  readonly logger: Logger
  /** For the broker of this process: publishes what the configuration wants to have published. */
  readonly topics: LogTopics = logTopics({ lines: [] })
  #outputs: readonly { readonly format: (line: string) => string; readonly output: LogOutput }[] = []
  #file: FileSink | undefined

  readonly #pretty: (line: string) => string

  /** @throws Error of Node, for a file that can't be opened */
  constructor(config: LogConfig, { pretty, worker }: LogLines) {
    this.#pretty = pretty
    const base = worker === undefined ? null : { worker }
    this.logger = pino({ level: config.level ?? 'info', base }, { write: line => this.#write(line) })
    this.configure(config)
  }

  /** Another level and other outputs. A file is opened again, so that one which was moved away is let go.
   * @throws Error of Node, for a file that can't be opened; all stays as it was */
  configure({ level = 'info', destination, file, buffer = defaultBuffer, topics = [] }: LogConfig): void {
    const sink = file === undefined ? undefined : new FileSink(file)
    const standard = destination ?? (file === undefined ? 'stdout' : 'none')
    const dropped = (count: number): void => {
      this.logger.warn({ dropped: count }, `${count} line(s) of the log were dropped: the output took none`)
    }
    this.#outputs = [
      ...(standard === 'none'
        ? []
        : [
            {
              format: process[standard].isTTY ? this.#pretty : asItIs,
              output: new LogOutput(standardSink(standard), buffer, dropped),
            },
          ]),
      ...(sink === undefined ? [] : [{ format: asItIs, output: new LogOutput(sink, buffer, dropped) }]),
    ]
    this.#file = sink
    this.logger.level = level
    this.topics.lines = topics
  }

  /** Begins a new file where the old one was moved away.
   * @throws Error of Node; lines go on into the old one then */
  reopen(): void {
    this.#file?.reopen()
  }

  #write(line: string): void {
    for (const { format, output } of this.#outputs) output.write(format(line))
    if (this.topics.lines.length > 0) this.#publish(line)
  }

  #publish(line: string): void {
    const { level, msg, repeated } = JSON.parse(line) as { level: number; msg: string; repeated?: number }
    const kind = kindOf(level)
    if (kind !== undefined && repeated === undefined) this.topics.add(kind, msg)
  }
}

/** Undefined: lines of this level of pino's are not published. */
function kindOf(level: number): LogLineKind | undefined {
  const { info, warn, error = Number.POSITIVE_INFINITY } = pino.levels.values
  if (level >= error) return 'error'
  return level === warn ? 'warning' : level === info ? 'information' : undefined
}

const asItIs = (line: string): string => line

/** What makes lines readable, loaded for terminals alone. */
export async function prettyFormat(): Promise<(line: string) => string> {
  if (!process.stdout.isTTY && !process.stderr.isTTY) return asItIs
  const { prettyFactory } = await import('pino-pretty')
  return prettyFactory({ colorize: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' })
}

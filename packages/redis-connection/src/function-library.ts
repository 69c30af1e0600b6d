import { createHash } from 'node:crypto'
import { RedisError } from './redis-error.ts'

/** Functions in Lua that run inside of Redis, each atomic.
 *
 * The source defines `F.NAME = function(keys, args)` for each of them. Names in Redis carry a digest of the source, so that
 * two releases can use one Redis side by side. Where Redis has no functions (before 7.0) the same source is a script. */
export class FunctionLibrary {
  readonly name: string
  /** SHA-1 of {@link script}. */
  readonly sha: string
  readonly #source: string
  readonly #functions: ReadonlyMap<string, string>
  readonly #refusals: readonly string[]

  /** @param functions names, and the flags that Redis shall know of each (`allow-oom`, `no-writes`)
   * @param refusals first words of the error replies by which the functions themselves say no */
  constructor(
    prefix: string,
    source: string,
    functions: Readonly<Record<string, readonly string[]>>,
    refusals: readonly string[] = [],
  ) {
    const digest = createHash('sha1').update(source).digest('hex').slice(0, 10)
    this.name = `${prefix}_${digest}`
    this.#source = `local F = {}\n${source}`
    this.#functions = new Map(
      Object.entries(functions).map(([name, flags]) => [name, flags.map(flag => `'${flag}'`).join(', ')]),
    )
    this.#refusals = refusals
    this.sha = createHash('sha1').update(this.script).digest('hex')
  }

  /** The name of a function in Redis. */
  functionName(name: string): string {
    return `${this.name}_${name}`
  }

  /** Undefined: it is not one of the functions that has said no. */
  refusalOf(error: unknown): RedisError | undefined {
    if (!(error instanceof Error) || !this.#refusals.some(word => error.message.startsWith(`${word} `)))
      return undefined
    return new RedisError('REDIS_REFUSED', { message: error.message, cause: error })
  }

  get library(): string {
    const registrations = [...this.#functions].map(
      ([name, flags]) =>
        `redis.register_function{function_name='${this.functionName(name)}', callback=F.${name}, flags={${flags}}}`,
    )
    return `#!lua name=${this.name}\n${this.#source}\n${registrations.join('\n')}\n`
  }

  /** The whole library as one script; its first argument names the function. */
  get script(): string {
    return `${this.#source}\nlocal name = table.remove(ARGV, 1)\nreturn F[name](KEYS, ARGV)\n`
  }
}

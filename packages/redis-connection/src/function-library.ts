import { createHash } from 'node:crypto'
import { RedisError } from './redis-error.ts'

/** Functions in Lua that run inside of Redis, each atomic.
 *
 * The source defines `F.NAME = function(keys, args)` for each of them. Names in Redis carry a digest of the source, so that
 * two releases can use one Redis side by side. Where Redis has no functions (before 7.0) the same source is a script. */
export class FunctionLibrary {
  readonly name: string
  /** What the names of all its releases begin with. */
  readonly family: string
  /** SHA-1 of {@link script}. */
  readonly sha: string
  readonly #source: string
  readonly #functions: Readonly<Record<string, readonly string[]>>
  readonly #refusals: readonly string[]

  /** @param functions names, and the flags of each: those that Redis knows (`allow-oom`, `no-writes`), and `unreplicated`: its answer
   * waits for no replica, as that of those that don't write
   * @param refusals first words of the error replies by which the functions themselves say no */
  constructor(
    prefix: string,
    source: string,
    functions: Readonly<Record<string, readonly string[]>>,
    refusals: readonly string[] = [],
  ) {
    const digest = createHash('sha1').update(source).update(JSON.stringify(functions)).digest('hex').slice(0, 10)
    this.family = `${prefix}_`
    this.name = `${this.family}${digest}`
    this.#source = `local F = {}\n${source}`
    this.#functions = functions
    this.#refusals = refusals
    this.sha = createHash('sha1').update(this.script).digest('hex')
  }

  /** The name of a function in Redis. */
  functionName(name: string): string {
    return `${this.name}_${name}`
  }

  /** Whether replicas must have confirmed what the function has written. */
  mannerOf(name: string): 'replicated' | 'unreplicated' {
    const flags = this.#functions[name]
    return flags?.includes('no-writes') || flags?.includes('unreplicated') ? 'unreplicated' : 'replicated'
  }

  /** Undefined: it is not one of the functions that has said no. */
  refusalOf(error: unknown): RedisError | undefined {
    if (!(error instanceof Error) || !this.#refusals.some(word => error.message.startsWith(`${word} `)))
      return undefined
    return new RedisError('REDIS_REFUSED', { message: error.message, cause: error })
  }

  get library(): string {
    const registrations = Object.entries(this.#functions).map(([name, flags]) => {
      const quoted = flags
        .filter(flag => flag !== 'unreplicated')
        .map(flag => `'${flag}'`)
        .join(', ')
      return `redis.register_function{function_name='${this.functionName(name)}', callback=F.${name}, flags={${quoted}}}`
    })
    return `#!lua name=${this.name}\n${this.#source}\n${registrations.join('\n')}\n`
  }

  /** The whole library as one script; its first argument names the function.
   *
   * Scripts of Redis 6.2 have no flags. There it is the first write that decides: a replica refuses it, and so does a full server
   * if it could take memory; what comes after it passes. So a write that changes nothing goes before everything. */
  get script(): string {
    const named = (isGuarded: (flags: readonly string[]) => boolean): string =>
      Object.entries(this.#functions)
        .flatMap(([name, flags]) => (isGuarded(flags) ? [`${name} = true`] : []))
        .join(', ')
    const freeing = named(flags => flags.includes('allow-oom'))
    const taking = named(flags => !flags.includes('allow-oom') && !flags.includes('no-writes'))
    return `${this.#source}
local name = table.remove(ARGV, 1)
if ({ ${freeing} })[name] then redis.call('DEL', KEYS[1] .. 'guard') end
if ({ ${taking} })[name] then redis.call('SETRANGE', KEYS[1] .. 'guard', 0, '') end
return F[name](KEYS, ARGV)
`
  }
}

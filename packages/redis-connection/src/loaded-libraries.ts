import type { Redis } from 'ioredis'
import type { FunctionLibrary } from './function-library.ts'
import { redisErrorOf } from './redis-error.ts'
import type { RedisArgument } from './turn-pipeline.ts'

/** The libraries that every primary is to know, as functions or, before Redis 7.0, as scripts. */
export class LoadedLibraries {
  readonly #masters: () => readonly Redis[]
  readonly #libraries: FunctionLibrary[] = []
  #loading: Promise<void> | undefined
  form: 'functions' | 'scripts' = 'functions'

  /** @param masters the primaries of now */
  constructor(masters: () => readonly Redis[]) {
    this.#masters = masters
  }

  /** Loads a library, which is loaded again with all others from now on, and deletes its other releases that nobody uses any more.
   * @throws RedisError */
  async add(library: FunctionLibrary): Promise<void> {
    this.#libraries.push(library)
    await this.load()
    if (this.form === 'functions') await Promise.all(this.#masters().map(async node => deleteUnused(node, library)))
  }

  /** Loads all libraries on all primaries.
   * @throws RedisError */
  async load(): Promise<void> {
    try {
      await Promise.all(
        this.#masters().flatMap(node => this.#libraries.map(async library => this.#loadOn(node, library))),
      )
    } catch (error) {
      throw redisErrorOf(error)
    } finally {
      this.#loading = undefined
    }
  }

  /** Like `load`; calls that come meanwhile share it. */
  async loadAgain(): Promise<void> {
    await (this.#loading ??= this.load())
  }

  /** The command that calls a function, up to its parameters. */
  callOf(library: FunctionLibrary, name: string, key: string): readonly [string, ...RedisArgument[]] {
    return this.form === 'functions'
      ? ['FCALL', library.functionName(name), 1, key]
      : ['EVALSHA', library.sha, 1, key, name]
  }

  async #loadOn(node: Redis, library: FunctionLibrary): Promise<void> {
    // By this others know that it is used. Where it is not said, because it is not permitted or a program has chosen the name, another
    // release may delete it, and it is loaded again. Nobody waits for it: the library has to be there before the first call.
    if (this.form === 'functions' && !node.options.connectionName)
      node.call('CLIENT', 'SETNAME', library.name).catch(() => undefined)
    if (this.form === 'scripts') {
      await node.call('SCRIPT', 'LOAD', library.script)
      return
    }
    try {
      await node.call('FUNCTION', 'LOAD', library.library)
    } catch (error) {
      // The name has a digest of the source: what is there already is the same.
      if (!(error instanceof Error) || !error.message.includes('already exists')) throw error
    }
  }
}

/** What is kept of releases that are gone costs Redis memory for ever. Who still needs one loads it again: nothing depends on this. */
async function deleteUnused(node: Redis, { family, name }: FunctionLibrary): Promise<void> {
  try {
    const found = (await node.call('FUNCTION', 'LIST', 'LIBRARYNAME', `${family}*`)) as readonly (readonly unknown[])[]
    const others = found.map(([, one]) => String(one)).filter(one => one !== name)
    if (others.length === 0) return
    const clients = String(await node.call('CLIENT', 'LIST'))
    const used = new Set(Array.from(clients.matchAll(/ name=(\S+)/g), ([, one]) => one))
    for (const other of others) if (!used.has(other)) await node.call('FUNCTION', 'DELETE', other)
  } catch {
    // Not permitted, or deleted by another broker meanwhile.
  }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import util from 'node:util'
import aedesMemory from 'aedes-persistence'
import aedesLevel from 'aedes-persistence-level'
import aedesMongodb from 'aedes-persistence-mongodb'
import aedesNedb from 'aedes-persistence-nedb'
import aedesRedis from 'aedes-persistence-redis'
import { Redis } from 'ioredis'
import { Level } from 'level'
import { mongodbMissing, startMongodb } from './mongodb-server.ts'
import type { MongodbServer } from './mongodb-server.ts'
import { redisMissing, startRedis } from './redis-server.ts'
import type { RedisServer } from './redis-server.ts'

/** One package of npm that stores for Aedes. */
export interface OldStore {
  readonly name: string
  readonly missing: string | undefined
  /** Another one on the same, or on no data yet. */
  make(): object
  /** Ends what `make` made, as a program does. */
  destroy(store: object): Promise<void>
  /** Begins without data. */
  clear(): Promise<void>
  end(): Promise<void>
}

type Make = (options?: unknown) => object

async function destroy(store: object): Promise<void> {
  const method: unknown = Reflect.get(store, 'destroy')
  if (typeof method !== 'function') return
  await new Promise<void>((resolve, reject) => {
    const answer: unknown = method.call(store, (error?: Error) => (error ? reject(error) : resolve()))
    if (answer instanceof Promise) answer.then(() => resolve(), reject)
  })
}

export function memory(): OldStore {
  let store: object | undefined
  return {
    name: 'aedes-persistence',
    missing: undefined,
    make: () => (store ??= (aedesMemory as unknown as Make)()),
    destroy: async () => undefined,
    clear: async () => {
      store = undefined
    },
    end: async () => undefined,
  }
}

export function level(): OldStore {
  let directory = ''
  let database: Level<string, unknown> | undefined
  return {
    name: 'aedes-persistence-level',
    missing: undefined,
    make() {
      database ??= new Level(directory, { valueEncoding: 'json' })
      return (aedesLevel as Make)(database)
    },
    destroy: async () => undefined,
    async clear() {
      await this.end()
      directory = mkdtempSync(join(tmpdir(), 'compat-level-'))
    },
    async end() {
      await database?.close()
      database = undefined
      if (directory !== '') rmSync(directory, { recursive: true })
      directory = ''
    },
  }
}

/** nedb calls `util.isDate`, which Node 23 has taken away: it dies when it stores something. */
export const nedbMissing: string | undefined = 'isDate' in util ? undefined : 'nedb needs Node 22 or an earlier one'

export function nedb(): OldStore {
  let directory = ''
  return {
    name: 'aedes-persistence-nedb',
    missing: nedbMissing,
    make: () => aedesNedb({ path: directory, prefix: '' }),
    destroy,
    async clear() {
      await this.end()
      directory = mkdtempSync(join(tmpdir(), 'compat-nedb-'))
    },
    async end() {
      if (directory !== '') rmSync(directory, { recursive: true })
      directory = ''
    },
  }
}

export function redis(): OldStore {
  let server: RedisServer | undefined
  const connections = new Map<object, Redis>()
  return {
    name: 'aedes-persistence-redis',
    missing: redisMissing,
    make() {
      const connection = new Redis({ port: server?.port ?? 0, host: '127.0.0.1' })
      const store = (aedesRedis as Make)({ conn: connection })
      connections.set(store, connection)
      return store
    },
    // Its own way fails on a store that was never set up.
    destroy: async store => connections.get(store)?.disconnect(),
    async clear() {
      server ??= await startRedis()
      await server.flush()
    },
    async end() {
      await server?.stop()
    },
  }
}

export function mongodb(): OldStore {
  let server: MongodbServer | undefined
  let url = ''
  return {
    name: 'aedes-persistence-mongodb',
    missing: mongodbMissing,
    make: () => aedesMongodb({ url, dropExistingIndexes: true }),
    // Its callback comes only after a set-up by property, and its promise is rejected when there was no set-up at all.
    destroy: async store => (store as { destroy(): Promise<void> }).destroy().catch(() => undefined),
    async clear() {
      server ??= await startMongodb()
      url = server.newDatabase()
    },
    async end() {
      await server?.stop()
      server = undefined
    },
  }
}

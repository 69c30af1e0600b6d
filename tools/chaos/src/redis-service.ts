import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { Link } from './link.ts'
import type { StoreService } from './store-service.ts'

/** What may be left when every session and broker is gone, after the prefix of all keys. */
const explained = /^\{[^}]+\}:(?:schema|births|generation)$/

interface Replica {
  readonly redis: SpawnedRedis
  readonly directory: string
  /** By which it hears the primary. */
  readonly link: Link
}

/** A Redis that loses nothing it has acknowledged: alone, with every write on the disk before it is answered, or as a primary with a
 * replica that takes its place. */
export class RedisService implements StoreService {
  readonly name = 'redis'
  readonly joinsBrokers = true
  readonly #directory: string
  readonly #hasReplica: boolean
  #primary: SpawnedRedis
  #primaryDirectory: string
  #replica: Replica | undefined
  #starts = 0

  private constructor(directory: string, hasReplica: boolean, primary: SpawnedRedis) {
    this.#directory = directory
    this.#primaryDirectory = directoryOf(directory, 'first')
    this.#hasReplica = hasReplica
    this.#primary = primary
  }

  static async start(directory: string, hasReplica: boolean): Promise<RedisService> {
    const service = new RedisService(directory, hasReplica, await spawnRedis(durable(directoryOf(directory, 'first'))))
    if (hasReplica) await service.#addReplica()
    return service
  }

  /** Of the primary. */
  get port(): number {
    return this.#primary.port
  }

  /** Kills the primary. Afterwards it is there again, or the replica has its place; what `port` says holds then.
   * @param downFor milliseconds */
  async kill(downFor: number): Promise<void> {
    const { port } = this.#primary
    await this.#primary.stop()
    await pause(downFor)
    if (this.#replica === undefined) this.#primary = await spawnRedis(durable(this.#primaryDirectory), port)
    else await this.#promote(this.#replica)
  }

  /** Kills the primary after its replica has heard nothing for a while: what no replica has is gone with it.
   * @param stalledFor milliseconds
   * @param downFor milliseconds */
  async loseUnreplicated(stalledFor: number, downFor: number): Promise<void> {
    this.#replica?.link.stall('down')
    await pause(stalledFor)
    this.#replica?.link.cut()
    await this.kill(downFor)
  }

  /** Writes down what {@link goBack} goes back to. */
  async remember(): Promise<void> {
    await this.ask(async client => client.save())
    copyFileSync(join(this.#primaryDirectory, 'dump.rdb'), join(this.#directory, 'past.rdb'))
  }

  /** Kills Redis, which comes back with what it remembers.
   * @param downFor milliseconds */
  async goBack(downFor: number): Promise<void> {
    const { port } = this.#primary
    await this.#primary.stop()
    this.#starts += 1
    this.#primaryDirectory = directoryOf(this.#directory, `past-${this.#starts}`)
    copyFileSync(join(this.#directory, 'past.rdb'), join(this.#primaryDirectory, 'dump.rdb'))
    await pause(downFor)
    // With a log of its writes it would read that one, which is not there.
    this.#primary = await spawnRedis([...durable(this.#primaryDirectory), '--appendonly', 'no'], port)
    await this.ask(async client => {
      await client.config('SET', 'appendonly', 'yes')
      while (!/aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(await client.info('persistence')))
        await pause(20)
    })
  }

  /** Takes nothing any more that needs memory, as soon as a little more is written. */
  async fill(): Promise<void> {
    await this.ask(async client => {
      const used = /used_memory:(\d+)/.exec(await client.info('memory'))?.[1] ?? 0
      await client.config('SET', 'maxmemory', Number(used) + slack)
    })
  }

  async empty(): Promise<void> {
    await this.ask(async client => client.config('SET', 'maxmemory', 0))
  }

  parameters(redisPort: number): readonly string[] {
    const replicated = this.#hasReplica ? ['--redis-durability', 'replicated'] : []
    return ['--redis', `redis://127.0.0.1:${redisPort}`, ...replicated]
  }

  async hasWills(): Promise<boolean> {
    return this.ask(async client => (await client.hlen('{x1.p0}:w')) > 0)
  }

  async leftovers(): Promise<readonly string[]> {
    const keys = await this.ask(async client => client.keys('*'))
    return keys.filter(key => !explained.test(key))
  }

  freeze(): void {
    this.#primary.process.kill('SIGSTOP')
  }

  thaw(): void {
    this.#primary.process.kill('SIGCONT')
  }

  /** With a connection that doesn't pass any link. */
  async ask<Answer>(question: (client: Redis) => Promise<Answer>): Promise<Answer> {
    const client = new Redis({ port: this.port, host: '127.0.0.1' })
    client.on('error', () => undefined)
    try {
      return await question(client)
    } finally {
      client.disconnect()
    }
  }

  async close(): Promise<void> {
    this.thaw()
    this.#replica?.link.close()
    await Promise.all([this.#primary.stop(), this.#replica?.redis.stop()])
  }

  async #promote({ redis, directory, link }: Replica): Promise<void> {
    this.#primary = redis
    this.#primaryDirectory = directory
    this.#replica = undefined
    link.close()
    await this.ask(async client => client.call('REPLICAOF', 'NO', 'ONE'))
    await this.#addReplica()
  }

  async #addReplica(): Promise<void> {
    this.#starts += 1
    const directory = directoryOf(this.#directory, `replica-${this.#starts}`)
    const link = new Link()
    link.target = this.port
    const redis = await spawnRedis([...durable(directory), '--replicaof', '127.0.0.1', String(await link.listen())])
    this.#replica = { redis, directory, link }
    const client = new Redis({ port: redis.port, host: '127.0.0.1' })
    client.on('error', () => undefined)
    while (!(await client.info('replication')).includes('master_link_status:up')) await pause(50)
    client.disconnect()
  }
}

/** Bytes that still fit into a Redis that is filled: the next messages, and then not all parts of one. */
const slack = 16_384

function directoryOf(root: string, name: string): string {
  const directory = join(root, `redis-${name}`)
  mkdirSync(directory, { recursive: true })
  return directory
}

function durable(directory: string): string[] {
  return ['--dir', directory, '--appendonly', 'yes', '--appendfsync', 'always', '--appenddirname', 'aof']
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise<void>(resolve => void setTimeout(resolve, milliseconds))
}

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import type { StoreService } from './store-service.ts'

/** What may be left when every session and broker is gone, after the prefix of all keys. */
const explained = /^\{[^}]+\}:(?:schema|births|generation)$/

/** A Redis that loses nothing it has acknowledged: alone, with every write on the disk before it is answered, or as a primary with a
 * replica that takes its place. */
export class RedisService implements StoreService {
  readonly name = 'redis'
  readonly joinsBrokers = true
  readonly #directory: string
  readonly #hasReplica: boolean
  #primary: SpawnedRedis
  #replica: SpawnedRedis | undefined

  private constructor(directory: string, hasReplica: boolean, primary: SpawnedRedis) {
    this.#directory = directory
    this.#hasReplica = hasReplica
    this.#primary = primary
  }

  static async start(directory: string, hasReplica: boolean): Promise<RedisService> {
    const service = new RedisService(directory, hasReplica, await spawnRedis(durable(directory, 'first')))
    if (hasReplica) await service.#addReplica('second')
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
    await new Promise(resolve => void setTimeout(resolve, downFor))
    if (!this.#hasReplica || this.#replica === undefined) {
      this.#primary = await spawnRedis(durable(this.#directory, 'first'), port)
      return
    }
    this.#primary = this.#replica
    this.#replica = undefined
    await this.ask(async client => client.call('REPLICAOF', 'NO', 'ONE'))
    await this.#addReplica(`replica-${port}-${Date.now()}`)
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
    await Promise.all([this.#primary.stop(), this.#replica?.stop()])
  }

  async #addReplica(name: string): Promise<void> {
    const parameters = [...durable(this.#directory, name), '--replicaof', '127.0.0.1', String(this.port)]
    const replica = await spawnRedis(parameters)
    this.#replica = replica
    const client = new Redis({ port: replica.port, host: '127.0.0.1' })
    client.on('error', () => undefined)
    while (!(await client.info('replication')).includes('master_link_status:up')) {
      await new Promise(resolve => void setTimeout(resolve, 50))
    }
    client.disconnect()
  }
}

function durable(root: string, name: string): string[] {
  const directory = join(root, `redis-${name}`)
  mkdirSync(directory, { recursive: true })
  return ['--dir', directory, '--appendonly', 'yes', '--appendfsync', 'always', '--appenddirname', 'aof']
}

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { SpawnedRedis } from '@x/redis-connection/testing'

/** A way to a Redis that can be cut. */
export class Link {
  readonly url: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Connections that hear channels. */
  readonly #subscribers = new Set<Socket>()
  readonly #deaf = new Set<Socket>()
  #state: 'open' | 'mute' | 'cut' = 'open'
  /** What does not arrive before it is released. */
  #held: (() => void)[] | undefined

  private constructor(server: Server, { port }: SpawnedRedis) {
    this.#server = server
    this.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', client => {
      if (this.#state === 'cut') {
        client.destroy()
        return
      }
      const redis = connect(port, '127.0.0.1')
      client.on('data', (chunk: Buffer) => {
        if (/\$9\r\nsubscribe\r\n/i.test(chunk.toString('latin1'))) this.#subscribers.add(client)
        redis.write(chunk)
      })
      redis.on('data', chunk => {
        if (this.#state !== 'open' || this.#deaf.has(client)) return
        if (this.#held === undefined) client.write(chunk)
        else this.#held.push(() => void client.write(chunk))
      })
      this.#together(client, redis)
      this.#together(redis, client)
    })
  }

  static async to(redis: SpawnedRedis): Promise<Link> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Link(server, redis)
  }

  /** What is asked arrives, what is answered does not. */
  mute(): void {
    this.#state = 'mute'
  }

  /** From now on answers wait until {@link release}. */
  hold(): void {
    this.#held = []
  }

  /** How many pieces of answers wait. */
  get held(): number {
    return this.#held?.length ?? 0
  }

  release(): void {
    for (const write of this.#held ?? []) write()
    this.#held = undefined
  }

  /** What is said on channels does not arrive on the connections that there are. */
  deafen(): void {
    for (const subscriber of this.#subscribers) this.#deaf.add(subscriber)
  }

  /** Ends all connections, and lets no new one through. */
  cut(): void {
    this.#state = 'cut'
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#state = 'open'
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #together(one: Socket, other: Socket): void {
    this.#sockets.add(one)
    one.on('error', () => other.destroy())
    one.on('close', () => {
      this.#sockets.delete(one)
      other.destroy()
    })
  }
}

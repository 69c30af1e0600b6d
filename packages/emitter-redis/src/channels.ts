import { Confirmations } from '@x/redis-connection'
import type { NumberedChange, RedisConnection } from '@x/redis-connection'
import { Announcements } from './announcements.ts'
import type { EmitterCounters } from './emitter-counters.ts'
import { RecentConnections } from './recent-connections.ts'
import type { RedisTime } from './redis-time.ts'
import type { LogEntry } from './route-log.ts'

/** What the news of brokers need, and whom they tell. */
export interface ChannelsHost {
  readonly connection: RedisConnection
  readonly counters: EmitterCounters
  readonly instance: string
  readonly routeTimeout: number
  readonly time: RedisTime
  /** What all brokers hear. */
  readonly common: string
  /** What one broker hears. */
  channelOf(instance: string): string
  /** A change in the log of routes, with its position and the one before it. */
  changed(position: string, before: string, entry: LogEntry): void
  /** A client has connected to another broker. */
  takenOver(clientId: string): void
  /** A frame of messages: the payload begins with `q` or, numbered, with `s`. */
  frame(payload: Buffer): void
  /** Some may have been lost. */
  resumed(): void
}

/** What brokers say to each other on channels: changes of routes and their confirmations, clients that connect, frames. */
export class Channels {
  readonly #host: ChannelsHost
  readonly #confirmations: Confirmations
  readonly #announcements = new Announcements()
  /** Of all brokers. */
  readonly connections: RecentConnections = new RecentConnections()
  #closed = false

  constructor(host: ChannelsHost) {
    this.#host = host
    const { connection, counters, instance, routeTimeout } = host
    this.#confirmations = new Confirmations({
      timeout: routeTimeout,
      unconfirmed: () => {
        counters.unconfirmedRoutes += 1
      },
      atTurnEnd: task => connection.atTurnEnd(task),
      say: async (other, number) => {
        const channel = host.channelOf(other)
        await connection.command(channel, 'PUBLISH', channel, `k${JSON.stringify([instance, number])}`)
      },
    })
  }

  async begin(): Promise<void> {
    const { common, connection, instance } = this.#host
    await connection.subscribe([common, this.#host.channelOf(instance)], {
      message: (channel, payload) => this.#hear(channel === common, payload),
      resumed: () => {
        this.#announcements.clear()
        this.#host.resumed()
      },
    })
  }

  close(): void {
    this.#closed = true
    this.#confirmations.close()
  }

  async announce(clientId: string): Promise<void> {
    const { common, connection, instance, time } = this.#host
    const since = this.connections.connectedHere(clientId, instance, time.now())
    this.#announcements.announced(clientId)
    try {
      await connection.command(common, 'PUBLISH', common, JSON.stringify(['a', instance, clientId, since]))
    } catch {
      // The connection has reported it; where nobody hears, nobody can be told.
      this.#announcements.heard(clientId)
    }
  }

  /** Makes a change of routes, and resolves when all other brokers that have to have applied it, or are gone, or time is over. */
  async change(make: () => Promise<NumberedChange>): Promise<void> {
    await this.#confirmations.change(async () => {
      const { number, brokers } = await make()
      return { number, brokers: brokers.filter(other => other !== this.#host.instance) }
    })
  }

  left(instance: string): void {
    this.#confirmations.left(instance)
  }

  /** Tells another broker, at the end of this turn, that everything up to that number is applied here. */
  confirm(instance: string, number: number): void {
    this.#confirmations.confirm(instance, number)
  }

  #hear(isCommon: boolean, payload: Buffer): void {
    if (this.#closed) return
    try {
      if (isCommon) this.#hearCommon(JSON.parse(payload.toString()))
      else if (payload[0] === 0x6b) {
        const [instance, number] = JSON.parse(payload.toString('utf8', 1))
        this.#confirmations.confirmed(String(instance), Number(number))
      } else this.#host.frame(payload)
    } catch {
      // Somebody else has said something here.
      this.#host.counters.invalid += 1
    }
  }

  #hearCommon(news: readonly ['r', string, string, LogEntry] | readonly ['a', string, string, number]): void {
    if (news[0] === 'r') this.#host.changed(news[1], news[2], news[3])
    else if (news[0] === 'a') {
      const [, instance, clientId, since] = news
      if (instance === this.#host.instance) this.#announcements.heard(clientId)
      else if (this.connections.connectedElsewhere(clientId, { broker: instance, since }, this.#announcements))
        this.#host.takenOver(clientId)
    }
  }
}

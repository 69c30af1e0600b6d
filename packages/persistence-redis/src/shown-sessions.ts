import { SESSION_NEVER_EXPIRES } from '@x/contract'
import type { LazyPage, QueueEntry, StoredSession, StoredSessions, Subscription } from '@x/contract'
import type { RedisConnection } from '@x/redis-connection'
import type { StoreCalls } from './calls/store-calls.ts'
import { decodeDelivery, decodeMessage, entryOf } from './records/message-record.ts'
import { decodeSubscriptions } from './records/subscription-record.ts'

type StreamRow = readonly [id: Buffer, fields: readonly [Buffer, Buffer, Buffer, Buffer]]

/** What looking takes. */
export interface ShownParts {
  readonly connection: RedisConnection
  readonly base: string
}

/** The sessions of all brokers on this Redis as people see them. Each command is short, and what is listed is found by `SCAN`: while Redis
 * makes its table of keys larger or smaller, it may return a session twice. */
export class ShownSessions implements StoredSessions {
  readonly #calls: StoreCalls
  readonly #parts: ShownParts

  constructor(calls: StoreCalls, parts: ShownParts) {
    this.#calls = calls
    this.#parts = parts
  }

  async list(): Promise<LazyPage<StoredSession>> {
    return this.#page('0')
  }

  async find(clientId: string): Promise<StoredSession | undefined> {
    const [fields, due, subscriptions, queuedMessages] = await Promise.all([
      this.#ask('HMGET', `s:${clientId}`, 'epoch', 'owner', 'interval'),
      this.#ask('ZSCORE', 't', `2${clientId}`),
      this.#ask('HLEN', `u:${clientId}`),
      this.#ask('XLEN', `q:${clientId}`),
    ])
    const [epoch, owner, interval] = (fields as (Buffer | null)[]).map(field => field?.toString() ?? '')
    const sessionExpiryInterval = Number(interval)
    if (epoch === '' || sessionExpiryInterval === 0) return undefined
    const isOpen = owner !== ''
    const never = isOpen || sessionExpiryInterval === SESSION_NEVER_EXPIRES || due === null
    return {
      clientId,
      isOpen,
      sessionExpiryInterval,
      expiresAt: never ? undefined : this.#calls.time.restored(Number((due as Buffer).toString())),
      subscriptions: Number(subscriptions),
      queuedMessages: Number(queuedMessages),
    }
  }

  async subscriptions(clientId: string): Promise<readonly Subscription[]> {
    return decodeSubscriptions((await this.#ask('HGETALL', `u:${clientId}`)) as Buffer[])
  }

  async queue(clientId: string, after: number, limit: number): Promise<readonly QueueEntry[]> {
    const rows = (await this.#ask('XRANGE', `q:${clientId}`, `(${after}-0`, '+', 'COUNT', limit)) as StreamRow[]
    if (rows.length === 0) return []
    const sequences = rows.map(([id]) => id.toString().split('-', 1)[0] ?? '')
    const released = (await this.#ask('HMGET', `r:${clientId}`, ...sequences)) as (Buffer | null)[]
    return rows.map(([, [, record, , delivery]], index) => {
      // Behind the bytes and the expiry.
      const reception = decodeDelivery(Buffer.from(delivery.toString('latin1').split(';')[2] ?? '', 'latin1'))
      const message = decodeMessage(record, this.#calls.time)
      return entryOf(Number(sequences[index]), reception, released[index] !== null, message)
    })
  }

  async clearQueue(clientId: string): Promise<number> {
    let [dropped, isAll, after] = [0, 0, 0]
    while (isAll !== 1) {
      const answer = (await this.#calls.call('clear', clientId, after)) as [number, number, number]
      dropped += answer[0]
      ;[, isAll, after] = answer
    }
    return dropped
  }

  async #page(cursor: string): Promise<LazyPage<StoredSession>> {
    const [next, keys] = (await this.#calls.call('list', cursor)) as [Buffer, Buffer[]]
    const prefix = `${this.#parts.base}s:`
    const names = keys.map(key => key.toString().slice(prefix.length))
    const found = await Promise.all(names.map(async name => this.find(name)))
    const after = next.toString()
    const sessions = found.filter(session => session !== undefined)
    return Object.assign(sessions, after === '0' ? {} : { more: async () => this.#page(after) })
  }

  async #ask(command: string, key: string, ...parameters: (string | number)[]): Promise<unknown> {
    const { connection, base } = this.#parts
    return connection.command(base, command, `${base}${key}`, ...parameters)
  }
}

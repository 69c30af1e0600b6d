import { SESSION_NEVER_EXPIRES, systemClock } from '@x/contract'
import type { Subscription } from '@x/contract'
import { RedisConnection, RedisError } from '@x/redis-connection'
import type { RedisTarget } from '@x/redis-connection'
import { ExpiryTime } from '../records/expiry-time.ts'
import { decodeDelivery, decodeMessage } from '../records/message-record.ts'
import { baseOf, schema } from '../keys.ts'
import { decodeSubscriptions } from '../records/subscription-record.ts'
import { isExplained, partsOf } from './unexplained-keys.ts'

/** What a store holds. */
export interface StoreSummary {
  readonly schema: string
  /** Names of the lives of brokers, and until when each counts as there (ms since 1970). */
  readonly brokers: readonly { readonly name: string; readonly until: number }[]
  readonly sessions: number
  readonly openSessions: number
  readonly subscriptions: number
  readonly queuedMessages: number
  readonly retainedMessages: number
  /** That brokers publish now. */
  readonly wills: number
  /** Messages that are still being given to their sessions. */
  readonly fanOuts: number
  /** Sentences on what nothing explains. While brokers work, what changes between two looks may be among it. */
  readonly unexplained: readonly string[]
}

/** One session. Times in ms since 1970. */
export interface SessionSummary {
  readonly clientId: string
  /** The broker that has it open. */
  readonly owner: string | undefined
  /** Until when that broker counts as there; undefined: it is gone. */
  readonly ownerUntil: number | undefined
  /** Seconds. */
  readonly sessionExpiryInterval: number
  readonly expiresAt: number | undefined
  readonly hasWill: boolean
  readonly willDueAt: number | undefined
  /** Its client was slower than its messages, and reads its queue. */
  readonly isBehind: boolean
  readonly subscriptions: readonly Subscription[]
  readonly queuedMessages: number
  /** The oldest ones. */
  readonly queue: readonly QueuedSummary[]
}

/** What `inspect` shows of a queued message. */
export interface QueuedSummary {
  readonly sequence: number
  readonly topic: string
  readonly qos: number
  readonly bytes: number
  readonly state: 'waits' | 'in flight' | 'released'
}

/** Entries of a queue that are shown. */
const shown = 100
/** Keys asked for at a time. */
const page = 1000

/** Looks at what brokers keep in Redis, and changes nothing. */
export class StoreInspection {
  readonly #connection: RedisConnection
  readonly #base: string

  private constructor(connection: RedisConnection, base: string) {
    this.#connection = connection
    this.#base = base
  }

  /** @throws RedisError when Redis can't be reached, or has nothing of this schema under the prefix */
  static async open(redis: RedisTarget, prefix = 'x'): Promise<StoreInspection> {
    const connection = new RedisConnection({ redis })
    const inspection = new StoreInspection(connection, baseOf(prefix))
    try {
      await connection.open()
      const found = String(await inspection.#ask('GET', 'schema'))
      if (found === schema) return inspection
      const what = found === 'null' ? 'nothing' : `schema ${found}`
      throw new RedisError('REDIS_SCHEMA_MISMATCH', {
        message: `there is ${what} under ${inspection.#base}, this release reads schema ${schema}`,
      })
    } catch (error) {
      connection.close()
      throw error
    }
  }

  close(): void {
    this.#connection.close()
  }

  async summary(): Promise<StoreSummary> {
    const brokers = await this.#brokers()
    const keys = await this.#keys()
    const named = (kind: string): Set<string> =>
      new Set(keys.map(partsOf).flatMap(([found, name]) => (found === kind && name !== '' ? [name] : [])))
    const there = {
      sessions: named('s'),
      groups: named('m'),
      brokers: new Set(brokers.map(({ name }) => name)),
      fanOuts: new Set(await this.#list('LRANGE', 'fan', 0, -1)),
      ended: new Set((await this.#list('LRANGE', 'ended', 0, -1)).map(text => text.split(' ', 1)[0] as string)),
    }
    const open = await this.#openSessions([...there.sessions], there.brokers)
    const [sessions, subscriptions, queued] = await this.#list('HMGET', 'counts', 'sessions', 'subscriptions', 'queued')
    return {
      schema,
      brokers,
      sessions: Number(sessions),
      openSessions: open.count,
      subscriptions: Number(subscriptions),
      queuedMessages: Number(queued),
      retainedMessages: Number(await this.#ask('ZCARD', 'rx')),
      // Those that are stored have a second field.
      wills: (await this.#list('HKEYS', 'w')).filter(name => !name.startsWith('s')).length,
      fanOuts: there.fanOuts.size,
      unexplained: [
        ...keys.filter(key => !isExplained(key, there)).map(key => `nothing explains the key ${this.#base}${key}`),
        ...open.unexplained,
      ],
    }
  }

  /** Undefined: there is no session of this client. */
  async session(clientId: string): Promise<SessionSummary | undefined> {
    const fields = 'epoch owner interval taken behind will'.split(' ')
    const [epoch, owner = '', interval, taken, behind, will] = await this.#list('HMGET', `s:${clientId}`, ...fields)
    if (epoch === '') return undefined
    const [ownerUntil, willDueAt, expiresAt, subscriptions, queuedMessages, rows, released] = await Promise.all([
      this.#score('leases', owner),
      this.#score('t', `1${clientId}`),
      this.#score('t', `2${clientId}`),
      this.#ask('HGETALL', `u:${clientId}`),
      this.#ask('XLEN', `q:${clientId}`),
      this.#ask('XRANGE', `q:${clientId}`, '-', '+', 'COUNT', shown),
      this.#list('HKEYS', `r:${clientId}`),
    ])
    return {
      clientId,
      owner: owner === '' ? undefined : owner,
      ownerUntil,
      sessionExpiryInterval: Number(interval),
      expiresAt,
      hasWill: will !== '',
      willDueAt,
      isBehind: behind === '1',
      subscriptions: decodeSubscriptions(subscriptions as Buffer[]),
      queuedMessages: Number(queuedMessages),
      queue: (rows as StreamRow[]).map(row => queuedOf(row, Number(taken), new Set(released))),
    }
  }

  /** How many are open, and sentences on those that never end although nobody has them. */
  async #openSessions(clientIds: readonly string[], brokers: ReadonlySet<string>) {
    let count = 0
    const unexplained: string[] = []
    for (let from = 0; from < clientIds.length; from += page) {
      const some = clientIds.slice(from, from + page)
      await Promise.all(
        some.map(async clientId => {
          const [owner = '', interval] = await this.#list('HMGET', `s:${clientId}`, 'owner', 'interval')
          if (owner !== '') {
            count += 1
            if (!brokers.has(owner))
              unexplained.push(`the session of ${JSON.stringify(clientId)} is open at ${owner}, which is gone`)
          } else if (Number(interval) !== SESSION_NEVER_EXPIRES) {
            const ends = await this.#score('t', `2${clientId}`)
            if (ends === undefined)
              unexplained.push(`the session of ${JSON.stringify(clientId)} is closed, and no deadline ends it`)
          }
        }),
      )
    }
    return { count, unexplained }
  }

  async #brokers(): Promise<{ name: string; until: number }[]> {
    const leases = await this.#list('ZRANGE', 'leases', 0, -1, 'WITHSCORES')
    return leases.flatMap((name, index) => (index % 2 === 0 ? [{ name, until: Number(leases[index + 1]) }] : []))
  }

  /** All of the store, without the base. */
  async #keys(): Promise<string[]> {
    const keys = new Set<string>()
    let cursor = '0'
    do {
      const command = ['SCAN', cursor, 'MATCH', `${this.#base}*`, 'COUNT', page] as const
      const [next, found] = (await this.#connection.command(this.#base, ...command)) as [Buffer, Buffer[]]
      for (const key of found) keys.add(key.toString().slice(this.#base.length))
      cursor = next.toString()
    } while (cursor !== '0')
    return [...keys].toSorted()
  }

  async #score(key: string, member: string): Promise<number | undefined> {
    const score = (await this.#ask('ZSCORE', key, member)) as Buffer | null
    return score === null ? undefined : Number(score.toString())
  }

  /** What is not there is an empty text. */
  async #list(command: string, key: string, ...parameters: (string | number)[]): Promise<string[]> {
    const answer = (await this.#ask(command, key, ...parameters)) as (Buffer | null)[]
    return answer.map(one => one?.toString() ?? '')
  }

  #ask(command: string, key: string, ...parameters: (string | number)[]): Promise<unknown> {
    return this.#connection.command(this.#base, command, `${this.#base}${key}`, ...parameters)
  }
}

type StreamRow = readonly [id: Buffer, fields: readonly [Buffer, Buffer, Buffer, Buffer]]

function queuedOf(
  [id, [, record, , delivery]]: StreamRow,
  taken: number,
  released: ReadonlySet<string>,
): QueuedSummary {
  const [sequence = ''] = id.toString().split('-', 1)
  const message = decodeMessage(record, new ExpiryTime(systemClock))
  // Behind the bytes and the expiry.
  const { qos } = decodeDelivery(Buffer.from(delivery.toString('latin1').split(';')[2] ?? '', 'latin1'))
  const state = released.has(sequence) ? 'released' : Number(sequence) > taken ? 'waits' : 'in flight'
  return { sequence: Number(sequence), topic: message.topic, qos, bytes: message.payload.length, state }
}

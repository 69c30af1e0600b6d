import type {
  Delivery,
  Due,
  Message,
  OpenedSession,
  OpenSessionRequest,
  PersistenceCounts,
  PersistenceHost,
  QueueEntry,
  Receipt,
  SessionClosing,
  SessionHandle,
  Subscription,
  Will,
} from '@x/contract'
import { keepMessage, messageBytes, systemClock } from '@x/contract'
import type { RedisArgument, RedisConnection } from '@x/redis-connection'
import { RedisError } from '@x/redis-connection'
import { BrokerLease, leaseDuration } from './broker-lease.ts'
import { decodeNews } from './broker-news.ts'
import { library } from './functions/library.ts'
import { decodeMessage, decodeWill, encodeDelivery, encodeMessage, encodeWill, entryOf } from './message-record.ts'
import { OwnedSession } from './owned-session.ts'
import { retainedRange } from './retained-range.ts'
import { Settlements } from './settlements.ts'
import { fencedError, storeErrorOf } from './store-error.ts'
import { decodeSubscriptions, encodeSubscription } from './subscription-record.ts'

/** Of keys and values; a release that changes them takes the next number and finds nothing of this one's. */
const schema = '1'
/** What `F.missed` answers at most. */
const missedPage = 1000

export interface OpenStoreParts {
  readonly host: PersistenceHost
  readonly connection: RedisConnection
  readonly prefix: string
  readonly maximumSessions: number
  /** Names this broker's life in Redis. */
  readonly instance: string
}

type Entries = readonly (Buffer | number)[]

/** What exists between `open` and `close`: the sessions this broker owns, and its talk with Redis. */
export class OpenStore {
  readonly settlements: Settlements

  readonly #parts: OpenStoreParts
  /** One hash tag for all keys: every change is atomic, also in a cluster. */
  readonly #base: string
  /** By epoch; from before the call that opens one to the call that closes it. */
  readonly #sessions = new Map<string, OwnedSession>()
  readonly #lease: BrokerLease
  #openings = 0
  /** Number of the last news. */
  #heard = 0
  #closed = false

  private constructor(parts: OpenStoreParts) {
    this.#parts = parts
    this.#base = `{${parts.prefix}${schema}.p0}:`
    this.settlements = new Settlements({
      settle: async parameters => (await this.#send('settle', ...parameters)) as number[],
      fenced: fencedError,
    })
    const heard = (): number => this.#heard
    this.#lease = new BrokerLease({
      renew: async hadLease => this.#renew(hadLease),
      get heard() {
        return heard()
      },
      lost: () => this.#fenceAll(),
      missed: () => this.#lookAgain(),
    })
  }

  static async open(parts: OpenStoreParts): Promise<OpenStore> {
    const { connection, instance } = parts
    const store = new OpenStore(parts)
    try {
      await connection.open()
      await connection.load(library)
      const found = String(await connection.call(library, 'schema', store.#base, schema))
      if (found !== schema) {
        throw new RedisError('REDIS_SCHEMA_MISMATCH', {
          message: `the keys under ${store.#base} are of schema ${found}, this release writes schema ${schema}`,
        })
      }
      await connection.subscribe([`${store.#base}c:${instance}`], {
        message: (_, payload) => store.#hear(payload),
        resumed: () => store.#lookAgain(),
      })
      await store.#lease.begin()
      return store
    } catch (error) {
      connection.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#lease.end()
    this.#sessions.clear()
    this.settlements.flush()
    const { connection } = this.#parts
    try {
      while (Number(await this.#send('leave')) > 0);
      await connection.drain()
    } catch {
      // Without Redis there is nothing to leave: the lease ends by itself.
    }
    connection.close()
  }

  async openSession(request: OpenSessionRequest): Promise<OpenedSession> {
    const { clientId, cleanStart, sessionExpiryInterval, will, owner } = request
    const epoch = `${(this.#openings += 1)}-${this.#parts.instance}`
    const session = new OwnedSession(clientId, epoch, owner, this.#ownedHost)
    // Before the answer: news of its entries may come earlier.
    this.#sessions.set(epoch, session)
    let answer: unknown
    try {
      answer = await this.#call(
        'open',
        clientId,
        epoch,
        cleanStart ? 1 : 0,
        sessionExpiryInterval,
        will === undefined ? '' : encodeWill(will),
        will?.delayInterval ?? 0,
        this.#parts.maximumSessions,
      )
    } catch (error) {
      this.#sessions.delete(epoch)
      throw error
    }
    const [present, subscriptions, received, sentThrough, lastSequence, behind, dueWill, previous, groups] = answer as [
      number,
      Buffer[],
      Buffer[],
      number,
      number,
      number,
      Buffer,
      Buffer,
      Buffer[],
    ]
    this.#fence(previous.toString())
    session.opened(lastSequence, behind === 1)
    this.#announce(groups, undefined)
    return {
      handle: { clientId, epoch },
      present: present === 1,
      subscriptions: decodeSubscriptions(subscriptions),
      received: received.map(Number),
      sentThrough,
      lastSequence,
      dueWill: dueWill.length === 0 ? undefined : decodeWill(dueWill),
    }
  }

  async closeSession({ clientId, epoch }: SessionHandle, closing: SessionClosing): Promise<Will | undefined> {
    const { sessionExpiryInterval, will, sentThrough } = closing
    const answering = this.#call(
      'close',
      clientId,
      epoch,
      sessionExpiryInterval,
      will === 'publish' ? 1 : 0,
      sentThrough,
    )
    this.#sessions.delete(epoch)
    const [due, groups] = (await answering) as [Buffer, Buffer[]]
    this.#announce(groups, undefined)
    return due.length === 0 ? undefined : decodeWill(due)
  }

  async subscribe(
    { clientId, epoch }: SessionHandle,
    subscriptions: readonly Subscription[],
  ): Promise<readonly boolean[]> {
    const parameters = subscriptions.flatMap(one => [one.filter, encodeSubscription(one)])
    const answers = (await this.#call('subscribe', clientId, epoch, ...parameters)) as number[]
    return answers.map(answer => answer === 1)
  }

  async unsubscribe({ clientId, epoch }: SessionHandle, filters: readonly string[]): Promise<readonly boolean[]> {
    const answers = (await this.#call('unsubscribe', clientId, epoch, ...filters)) as number[]
    return answers.map(answer => answer === 1)
  }

  async publish(message: Message, receipt?: Receipt): Promise<number> {
    const { topic, qos, retain, payload, publisher, expiresAt } = message
    const answering = this.#call(
      'publish',
      topic,
      qos,
      retain ? (payload.length === 0 ? 'd' : 's') : '',
      publisher === undefined ? '0' : `1${publisher}`,
      expiresAt ?? '',
      messageBytes(message),
      encodeMessage(message),
      ...this.#limits(),
      ...(receipt === undefined ? ['', '', ''] : [receipt.session.clientId, receipt.session.epoch, receipt.packetId]),
    )
    // The publisher's bytes are its own again once this returns.
    const kept = qos > 0 && this.#sessions.size > 0 ? keepMessage(message) : undefined
    const [reached, offers, drops, groups] = (await answering) as [number, (Buffer | number)[], Entries, Buffer[]]
    if (kept !== undefined) this.#offer(offers, kept)
    this.#reportDrops(drops)
    this.#announce(groups, publisher)
    return reached
  }

  async enqueue({ clientId, epoch }: SessionHandle, deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.length === 0) return
    const kept = deliveries.map(({ message }) => keepMessage(message))
    const parameters = deliveries.flatMap(delivery => [
      encodeMessage(delivery.message),
      encodeDelivery(delivery),
      messageBytes(delivery.message),
      delivery.message.expiresAt ?? '',
    ])
    const answer = await this.#call('enqueue', clientId, epoch, ...this.#limits(), ...parameters)
    const [offers, drops] = answer as [(Buffer | number)[], Entries]
    // All or none of them are offered.
    kept.forEach((message, index) => this.#offer(offers.slice(index * 4, index * 4 + 4), message))
    this.#reportDrops(drops)
  }

  async read({ clientId, epoch }: SessionHandle, after: number, limit: number): Promise<readonly QueueEntry[]> {
    const ended = this.#sessions.get(epoch)?.readBegins()
    try {
      const answer = await this.#call('read', clientId, epoch, after, limit)
      const [entries, caughtUp, lastSequence, drops] = answer as [Entries, number, number, Entries]
      ended?.(caughtUp === 1 ? lastSequence : undefined)
      this.#reportDrops(drops)
      return decodeEntries(entries)
    } catch (error) {
      ended?.(undefined)
      throw error
    }
  }

  async claim({ clientId, epoch }: SessionHandle, group: string, limit: number): Promise<readonly QueueEntry[]> {
    const answer = await this.#call('claim', clientId, epoch, group, limit)
    const [found, drops] = answer as [Entries, Entries]
    const entries = decodeEntries(found)
    const session = this.#sessions.get(epoch)
    for (const { sequence } of entries) session?.skip(sequence)
    this.#reportDrops(drops)
    return entries
  }

  async retained(filter: string): Promise<Iterable<Message>> {
    const range = retainedRange(filter)
    const messages: Message[] = []
    let from = range?.from ?? ''
    do {
      const answer = await this.#call('retained', filter, from, range?.through ?? '')
      const [records, next] = answer as [Buffer[], Buffer]
      for (const record of records) messages.push(decodeMessage(record))
      from = next.toString()
    } while (from !== '')
    return messages
  }

  async claimDue(limit: number): Promise<readonly Due[]> {
    const [found, groups] = (await this.#call('due', limit)) as [Buffer[], Buffer[]]
    const due: Due[] = []
    for (let index = 0; index + 1 < found.length; index += 2) {
      const value = found[index + 1] as Buffer
      if (found[index]?.toString() === 'e') due.push({ kind: 'sessionExpired', clientId: value.toString() })
      else if (value.length > 0) due.push({ kind: 'will', will: decodeWill(value) })
    }
    this.#announce(groups, undefined)
    return due
  }

  async counts(): Promise<PersistenceCounts> {
    this.settlements.flush()
    try {
      const answer = await this.#parts.connection.call(library, 'counts', this.#base)
      const [sessions = 0, subscriptions = 0, queuedMessages = 0, retainedMessages = 0] = answer as number[]
      return { sessions, subscriptions, queuedMessages, retainedMessages }
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  readonly #ownedHost = {
    refused: (session: OwnedSession, takenThrough: number): void => void this.#refuse(session, takenThrough),
    missing: (session: OwnedSession): void => void this.#look(session),
  }

  async #refuse({ clientId, epoch }: OwnedSession, takenThrough: number): Promise<void> {
    try {
      const answer = await this.#call('behind', clientId, epoch, takenThrough, ...this.#limits())
      this.#reportDrops((answer as [unknown, Entries])[1])
    } catch {
      // Fenced: there is a new owner. Unavailable: reported by the connection; the owner reads before it is offered more.
    }
  }

  /** All calls of a session come after what it has settled. */
  async #call(name: string, ...parameters: readonly RedisArgument[]): Promise<unknown> {
    this.settlements.flush()
    return this.#send(name, ...parameters)
  }

  async #send(name: string, ...parameters: readonly RedisArgument[]): Promise<unknown> {
    const { connection, host, instance } = this.#parts
    // Redis' own time, so that brokers need not agree on theirs; a clock that is held by hand is the time itself.
    const now = host.clock === systemClock ? '' : host.clock.now()
    try {
      return await connection.call(library, name, this.#base, now, instance, ...parameters)
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  #limits(): readonly [number, number, string] {
    const { maximumQueuedMessages, maximumQueuedBytes, overflow } = this.#parts.host.limits
    return [
      Math.min(maximumQueuedMessages, Number.MAX_SAFE_INTEGER),
      Math.min(maximumQueuedBytes, Number.MAX_SAFE_INTEGER),
      overflow,
    ]
  }

  async #renew(hadLease: boolean): Promise<{ lost: boolean; told: number }> {
    const [lost, left, told, groups] = (await this.#send('lease', leaseDuration, hadLease ? 1 : 0)) as [
      number,
      number,
      number,
      Buffer[],
    ]
    this.#announce(groups, undefined)
    return left > 0 && !this.#closed ? this.#renew(hadLease) : { lost: lost === 1, told }
  }

  #hear(payload: Buffer): void {
    const news = decodeNews(payload)
    if (this.#closed || news === undefined) return
    const expected = this.#heard + 1
    this.#heard = news.number
    if (news.kind === 'delivered') this.#offer(news.offers, decodeMessage(news.record))
    else if (news.kind === 'fenced') this.#fence(news.epoch)
    else for (const group of news.groups) this.#parts.host.groupReady(group, news.publisher)
    if (news.number > expected) this.#lookAgain()
  }

  /** Client, epoch, sequence and delivery of each. */
  #offer(offers: readonly (Buffer | number)[], message: Message): void {
    for (let index = 0; index + 3 < offers.length; index += 4) {
      const session = this.#sessions.get(String(offers[index + 1]))
      session?.offer(entryOf(Number(offers[index + 2]), offers[index + 3] as Buffer, false, message))
    }
  }

  #announce(groups: readonly Buffer[], publisher: string | undefined): void {
    if (this.#closed) return
    for (const group of groups) this.#parts.host.groupReady(group.toString(), publisher)
  }

  #reportDrops(drops: Entries): void {
    for (let index = 0; index + 2 < drops.length; index += 3) {
      const reason = String(drops[index + 1]) === 'expired' ? 'expired' : 'queueFull'
      this.#parts.host.dropped({ queue: String(drops[index]), reason, count: Number(drops[index + 2]) })
    }
  }

  #fence(epoch: string): void {
    const session = this.#sessions.get(epoch)
    if (session === undefined) return
    this.#sessions.delete(epoch)
    session.owner.fenced()
  }

  #fenceAll(): void {
    for (const epoch of this.#sessions.keys()) this.#fence(epoch)
  }

  /** News may have been lost: what they were about is in the queues. */
  #lookAgain(): void {
    for (const session of this.#sessions.values()) void this.#look(session)
  }

  async #look(session: OwnedSession): Promise<void> {
    const { clientId, epoch } = session
    try {
      for (;;) {
        this.settlements.flush()
        const { connection } = this.#parts
        const answer = await connection.call(library, 'missed', this.#base, clientId, epoch, session.next)
        const [found, lastSequence] = answer as [Entries, number]
        const entries = decodeEntries(found)
        session.offerFound(entries)
        if (session.isBehind) return
        if (entries.length === missedPage) continue
        session.caughtUp(lastSequence)
        return
      }
    } catch (error) {
      if (storeErrorOf(error).code === 'FENCED') this.#fence(epoch)
    }
  }
}

/** Sequence, delivery, released and record of each. */
function decodeEntries(fields: Entries): QueueEntry[] {
  const entries: QueueEntry[] = []
  for (let index = 0; index + 3 < fields.length; index += 4) {
    const message = decodeMessage(fields[index + 3] as Buffer)
    const delivery = fields[index + 1] as Buffer
    entries.push(entryOf(Number(fields[index]), delivery, Number(fields[index + 2]) === 1, message))
  }
  return entries
}

import type { Message, PersistenceHost, SessionOwner } from '@x/contract'
import { decodeNews, offerSize } from './news.ts'
import type { DeliveredMessage, SpreadNews } from './news.ts'
import { ConfirmedDeliveries } from './confirmed-deliveries.ts'
import { decodeDelivery, decodeEntries, decodeMessage, entryOf } from './records/message-record.ts'
import { OwnedSession } from './owned-session.ts'
import type { StoreCalls } from './calls/store-calls.ts'
import { isUnavailable } from './calls/store-error.ts'

/** What functions return, one after the other. */
export type Fields = readonly (Buffer | number)[]

/** What `F.missed` returns at most. */
const missedPage = 1000
/** Sessions whose queues are looked at in one go. */
const lookedAtTogether = 200

/** The sessions that are open at this broker, and the news that reach them. */
export class OwnedSessions {
  readonly #calls: StoreCalls
  readonly #host: PersistenceHost
  /** From before the call that opens a session to the call that closes it. */
  readonly #byEpoch = new Map<string, OwnedSession>()
  /** The one that was opened last of each client. */
  readonly #byClient = new Map<string, OwnedSession>()
  /** Epochs of sessions whose queue is being looked at. */
  readonly #looking = new Set<string>()
  /** All are being looked at; and are to be looked at from the beginning. */
  #isLooking = false
  #isLookWanted = false
  /** Number of the last news. */
  #heard = 0
  /** Times that news were missed since the last ones came. */
  #misses = 0
  #closed = false
  readonly #deliveries: ConfirmedDeliveries
  readonly #spread: (news: SpreadNews) => void

  /** @param spread is called when fan-outs of this broker are done */
  constructor(calls: StoreCalls, host: PersistenceHost, spread: (news: SpreadNews) => void) {
    this.#calls = calls
    this.#host = host
    this.#spread = spread
    this.#deliveries = new ConfirmedDeliveries(calls, ({ messages }) => this.offerAll(messages))
  }

  get size(): number {
    return this.#byEpoch.size
  }

  get heard(): number {
    return this.#heard
  }

  add(clientId: string, epoch: string, owner: SessionOwner): OwnedSession {
    const session = new OwnedSession(clientId, epoch, owner, this.#sessionHost)
    this.#byEpoch.set(epoch, session)
    this.#byClient.set(clientId, session)
    return session
  }

  get(epoch: string): OwnedSession | undefined {
    return this.#byEpoch.get(epoch)
  }

  /** The session that a client has open here. */
  openOf(clientId: string): OwnedSession | undefined {
    return this.#byClient.get(clientId)
  }

  remove(epoch: string): void {
    const session = this.#byEpoch.get(epoch)
    if (session === undefined) return
    this.#byEpoch.delete(epoch)
    if (this.#byClient.get(session.clientId) === session) this.#byClient.delete(session.clientId)
  }

  /** Tells nobody anything any more. */
  close(): void {
    this.#closed = true
    this.#byEpoch.clear()
    this.#byClient.clear()
  }

  fence(epoch: string): void {
    const session = this.#byEpoch.get(epoch)
    if (session === undefined) return
    this.remove(epoch)
    session.owner.fenced()
  }

  /** @param through the number of the last one that is concerned: epochs begin with the numbers of their openings */
  fenceAll(through: number): void {
    // After a sweep Redis counts from the beginning for this broker.
    this.#heard = 0
    for (const epoch of this.#byEpoch.keys()) if (Number.parseInt(epoch, 10) <= through) this.fence(epoch)
  }

  /** Takes what another broker's call has told this one. */
  hear(payload: Buffer): void {
    const news = decodeNews(payload)
    if (this.#closed || news === undefined) return
    const expected = this.#heard + 1
    this.#heard = news.number
    this.#misses = 0
    if (news.kind === 'delivered') this.#deliveries.add(news)
    else if (news.kind === 'spread') this.#spread(news)
    else if (news.kind === 'fenced') this.fence(news.epoch)
    else for (const group of news.groups) this.#host.groupReady(group, news.publisher)
    if (news.number > expected) this.lookAgain()
  }

  offerAll(messages: readonly DeliveredMessage[]): void {
    for (const { record, offers } of messages) this.offer(offers, decodeMessage(record, this.#calls.time))
  }

  /** Epoch, sequence and delivery of each. */
  offer(offers: Fields, message: Message): void {
    for (let index = 0; index + 2 < offers.length; index += offerSize) {
      const session = this.#byEpoch.get(String(offers[index]))
      const reception = decodeDelivery(offers[index + 2] as Buffer)
      session?.offer(entryOf(Number(offers[index + 1]), reception, false, message))
    }
  }

  announce(groups: readonly (Buffer | string)[], publisher: string | undefined): void {
    if (this.#closed) return
    for (const group of groups) this.#host.groupReady(String(group), publisher)
  }

  reportDrops(drops: Fields): void {
    for (let index = 0; index + 2 < drops.length; index += 3) {
      const reason = String(drops[index + 1]) === 'expired' ? 'expired' : 'queueFull'
      this.#host.dropped({ queue: String(drops[index]), reason, count: Number(drops[index + 2]) })
    }
  }

  /** News up to this number did not come, and won't. When that happens again and nothing comes in between, nothing will: the
   * connection that should bring them is dead, and does not know it. */
  missed(told: number): void {
    this.#heard = told
    this.#misses += 1
    if (this.#misses > 1) this.#calls.listenAnew()
    this.lookAgain()
  }

  /** News may have been lost: what they were about is in the queues of sessions and groups. */
  lookAgain(): void {
    const groups = new Set<string>()
    for (const session of this.#byEpoch.values()) {
      session.tellAgain()
      for (const group of session.groups ?? []) groups.add(group)
    }
    for (const group of groups) this.#host.groupReady(group, undefined)
    this.#isLookWanted = true
    if (!this.#isLooking) void this.#lookAtAll()
  }

  /** Some at a time: Redis is busy with all of a broker with many for longer than calls may take. */
  async #lookAtAll(): Promise<void> {
    this.#isLooking = true
    while (this.#isLookWanted) {
      this.#isLookWanted = false
      const sessions = [...this.#byEpoch.values()]
      for (let from = 0; from < sessions.length; from += lookedAtTogether) {
        await Promise.all(sessions.slice(from, from + lookedAtTogether).map(async session => this.#look(session)))
      }
    }
    this.#isLooking = false
  }

  readonly #sessionHost = {
    refused: (session: OwnedSession, takenThrough: number): void => void this.#refuse(session, takenThrough),
    missing: (session: OwnedSession): void => void this.#look(session),
  }

  async #refuse(session: OwnedSession, takenThrough: number): Promise<void> {
    try {
      const answer = await this.#calls.callFor(session, 'behind', takenThrough, this.#calls.limits())
      this.reportDrops((answer as [unknown, Fields])[1])
    } catch (error) {
      // Fenced: there is a new owner.
      if (isUnavailable(error)) session.untold(takenThrough)
    }
  }

  async #look(session: OwnedSession): Promise<void> {
    const { epoch } = session
    if (this.#byEpoch.get(epoch) !== session) return
    if (session.isBehind || this.#looking.has(epoch)) return
    this.#looking.add(epoch)
    try {
      for (;;) {
        const answer = await this.#calls.callFor(session, 'missed', session.next)
        const [found, lastSequence] = answer as [Fields, number]
        const entries = decodeEntries(found, this.#calls.time)
        session.offerFound(entries)
        if (session.isBehind) return
        if (entries.length < missedPage) {
          session.caughtUp(lastSequence)
          return
        }
      }
    } catch {
      // Fenced: there is a new owner. Unavailable: there is another look.
    } finally {
      this.#looking.delete(epoch)
    }
  }
}

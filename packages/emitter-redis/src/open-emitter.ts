import type { EmitterHost, Message } from '@x/contract'
import { keepMessage } from '@x/contract'
import type { RedisArgument, RedisConnection } from '@x/redis-connection'
import { Confirmations, followDuration, followInterval, Following } from '@x/redis-connection'
import { Announcements } from './announcements.ts'
import type { EmitterCounters } from './emitter-counters.ts'
import { EmitterError, emitterErrorOf } from './emitter-error.ts'
import { library } from './functions/library.ts'
import { HeldMessages } from './held-messages.ts'
import { Inbox } from './inbox.ts'
import type { StreamEntry } from './inbox.ts'
import { OutgoingMessages } from './outgoing-messages.ts'
import { OwnRoutes } from './own-routes.ts'
import { RouteLog } from './route-log.ts'
import type { LogAnswer } from './route-log.ts'
import { RouteTable, routeName } from './route-table.ts'

/** Of keys and values; a release that changes them takes the next number and finds nothing of this one's. */
const schema = '1'
/** Milliseconds after which a broker that did not renew is taken for dead. */
export const leaseDuration = 10_000

export interface OpenEmitterParts {
  readonly host: EmitterHost
  readonly connection: RedisConnection
  readonly counters: EmitterCounters
  readonly prefix: string
  /** Names this broker's life in Redis: its id, `~`, something unique. */
  readonly instance: string
  readonly routeTimeout: number
  readonly sendTimeout: number
  readonly maximumInboxBytes: number
  readonly maximumOutgoingBytes: number
  readonly maximumIncomingBytes: number
  report(error: EmitterError): void
}

/** What exists between `open` and `close`: the routes of all brokers, the links to them, and this broker's inbox. */
export class OpenEmitter {
  readonly #parts: OpenEmitterParts
  readonly #routesBase: string
  readonly #inboxBase: string
  readonly #table: RouteTable
  readonly #log: RouteLog
  readonly #own: OwnRoutes
  readonly #confirmations: Confirmations
  readonly #following: Following
  readonly #announcements = new Announcements()
  readonly #inbox: Inbox
  readonly #outgoing: OutgoingMessages
  readonly #held: HeldMessages
  /** To whom, and up to which entry of the log, this turn has something to confirm. */
  readonly #toConfirm = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #joining: Promise<void> | undefined
  /** Redis may not have all own routes. */
  #outdated = false
  #renewedAt = Date.now()
  #lost = false
  #closed = false

  private constructor(parts: OpenEmitterParts) {
    const { host, counters, instance, prefix, maximumIncomingBytes, maximumInboxBytes } = parts
    this.#parts = parts
    this.#routesBase = `{${prefix}${schema}.rt}:`
    this.#inboxBase = this.#baseOf(instance)
    this.#confirmations = new Confirmations(parts.routeTimeout, () => {
      counters.unconfirmedRoutes += 1
    })
    this.#following = new Following(async () => this.#renew())
    this.#table = new RouteTable({
      instance,
      link: other => this.#outgoing.link(other),
      presence: (brokerId, present) => host.presence(brokerId, present),
      left: other => {
        this.#confirmations.left(other)
        this.#inbox.forget(other)
      },
    })
    this.#outgoing = new OutgoingMessages({
      ...parts,
      brokerId: host.brokerId,
      table: this.#table,
      baseOf: other => this.#baseOf(other),
    })
    this.#held = new HeldMessages({
      ...parts,
      know: async () => this.#following.renew(),
      publish: message => this.#outgoing.publish(message),
    })
    this.#log = new RouteLog({
      instance,
      table: this.#table,
      since: async (id, number) => (await this.#call('since', this.#routesBase, id, number)) as LogAnswer,
      confirm: (other, number) => this.#confirm(other, number),
      buried: () => void this.#loseLease(),
    })
    this.#own = new OwnRoutes({
      change: async changes => this.#changeRoutes(changes),
      turnHasChanges: () => parts.connection.atTurnEnd(() => this.#own.flush()),
    })
    this.#inbox = new Inbox({
      deliver: (message, groups) => host.deliver(message, groups),
      counters,
      maximumIncomingBytes,
      tendBytes: maximumInboxBytes / 8,
      read: async (after, limit) => this.#readInbox(after, limit),
      tend: async (seen, done, bytes) => this.#tendInbox(seen, done, bytes),
    })
  }

  static async open(parts: OpenEmitterParts): Promise<OpenEmitter> {
    const emitter = new OpenEmitter(parts)
    const { connection } = parts
    try {
      await connection.open()
      await connection.load(library)
      await emitter.#begin()
      return emitter
    } catch (error) {
      emitter.#end()
      connection.close()
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    const { connection, instance } = this.#parts
    try {
      // What was published goes out first.
      this.#outgoing.flush()
      await connection.drain()
      this.#end()
      await Promise.all([this.#call('leave', this.#routesBase, instance), this.#call('close', this.#inboxBase)])
    } catch {
      // Without Redis there is nothing to leave: leases end by themselves.
    }
    this.#end()
    connection.close()
  }

  /** Undefined: there is nothing to wait for. */
  publish(message: Message): Promise<void> | undefined {
    // Of QoS 1 and 2 no subscriber may be missed, so that what is known of the routes must be reliable.
    if (message.qos === 0 || (this.#held.isEmpty && this.#following.isReliable)) return this.#outgoing.publish(message)
    return this.#held.publish(keepMessage(message))
  }

  addRoute(filter: string, maximumQoS: 0 | 2): Promise<void> | undefined {
    const name = routeName(filter, maximumQoS)
    const adding = this.#own.add(name)
    if (name.startsWith('s')) {
      this.#table.addOwn(filter)
      adding?.catch(() => {
        if (!this.#own.has(name)) this.#table.removeOwn(filter)
      })
    }
    return adding
  }

  removeRoute(filter: string, maximumQoS: 0 | 2): Promise<void> | undefined {
    const name = routeName(filter, maximumQoS)
    const { isLast, told } = this.#own.remove(name)
    if (isLast && name.startsWith('s')) this.#table.removeOwn(filter)
    // What Redis could not be told is told with all own routes, later.
    return told?.catch(ignore)
  }

  reaches(topic: string): boolean {
    const { all, turns } = this.#table.plan(topic)
    return all.length > 0 || turns.length > 0
  }

  takesTurn(group: string): boolean {
    const turn = this.#table.turn(group)
    if (turn === undefined) return true
    turn.advance()
    return turn.current === this.#parts.instance
  }

  async announce(clientId: string): Promise<void> {
    const { connection, instance } = this.#parts
    this.#announcements.announced(clientId)
    const channel = `${this.#routesBase}c`
    try {
      await connection.command(channel, 'PUBLISH', channel, JSON.stringify(['a', instance, clientId]))
    } catch {
      // The connection has reported it; where nobody hears, nobody can be told.
      this.#announcements.heard(clientId)
    }
  }

  async #begin(): Promise<void> {
    const { connection } = this.#parts
    const [routes, inbox] = [`${this.#routesBase}c`, `${this.#inboxBase}c`]
    await connection.subscribe([routes, inbox], {
      message: (channel, payload) => this.#hear(channel === routes, payload),
      resumed: () => {
        this.#announcements.clear()
        this.#following.restart()
        void this.#tick()
      },
    })
    await this.#inbox.tend()
    await this.#join()
    await this.#tick()
    this.#schedule()
  }

  #end(): void {
    this.#closed = true
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#held.close()
    this.#inbox.close()
    this.#table.close()
    this.#confirmations.close()
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#tick().then(() => this.#schedule()), followInterval)
    this.#timer.unref()
  }

  async #tick(): Promise<void> {
    try {
      await this.#following.renew()
    } catch {
      // The connection has reported it.
      if (Date.now() - this.#renewedAt >= leaseDuration) this.#reportLost()
    }
  }

  /** Says that this broker lives and goes by what it hears, and looks for what was not heard. Answers whether all routes are known. */
  async #renew(): Promise<boolean> {
    if (this.#closed) return false
    const [sentAt, appliedBefore] = [Date.now(), this.#log.applied]
    const [answer, inboxLost] = await Promise.all([
      this.#call('renew', this.#routesBase, this.#parts.instance, leaseDuration, followDuration),
      this.#inbox.tend(),
    ])
    if (this.#closed) return false
    const [lost, id, number] = answer as [number, Buffer, number]
    this.#renewedAt = sentAt
    if (inboxLost) this.#reportLost()
    let isKnown = false
    if (lost === 1) await this.#loseLease()
    else if (this.#outdated) await this.#join()
    else isKnown = await this.#log.check(id.toString(), number, appliedBefore)
    this.#lost = false
    return isKnown
  }

  /** The others have forgotten this broker: they are told again. */
  async #loseLease(): Promise<void> {
    if (this.#closed) return
    this.#reportLost()
    await this.#join().catch(ignore)
  }

  #reportLost(): void {
    if (this.#lost || this.#closed) return
    this.#lost = true
    this.#parts.counters.leasesLost += 1
    this.#parts.report(
      new EmitterError('LEASE_LOST', {
        message: `the lease of broker ${this.#parts.host.brokerId} has ended: messages of other brokers were lost`,
      }),
    )
  }

  /** Tells Redis who is here and all own routes; learns those of the others. */
  async #join(): Promise<void> {
    this.#joining ??= this.#joinNow().finally(() => {
      this.#joining = undefined
    })
    await this.#joining
  }

  async #joinNow(): Promise<void> {
    const { instance, host } = this.#parts
    this.#outdated = false
    try {
      const answer = await this.#call(
        'join',
        this.#routesBase,
        instance,
        host.brokerId,
        leaseDuration,
        ...this.#own.names,
      )
      if (this.#closed) return
      await this.#log.joined(answer as LogAnswer)
    } catch (error) {
      this.#outdated = true
      throw emitterErrorOf(error)
    }
  }

  async #changeRoutes(changes: readonly string[]): Promise<void> {
    const { instance } = this.#parts
    const name = changes.some(change => change.startsWith('+')) ? 'route' : 'unroute'
    try {
      const answer = await this.#call(name, this.#routesBase, instance, leaseDuration, ...changes)
      const [number, brokers] = answer as [number, Buffer[]]
      const others = brokers.map(String).filter(other => other !== instance)
      await this.#confirmations.wait(number, others)
    } catch (error) {
      this.#outdated = true
      if (!(error instanceof Error && error.message.includes('LOST '))) throw emitterErrorOf(error)
      this.#reportLost()
      await this.#join()
    }
  }

  #hear(isRoutes: boolean, payload: Buffer): void {
    if (this.#closed) return
    try {
      if (isRoutes) this.#hearNews(JSON.parse(payload.toString()))
      else if (payload[0] === 0x73) this.#inbox.hearNumbered(payload)
      else if (payload[0] === 0x71) this.#inbox.hear(payload)
      else {
        const [instance, number] = JSON.parse(payload.toString('utf8', 1))
        this.#confirmations.confirmed(String(instance), Number(number))
      }
    } catch {
      // Somebody else has said something here.
      this.#parts.counters.invalid += 1
    }
  }

  #hearNews([kind, first, second]: readonly [string, never, never]): void {
    if (kind === 'r') this.#log.hear(first, second)
    else if (kind === 'a') this.#hearAnnouncement(first, second)
  }

  #hearAnnouncement(instance: string, clientId: string): void {
    if (instance === this.#parts.instance) this.#announcements.heard(clientId)
    else if (!this.#announcements.isOurs(clientId)) this.#parts.host.takenOver(clientId)
  }

  #confirm(instance: string, number: number): void {
    if (this.#toConfirm.size === 0) this.#parts.connection.atTurnEnd(() => this.#sendConfirmations())
    this.#toConfirm.set(instance, number)
  }

  #sendConfirmations(): void {
    const { connection, instance } = this.#parts
    for (const [other, number] of this.#toConfirm) {
      const channel = `${this.#baseOf(other)}c`
      const text = `k${JSON.stringify([instance, number])}`
      connection.command(channel, 'PUBLISH', channel, text).catch(ignore)
    }
    this.#toConfirm.clear()
  }

  async #readInbox(after: number, limit: number): Promise<readonly StreamEntry[]> {
    const key = `${this.#inboxBase}in`
    const answer = await this.#parts.connection.command(key, 'XRANGE', key, `${after + 1}-0`, '+', 'COUNT', limit)
    return answer as readonly StreamEntry[]
  }

  async #tendInbox(seen: number, done: number, bytes: number): Promise<{ lost: boolean; last: number }> {
    const answer = await this.#call('tend', this.#inboxBase, leaseDuration, seen, done, bytes)
    const [lost, last] = answer as [number, number]
    // The first time there was none.
    return { lost: lost === 1 && this.#timer !== undefined, last }
  }

  #call(name: string, base: string, ...parameters: RedisArgument[]): Promise<unknown> {
    return this.#parts.connection.call(library, name, base, ...parameters)
  }

  /** Keys of one broker's inbox. */
  #baseOf(instance: string): string {
    return `{${this.#parts.prefix}${schema}.b:${instance}}:`
  }
}

function ignore(): void {}

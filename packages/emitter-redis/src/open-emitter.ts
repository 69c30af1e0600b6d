import type { EmitterHost, Message } from '@x/contract'
import { keepMessage } from '@x/contract'
import { OwnRoutes, routeName, RouteTable } from '@x/emitter-parts'
import type { RedisArgument, RedisConnection } from '@x/redis-connection'
import { followDuration } from '@x/redis-connection'
import { Presence, leaseDuration } from './presence.ts'
import type { InboxLook, Renewal } from './presence.ts'
import { Channels } from './channels.ts'
import type { EmitterCounters } from './emitter-counters.ts'
import { emitterErrorOf, openErrorOf } from './emitter-error.ts'
import type { EmitterError } from './emitter-error.ts'
import { library } from './functions/library.ts'
import { inboxBase, routesBase } from './keys.ts'
import { HeldMessages } from './held-messages.ts'
import { Inbox } from './inbox.ts'
import { InboxCalls } from './inbox-calls.ts'
import type { OutgoingLink } from './outgoing-link.ts'
import { OutgoingMessages } from './outgoing-messages.ts'
import { RedisTime } from './redis-time.ts'
import { RouteCalls, partsOf } from './route-calls.ts'
import { RouteLog } from './route-log.ts'

/** What an open emitter is made of. */
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
  readonly #table: RouteTable<OutgoingLink>
  readonly #log: RouteLog
  readonly #routes: RouteCalls
  readonly #own: OwnRoutes
  readonly #news: Channels
  readonly #lease: Presence
  readonly #inbox: Inbox
  readonly #outgoing: OutgoingMessages
  readonly #held: HeldMessages
  readonly #time = new RedisTime()
  /** When what all brokers share is to be kept for another while. */
  #keepAt = 0
  #closed = false

  private constructor(parts: OpenEmitterParts) {
    const { host, counters, instance, prefix, maximumIncomingBytes, maximumInboxBytes } = parts
    this.#parts = parts
    this.#routesBase = routesBase(prefix)
    this.#inboxBase = inboxBase(prefix, instance)
    const inbox = new InboxCalls(parts.connection, this.#inboxBase)
    this.#routes = new RouteCalls({
      connection: parts.connection,
      base: this.#routesBase,
      instance,
      brokerId: host.brokerId,
    })
    this.#table = new RouteTable({
      instance,
      link: other => this.#outgoing.link(other),
      presence: (brokerId, present) => host.presence(brokerId, present),
      left: other => {
        this.#news.left(other)
        this.#inbox.forget(other)
      },
    })
    this.#outgoing = new OutgoingMessages({
      ...parts,
      brokerId: host.brokerId,
      table: this.#table,
      baseOf: other => inboxBase(prefix, other),
      isElsewhere: clientId => this.#news.connections.isElsewhere(clientId, instance),
    })
    this.#lease = new Presence({
      ...parts,
      brokerId: host.brokerId,
      join: async () => this.#join(),
      renew: async () => this.#renew(),
      tend: async () => this.#look(),
    })
    this.#held = new HeldMessages({
      ...parts,
      know: async () => this.#lease.renew(),
      publish: message => this.#outgoing.publish(message),
    })
    this.#log = new RouteLog({
      instance,
      table: this.#table,
      since: async position => this.#routes.since(position),
      confirm: (other, number) => this.#news.confirm(other, number),
      buried: () => void this.#lease.lose().catch(ignore),
      found: own => {
        if (!this.#own.equal(own)) this.#lease.outdated()
      },
    })
    this.#own = new OwnRoutes({
      change: async changes => this.#changeRoutes(changes),
      turnHasChanges: () => parts.connection.atTurnEnd(() => this.#own.flush()),
    })
    this.#inbox = new Inbox({
      deliver: (message, groups) => host.deliver(message, groups),
      isElsewhere: (clientId, broker) => this.#news.connections.isElsewhere(clientId, broker),
      counters,
      maximumIncomingBytes,
      tendBytes: maximumInboxBytes / 8,
      read: async (after, limit) => inbox.read(after, limit),
      tend: async (seen, done, bytes) => inbox.tend(seen, done, bytes),
      last: async () => inbox.last(),
    })
    this.#news = new Channels({
      ...parts,
      time: this.#time,
      common: `${this.#routesBase}c`,
      channelOf: other => `${inboxBase(prefix, other)}c`,
      changed: (position, before, entry) => this.#log.hear(position, before, entry),
      takenOver: clientId => host.takenOver(clientId),
      frame: payload => this.#inbox.hearFrame(payload),
      resumed: () => this.#lease.resumed(),
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
      throw openErrorOf(error)
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
    if (message.qos === 0 || (this.#held.isEmpty && this.#lease.isReliable)) return this.#outgoing.publish(message)
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

  routesStand(): Promise<void> | undefined {
    return this.#lease.stands ? undefined : this.#confirmRoutes()
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

  arrived(): Promise<void> {
    return this.#inbox.arrived(this.#parts.routeTimeout)
  }

  async announce(clientId: string): Promise<void> {
    await this.#news.announce(clientId)
  }

  async #begin(): Promise<void> {
    await this.#news.begin()
    await this.#inbox.tend()
    await this.#lease.begin()
  }

  #end(): void {
    this.#closed = true
    this.#lease.end()
    this.#held.close()
    this.#inbox.close()
    this.#table.close()
    this.#news.close()
  }

  async #join(): Promise<void> {
    try {
      const staged = await this.#routes.stage(this.#own.names)
      await this.#news.change(async () => {
        const change = await this.#routes.join(staged, this.#own.changesSince(staged))
        if (!this.#closed) await this.#log.joined()
        return change
      })
    } catch (error) {
      throw emitterErrorOf(error)
    }
  }

  async #confirmRoutes(): Promise<void> {
    try {
      await this.#lease.confirm()
    } catch (error) {
      throw emitterErrorOf(error)
    }
  }

  async #renew(): Promise<Renewal> {
    const appliedBefore = this.#log.applied
    const calledAt = performance.now()
    const isKept = calledAt < this.#keepAt
    if (!isKept) this.#keepAt = calledAt + leaseDuration
    const leased = [leaseDuration, followDuration, isKept ? 0 : 1]
    const [answer, inbox] = await Promise.all([
      this.#call('renew', this.#routesBase, this.#parts.instance, ...leased).then(renewed => {
        this.#time.compared(Number((renewed as readonly Buffer[])[2]), calledAt)
        return renewed
      }),
      this.#look(),
    ])
    const [lost, position] = answer as [number, Buffer, Buffer]
    return {
      lost: lost === 1,
      inbox,
      known: async () => this.#log.check(position.toString(), appliedBefore),
    }
  }

  async #changeRoutes(changes: readonly string[]): Promise<void> {
    await Promise.all(partsOf(changes).map(async part => this.#changeSome(part)))
  }

  async #changeSome(changes: readonly string[]): Promise<void> {
    try {
      await this.#news.change(async () => this.#routes.change(changes))
    } catch (error) {
      this.#lease.outdated()
      if (!(error instanceof Error && error.message.includes('LOST '))) throw emitterErrorOf(error)
      await this.#lease.lose()
      // They went with all the others, and nobody has confirmed them.
      await this.#changeSome(changes)
    }
  }

  async #look(): Promise<InboxLook> {
    const lost = await this.#inbox.glance()
    return { lost, mayMiss: this.#inbox.isBehind }
  }

  #call(name: string, base: string, ...parameters: RedisArgument[]): Promise<unknown> {
    return this.#parts.connection.call(library, name, base, ...parameters)
  }
}

function ignore(): void {}

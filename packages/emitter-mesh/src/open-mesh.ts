import { randomBytes } from 'node:crypto'
import type { EmitterHost, Message } from '@x/contract'
import { keepMessage } from '@x/contract'
import { brokerIdOf, frameHead, OwnRoutes, RoutedMessages, routeName, RouteTable } from '@x/emitter-parts'
import { ClientPlaces, MeshTime } from './client-places.ts'
import { Dialer } from './dialer.ts'
import { Discovery, ownSocketIn } from './discovery.ts'
import { inTime } from './in-time.ts'
import type { MeshAddress } from './mesh-address.ts'
import type { MeshConnection } from './mesh-connection.ts'
import type { MeshCounters } from './mesh-counters.ts'
import { frameType, writeJson } from './mesh-frame.ts'
import { MeshError } from './mesh-error.ts'
import { addressOf, reachedAt } from './mesh-handshake.ts'
import type { Hello, Welcome } from './mesh-handshake.ts'
import type { MeshSettings } from './mesh-options.ts'
import { MeshPeer } from './mesh-peer.ts'
import { MeshServer } from './mesh-server.ts'
import type { OutgoingLink } from './outgoing-link.ts'
import type { Troubles } from './troubles.ts'
import { TurnEnd } from './turn-end.ts'
import { Watch } from './watch.ts'

/** What an open mesh is made of. */
export interface OpenMeshParts {
  readonly host: EmitterHost
  readonly settings: MeshSettings
  readonly counters: MeshCounters
  readonly troubles: Troubles
}

/** ms that peers are told of the end for. */
const farewell = 1000

/** What exists between `open` and `close`: the peers, and what they subscribe to. */
export class OpenMesh {
  readonly #parts: OpenMeshParts
  /** Names this broker's life. */
  readonly #instance: string
  readonly #turn = new TurnEnd()
  readonly #time = new MeshTime()
  readonly #places: ClientPlaces
  readonly #peers = new Map<string, MeshPeer>()
  readonly #table: RouteTable<OutgoingLink>
  readonly #own: OwnRoutes
  readonly #routed: RoutedMessages<OutgoingLink>
  readonly #server: MeshServer
  readonly #discovery: Discovery
  readonly #dialer: Dialer
  readonly #watch: Watch
  #address: MeshAddress | undefined
  #closed = false

  private constructor(parts: OpenMeshParts) {
    const { host, settings, counters, troubles } = parts
    this.#parts = parts
    this.#instance = `${host.brokerId}~${randomBytes(8).toString('hex')}`
    this.#places = new ClientPlaces(settings.lease)
    this.#table = new RouteTable({
      instance: this.#instance,
      link: instance => (this.#peers.get(instance) as MeshPeer).link,
      presence: (brokerId, present) => host.presence(brokerId, present),
      left: () => undefined,
    })
    this.#own = new OwnRoutes({
      change: async changes => this.#change(changes),
      turnHasChanges: () => this.#turn.flushes(this.#own),
    })
    this.#routed = new RoutedMessages({
      table: this.#table,
      brokerId: host.brokerId,
      isElsewhere: clientId => this.#places.isElsewhere(clientId, this.#instance),
    })
    this.#watch = new Watch({
      ...settings,
      peers: () => this.#peers.values(),
      giveUp: (peer, error) => this.#giveUp(peer, error),
    })
    const called = {
      settings,
      counters,
      turn: this.#turn,
      handshake: { instance: this.#instance, secret: settings.secret },
    }
    const report = (place: string, error: MeshError): void => troubles.report(place, error)
    this.#server = new MeshServer({ ...called, report, accept: (...caller) => this.#accept(...caller) })
    this.#dialer = new Dialer({
      ...called,
      report,
      over: place => troubles.over(place),
      greeted: instance => this.#greeted(instance),
      linked: (...linked) => this.#linked(...linked),
      deserted: instance => this.#deserted(instance),
    })
    this.#discovery = new Discovery({
      settings,
      found: addresses => this.#dialer.list(addresses),
      failed: report,
    })
  }

  /** @throws MeshError `LISTEN_FAILED` */
  static async open(parts: OpenMeshParts): Promise<OpenMesh> {
    const mesh = new OpenMesh(parts)
    try {
      await mesh.#begin()
    } catch (error) {
      mesh.#end()
      throw error
    }
    return mesh
  }

  /** Where it listens. */
  get address(): MeshAddress | undefined {
    return this.#address
  }

  /** Ids of the brokers that are there. */
  get brokers(): readonly string[] {
    return this.#table.instances.map(brokerIdOf)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#turn.run()
    const told = Array.from(this.#peers.values(), async ({ link }) =>
      link.isConnected ? link.tell(frameType.leave, Buffer.alloc(0)) : undefined,
    )
    this.#turn.run()
    await inTime(Promise.all(told), farewell)
    this.#end()
  }

  /** Undefined: there is nothing to wait for. */
  publish(message: Message): Promise<void> | undefined {
    // Of QoS 1 and 2 no subscriber may be missed that has its SUBACK.
    const catchingUp = message.qos === 0 ? undefined : this.#watch.catchingUp()
    if (catchingUp === undefined) return this.#routed.publish(message)
    const kept = keepMessage(message)
    return catchingUp.then(() => this.#routed.publish(kept))
  }

  addRoute(filter: string, maximumQoS: 0 | 2): Promise<void> | undefined {
    const name = routeName(filter, maximumQoS)
    if (name.startsWith('s')) this.#table.addOwn(filter)
    return this.#own.add(name)
  }

  removeRoute(filter: string, maximumQoS: 0 | 2): Promise<void> | undefined {
    const name = routeName(filter, maximumQoS)
    const { isLast, told } = this.#own.remove(name)
    if (isLast && name.startsWith('s')) this.#table.removeOwn(filter)
    return told
  }

  reaches(topic: string): boolean {
    const { all, turns } = this.#table.plan(topic)
    return all.length > 0 || turns.length > 0
  }

  takesTurn(group: string): boolean {
    const turn = this.#table.turn(group)
    if (turn === undefined) return true
    turn.advance()
    return turn.current === this.#instance
  }

  announce(clientId: string): void {
    const since = this.#time.next()
    this.#places.set(clientId, { instance: this.#instance, since })
    if (this.#peers.size === 0) return
    const body = writeJson([clientId, since])
    for (const { link } of this.#peers.values()) link.note(frameType.client, body)
  }

  async #begin(): Promise<void> {
    const { settings } = this.#parts
    const { directory, listen, openTimeout } = settings
    const address = directory === undefined ? (listen as MeshAddress) : ownSocketIn(directory)
    this.#address = await this.#server.listen(address)
    this.#watch.begin()
    await this.#discovery.begin()
    const ready = async (): Promise<void> => {
      await this.#dialer.called()
      await Promise.all(Array.from(this.#peers.values(), async peer => peer.ready()))
    }
    await inTime(ready(), openTimeout)
  }

  #end(): void {
    this.#closed = true
    this.#watch.close()
    this.#discovery.close()
    this.#dialer.close()
    this.#server.close()
    for (const peer of this.#peers.values()) {
      peer.link.abandon()
      peer.close()
    }
    this.#table.close()
    this.#peers.clear()
  }

  async #change(changes: readonly string[]): Promise<void> {
    const { counters, settings } = this.#parts
    const applied = Array.from(this.#peers.values(), async peer => peer.change(changes))
    if (applied.length === 0 || settings.routeTimeout === 0) return
    if (!(await inTime(Promise.all(applied), settings.routeTimeout))) counters.unconfirmedRoutes += changes.length
  }

  /** What a broker is told that was called; undefined: it is this one, or there is a connection already. */
  #greeted(instance: string): Pick<Hello, 'stream' | 'path' | 'host' | 'port'> | undefined {
    if (instance === this.#instance || this.#closed || this.#peers.get(instance)?.link.isConnected === true)
      return undefined
    const peer = this.#peers.get(instance) ?? this.#create(instance)
    return { stream: peer.stream, ...reachedAt(this.#address, this.#parts.settings.advertise) }
  }

  #linked(instance: string, connection: MeshConnection, welcome: Welcome): void {
    const peer = this.#peers.get(instance)
    if (peer === undefined || peer.link.isConnected || this.#closed) {
      connection.destroy()
      return
    }
    if (peer.connect(connection, welcome)) return
    const { counters, troubles } = this.#parts
    counters.leasesLost += 1
    const message = `broker ${brokerIdOf(instance)} has taken this one for dead: messages that it had are lost`
    troubles.tell(new MeshError('LEASE_LOST', { message }))
  }

  #accept(hello: Hello, connection: MeshConnection, from: string | undefined): Welcome {
    const { instance, stream } = hello
    const { maximumPeers } = this.#parts.settings
    if (this.#closed) throw new MeshError('PEER_UNREACHABLE', { message: 'this broker is closing' })
    const before = [...this.#peers.keys()].find(one => one !== instance && brokerIdOf(one) === brokerIdOf(instance))
    if (before !== undefined) this.#deserted(before)
    if (!this.#peers.has(instance) && this.#peers.size >= maximumPeers) {
      throw new MeshError('PEER_LIMIT', { message: `there are maximumPeers of ${maximumPeers} already` })
    }
    const peer = this.#peers.get(instance) ?? this.#create(instance)
    peer.heardAt = performance.now()
    const address = addressOf(hello, from)
    if (!peer.link.isConnected && address !== undefined) this.#dialer.want(address, instance)
    return peer.incoming.connect(connection, stream)
  }

  #create(instance: string): MeshPeer {
    const { host, counters, settings } = this.#parts
    const peer: MeshPeer = new MeshPeer(instance, randomBytes(8).toString('hex'), {
      ...settings,
      counters,
      head: frameHead(this.#instance),
      turn: this.#turn,
      deliver: (message, groups) => host.deliver(message, groups),
      isElsewhere: clientId => this.#places.isElsewhere(clientId, instance),
      routes: () => this.#own.names,
      joined: routes => this.#table.join(instance, brokerIdOf(instance), routes),
      changed: changes => this.#table.change(instance, changes),
      clientConnected: (clientId, since) => {
        this.#time.heard(since)
        if (this.#places.heard(clientId, { instance, since })) host.takenOver(clientId)
      },
      left: () => this.#forget(peer),
      cut: () => this.#dialer.release(instance, 'goesOn'),
    })
    this.#peers.set(instance, peer)
    return peer
  }

  /** Its process has ended. */
  #deserted(instance: string): void {
    const peer = this.#peers.get(instance)
    if (peer?.link.isConnected === false) this.#forget(peer)
  }

  #giveUp(peer: MeshPeer, error: MeshError): void {
    const { counters, troubles } = this.#parts
    if (error.code === 'PEER_STALLED') counters.stalled += 1
    troubles.tell(error)
    peer.link.giveUp(new MeshError('UNAVAILABLE', { message: error.message, cause: error }))
    this.#forget(peer)
  }

  /** It is gone, with its routes; what is unconfirmed is for nobody. */
  #forget(peer: MeshPeer): void {
    if (!this.#peers.delete(peer.instance)) return
    peer.link.close()
    this.#table.leave(peer.instance)
    peer.end()
    if (!this.#closed) this.#dialer.release(peer.instance, 'gone')
  }
}

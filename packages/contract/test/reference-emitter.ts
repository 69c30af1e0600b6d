import type { Emitter, EmitterHost, Message } from '../src/index.ts'
import { keepMessage } from '../src/index.ts'
import { matches } from './naive-filter.ts'

/** Joins the brokers of one process. */
export class Hub {
  readonly members: Set<ReferenceEmitter> = new Set()
  /** How often the turn of a shared group has gone on. */
  readonly #turns = new Map<string, number>()

  groupsOf(topic: string): string[] {
    const groups = new Set([...this.members].flatMap(member => member.groups))
    return [...groups].filter(group => matches(group.split('/').slice(2).join('/'), topic))
  }

  membersOf(group: string): ReferenceEmitter[] {
    return [...this.members].filter(member => member.hasRoute(group))
  }

  nextOf(group: string): ReferenceEmitter | undefined {
    this.#turns.set(group, (this.#turns.get(group) ?? 0) + 1)
    return this.chosenOf(group)
  }

  chosenOf(group: string): ReferenceEmitter | undefined {
    const members = this.membersOf(group)
    return members[(this.#turns.get(group) ?? 0) % members.length]
  }
}

/** A shared filter asks for QoS 0 alone. */
function nameOf(filter: string, maximumQoS: 0 | 2): string {
  return filter.startsWith('$share/') ? filter : `${maximumQoS}${filter}`
}

/** An emitter that keeps every promise in the plainest way. */
export class ReferenceEmitter implements Emitter {
  protected host: EmitterHost | undefined
  readonly hub: Hub
  /** QoS and filter to the number of its `addRoute` calls. */
  protected readonly routes: Map<string, number> = new Map()
  /** By sending broker: what is delivered after all before it. */
  readonly #lines = new Map<string, Promise<void>>()

  constructor(hub: Hub) {
    this.hub = hub
  }

  async open(host: EmitterHost): Promise<void> {
    this.host = host
    for (const other of this.others()) {
      other.host?.presence(host.brokerId, true)
      if (other.host !== undefined) host.presence(other.host.brokerId, true)
    }
    this.hub.members.add(this)
  }

  async close(): Promise<void> {
    if (this.host === undefined) return
    const { brokerId } = this.host
    this.host = undefined
    this.routes.clear()
    this.hub.members.delete(this)
    for (const other of this.others()) other.host?.presence(brokerId, false)
  }

  async addRoute(filter: string, maximumQoS: 0 | 2 = 2): Promise<void> {
    const name = nameOf(filter, maximumQoS)
    this.routes.set(name, (this.routes.get(name) ?? 0) + 1)
  }

  async removeRoute(filter: string, maximumQoS: 0 | 2 = 2): Promise<void> {
    const name = nameOf(filter, maximumQoS)
    const count = (this.routes.get(name) ?? 0) - 1
    if (count > 0) this.routes.set(name, count)
    else this.routes.delete(name)
  }

  reaches(topic: string): boolean {
    const served = this.hub.groupsOf(topic).length > 0
    return served || this.others().some(other => other.wants(topic, 0))
  }

  takesTurn(group: string): boolean {
    return this.hub.nextOf(group) === this
  }

  async publish(message: Message): Promise<void> {
    const kept = keepMessage(message)
    const groups = kept.qos > 0 ? [] : this.hub.groupsOf(kept.topic)
    for (const group of groups) if (!this.hub.membersOf(group).includes(this)) this.hub.nextOf(group)
    for (const other of this.others()) {
      const served = groups.filter(group => this.hub.chosenOf(group) === other)
      if (served.length > 0 || other.wants(kept.topic, kept.qos)) other.receive(kept, this.host?.brokerId ?? '', served)
    }
  }

  async announce(clientId: string): Promise<void> {
    for (const other of this.others()) other.host?.takenOver(clientId)
  }

  hasRoute(name: string): boolean {
    return this.routes.has(name)
  }

  /** Shared filters of this broker. */
  get groups(): string[] {
    return [...this.routes.keys()].filter(name => name.startsWith('$share/'))
  }

  /** Distinct filters. */
  routeCount(): number {
    return this.routes.size
  }

  /** Delivers the very object, later. */
  take(message: Message): void {
    setImmediate(() => {
      if (this.wants(message.topic, message.qos)) void this.host?.deliver(message)
    })
  }

  /** Serves all of these groups. */
  takeAll(message: Message, groups: readonly string[]): void {
    void this.host?.deliver(message, groups)
  }

  protected others(): ReferenceEmitter[] {
    return [...this.hub.members].filter(member => member !== this)
  }

  protected wants(topic: string, qos: number): boolean {
    return [...this.routes.keys()].some(
      name => !name.startsWith('$share/') && Number(name[0]) >= qos && matches(name.slice(1), topic),
    )
  }

  protected receive(message: Message, sender: string, groups: readonly string[]): void {
    const before = this.#lines.get(sender) ?? Promise.resolve()
    this.#lines.set(
      sender,
      before.then(async () => this.host?.deliver(message, groups)),
    )
  }
}

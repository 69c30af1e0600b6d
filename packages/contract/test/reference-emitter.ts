import type { Emitter, EmitterHost, Message } from '../src/index.ts'
import { keepMessage } from '../src/index.ts'
import { matches } from './naive-filter.ts'

/** Joins the brokers of one process. */
export class Hub {
  readonly members: Set<ReferenceEmitter> = new Set()
}

/** An emitter that keeps every promise in the plainest way. */
export class ReferenceEmitter implements Emitter {
  protected host: EmitterHost | undefined
  readonly hub: Hub
  /** Filter to the number of its `addRoute` calls. */
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

  async addRoute(filter: string): Promise<void> {
    this.routes.set(filter, (this.routes.get(filter) ?? 0) + 1)
  }

  async removeRoute(filter: string): Promise<void> {
    const count = (this.routes.get(filter) ?? 0) - 1
    if (count > 0) this.routes.set(filter, count)
    else this.routes.delete(filter)
  }

  async publish(message: Message): Promise<void> {
    const kept = keepMessage(message)
    for (const other of this.others()) if (other.wants(kept.topic)) other.receive(kept, this.host?.brokerId ?? '')
  }

  async announce(clientId: string): Promise<void> {
    for (const other of this.others()) other.host?.takenOver(clientId)
  }

  /** Distinct filters. */
  routeCount(): number {
    return this.routes.size
  }

  /** Delivers the very object, later. */
  take(message: Message): void {
    setImmediate(() => {
      if (this.wants(message.topic)) void this.host?.deliver(message)
    })
  }

  protected others(): ReferenceEmitter[] {
    return [...this.hub.members].filter(member => member !== this)
  }

  protected wants(topic: string): boolean {
    return [...this.routes.keys()].some(filter => matches(filter, topic))
  }

  protected receive(message: Message, sender: string): void {
    const before = this.#lines.get(sender) ?? Promise.resolve()
    this.#lines.set(
      sender,
      before.then(async () => this.host?.deliver(message)),
    )
  }
}

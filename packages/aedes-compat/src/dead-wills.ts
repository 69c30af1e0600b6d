import type { Due } from '@x/contract'
import { messageOf } from './aedes-packet.ts'
import type { Mqemitter, MqListener } from './old-emitter.ts'
import type { OldPersistence } from './old-persistence.ts'
import type { StoreBroker } from './store-broker.ts'

/** Heartbeats that a dead broker has missed. */
const missedHeartbeats = 3
const heartbeats = ['$SYS/+/heartbeat', '$SYS/+/birth'] as const

/** The wills that brokers left behind which are no more: another one that has fallen silent, or this one's earlier life. Deleting
 * a will is the claim to publish it. */
export class DeadWills {
  readonly #broker: StoreBroker
  /** ms of the last sign of life of each other broker. */
  readonly #heard = new Map<string, number>()
  readonly #sharesStore: boolean
  /** Undefined before the first look. */
  #nextLook: number | undefined
  #now = 0
  /** ms between two looks. */
  readonly #lookInterval: number
  /** ms of silence after which another broker is dead. */
  readonly #deathInterval: number
  readonly #hear: MqListener = (packet, done) => {
    this.#heard.set(packet.topic.split('/')[1] ?? packet.brokerId, this.#now)
    done()
  }

  constructor(broker: StoreBroker, mq: Mqemitter | undefined, heartbeatInterval: number) {
    this.#broker = broker
    this.#lookInterval = heartbeatInterval
    this.#deathInterval = missedHeartbeats * heartbeatInterval
    this.#sharesStore = mq !== undefined
    for (const topic of heartbeats) mq?.on(topic, this.#hear)
  }

  /** `isOurs`: whether the will of this client belongs to a session that this process has. */
  async claim(store: OldPersistence, now: number, isOurs: (clientId: string) => boolean): Promise<Due[]> {
    this.#now = now
    // Who is there is known when everybody has had the time to say so. A store of one's own has the wills of an earlier life.
    this.#nextLook ??= this.#sharesStore ? now + this.#deathInterval : now
    if (now < this.#nextLook) return []
    this.#nextLook = now + this.#lookInterval
    const alive: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    for (const [id, heardAt] of this.#heard) if (now - heardAt < this.#deathInterval) alive[id] = heardAt
    const due: Due[] = []
    try {
      for await (const will of store.streamWill(alive)) {
        const { clientId } = will
        if (isOurs(clientId) || (will.brokerId !== this.#broker.id && Object.hasOwn(alive, will.brokerId))) continue
        const claimed = await store.delWill({ id: clientId, brokerId: will.brokerId, broker: this.#broker })
        if (claimed === undefined || claimed === null) continue
        const message = messageOf(claimed)
        due.push({ kind: 'will', will: { clientId, message, messageExpiryInterval: undefined, delayInterval: 0 } })
      }
    } catch (error) {
      if (due.length === 0) throw error
      // The store has forgotten those that were claimed: they are published, and the next look meets the failure.
      this.#nextLook = now
    }
    return due
  }
}

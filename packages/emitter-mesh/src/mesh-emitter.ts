import type { Emitter, EmitterHost, MaybePromise, Message } from '@x/contract'
import { addressText } from './mesh-address.ts'
import { createCounters } from './mesh-counters.ts'
import type { MeshCounters } from './mesh-counters.ts'
import { MeshError } from './mesh-error.ts'
import { settingsOf } from './mesh-options.ts'
import type { MeshEmitterOptions, MeshSettings } from './mesh-options.ts'
import { OpenMesh } from './open-mesh.ts'
import { Troubles } from './troubles.ts'

/** Carries messages between brokers that are connected directly, each to each. What nobody subscribes to elsewhere is not sent at all. */
export class MeshEmitter implements Emitter {
  readonly #settings: MeshSettings
  readonly #troubles: Troubles
  readonly #counters = createCounters()
  #state: 'closed' | 'opening' | OpenMesh = 'closed'

  /** @throws MeshError `OPTION_INVALID` */
  constructor(options: MeshEmitterOptions) {
    this.#settings = settingsOf(options)
    this.#troubles = new Troubles(options.onError)
  }

  get counters(): Readonly<MeshCounters> {
    return this.#counters
  }

  /** Where this broker listens for the others, as in `listen`; undefined: it is not open. */
  get address(): string | undefined {
    const address = this.#state instanceof OpenMesh ? this.#state.address : undefined
    return address && addressText(address)
  }

  /** Ids of the other brokers that are there. */
  get brokers(): readonly string[] {
    return this.#state instanceof OpenMesh ? this.#state.brokers : []
  }

  /** Settles when the peers that are found know this broker, or `openTimeout` is over.
   * @throws MeshError `LISTEN_FAILED`, `ALREADY_OPEN` */
  async open(host: EmitterHost): Promise<void> {
    if (this.#state !== 'closed') throw new MeshError('ALREADY_OPEN', { message: 'the emitter is open already' })
    this.#state = 'opening'
    try {
      const parts = { host, settings: this.#settings, counters: this.#counters, troubles: this.#troubles }
      this.#state = await OpenMesh.open(parts)
    } catch (error) {
      this.#state = 'closed'
      throw error
    }
  }

  async close(): Promise<void> {
    const state = this.#state
    if (!(state instanceof OpenMesh)) return
    this.#state = 'closed'
    await state.close()
  }

  /** Of QoS 0 there is nothing to wait for: it is brought if it can be.
   * @throws MeshError `UNAVAILABLE`, `QUOTA_EXCEEDED`, `NOT_OPEN` */
  publish(message: Message): MaybePromise<void> {
    if (this.#state instanceof OpenMesh) return this.#state.publish(message)
    return message.qos === 0 ? undefined : notOpen()
  }

  addRoute(filter: string, maximumQoS: 0 | 2 = 2): MaybePromise<void> {
    return this.#state instanceof OpenMesh ? this.#state.addRoute(filter, maximumQoS) : notOpen()
  }

  removeRoute(filter: string, maximumQoS: 0 | 2 = 2): MaybePromise<void> {
    return this.#state instanceof OpenMesh ? this.#state.removeRoute(filter, maximumQoS) : undefined
  }

  reaches(topic: string): boolean {
    return this.#state instanceof OpenMesh && this.#state.reaches(topic)
  }

  takesTurn(group: string): boolean {
    return this.#state instanceof OpenMesh ? this.#state.takesTurn(group) : true
  }

  announce(clientId: string): MaybePromise<void> {
    return this.#state instanceof OpenMesh ? this.#state.announce(clientId) : notOpen()
  }
}

async function notOpen(): Promise<never> {
  throw new MeshError('NOT_OPEN', { message: 'the emitter is not open' })
}

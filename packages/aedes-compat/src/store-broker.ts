import { filterMatches } from '@x/topic-trie'
import type { AedesPacket } from './aedes-packet.ts'
import type { Mqemitter, MqListener } from './old-emitter.ts'

type Done = (error?: Error | null) => void

/** What a store of Aedes knows a client by. */
export interface StoreClient {
  readonly id: string
  /** Of the broker the client is, or was, connected to. */
  readonly brokerId: string
  readonly broker: StoreBroker
}

/** What stores of Aedes use of their broker: its id, and messages among themselves (`$SYS/sub/add`, `$SYS/sub/rm`), which go over
 * the emitter when there is one. */
export class StoreBroker {
  id = ''
  readonly mq: Pick<Mqemitter, 'on' | 'removeListener' | 'emit'>

  constructor(mq: Mqemitter | undefined) {
    this.mq = mq ?? new Dispatcher()
  }

  /** A client of this broker, as stores want it. */
  client(id: string): StoreClient {
    return { id, brokerId: this.id, broker: this }
  }

  publish(packet: AedesPacket, done: Done = () => undefined): void {
    this.mq.emit(packet, done)
  }

  subscribe(filter: string, listener: MqListener, done: Done = () => undefined): void {
    this.mq.on(filter, listener, done)
  }

  unsubscribe(filter: string, listener: MqListener, done: Done = () => undefined): void {
    this.mq.removeListener(filter, listener, done)
  }
}

/** Messages of a store to itself. */
class Dispatcher {
  readonly #listeners = new Set<{ readonly filter: string; readonly listener: MqListener }>()

  on(filter: string, listener: MqListener, done: Done = () => undefined): this {
    this.#listeners.add({ filter, listener })
    queueMicrotask(done)
    return this
  }

  removeListener(filter: string, listener: MqListener, done: Done = () => undefined): this {
    for (const entry of this.#listeners) {
      if (entry.filter === filter && entry.listener === listener) this.#listeners.delete(entry)
    }
    queueMicrotask(done)
    return this
  }

  emit(packet: AedesPacket, done: Done = () => undefined): this {
    for (const { filter, listener } of this.#listeners) {
      if (filterMatches(filter, packet.topic)) listener(packet, () => undefined)
    }
    queueMicrotask(done)
    return this
  }
}

import type { SessionHandle } from '@x/contract'
import type { StoreCalls } from './calls/store-calls.ts'

/** An entry of a queue, as it is taken over. */
interface AdoptedEntry {
  readonly sequence: number
  /** Only PUBCOMP is missing. */
  readonly released: boolean
  readonly record: Buffer
  readonly delivery: string
  readonly bytes: number
}

/** `count`: says what `write` would do. */
export type AdoptionMode = 'count' | 'write'

/** What another store has kept, taken over; what is there already stays as it is. */
export class Adoption {
  readonly #calls: StoreCalls

  constructor(calls: StoreCalls) {
    this.#calls = calls
  }

  async hasSession(clientId: string): Promise<boolean> {
    return (await this.#calls.call('adopted', 's', clientId)) === 1
  }

  /** Fills an open session.
   * @param received packet identifiers of QoS 2 messages that are not completed */
  async session(handle: SessionHandle, received: readonly number[], entries: readonly AdoptedEntry[]): Promise<void> {
    const fields = entries.flatMap(({ sequence, released, record, delivery, bytes }) => [
      sequence,
      released ? 1 : 0,
      record,
      delivery,
      bytes,
      '',
    ])
    await this.#calls.callFor(handle, 'adopt', received.length, ...received, ...fields)
  }

  /** Whether nothing was retained there. */
  async retained(topic: string, record: Buffer, mode: AdoptionMode): Promise<boolean> {
    if (mode === 'count') return (await this.#calls.call('adopted', 'r', topic)) === 0
    return (await this.#calls.call('adoptRetained', topic, record, '')) === 1
  }

  /** Whether this one was not taken over before. A broker publishes it within 30 s. */
  async will(name: string, will: Buffer, mode: AdoptionMode): Promise<boolean> {
    if (mode === 'count') return (await this.#calls.call('adopted', 'w', name)) === 0
    return (await this.#calls.call('adoptWill', name, will)) === 1
  }
}

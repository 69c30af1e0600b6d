import type { Message } from '@x/contract'
import type { EmitterCounters } from './emitter-counters.ts'
import { EmitterError, emitterErrorOf } from './emitter-error.ts'

/** Milliseconds until Redis is asked again. */
const retryDelay = 100

/** What the messages that wait for the routes need. */
export interface HeldMessagesHost {
  readonly counters: EmitterCounters
  /** Milliseconds that a QoS 1 message is held for. */
  readonly sendTimeout: number
  /** Bytes of QoS 2 messages that are held for longer. */
  readonly maximumOutgoingBytes: number
  /** Asks Redis; returns whether the routes of all others are known now. */
  know(): Promise<boolean>
  publish(message: Message): Promise<void> | undefined
}

/** Messages of QoS 1 and 2 that wait until the routes of the others are known. Those of QoS 2 wait as long as it takes: stored sessions
 * have them already, and would get them a second time when their publishers sent them again. */
export class HeldMessages {
  readonly #host: HeldMessagesHost
  #count = 0
  #overdueBytes = 0
  #knowing: Promise<void> | undefined
  #closed = false

  constructor(host: HeldMessagesHost) {
    this.#host = host
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** Publishes it when the routes are known.
   * @throws EmitterError `UNAVAILABLE`: they were not in time */
  async publish(message: Message): Promise<void> {
    this.#count += 1
    try {
      await this.#untilKnown(message)
    } catch (error) {
      this.#host.counters.refused += 1
      throw error
    } finally {
      this.#count -= 1
    }
    await this.#host.publish(message)
  }

  close(): void {
    this.#closed = true
  }

  async #untilKnown({ qos, payload }: Message): Promise<void> {
    const { maximumOutgoingBytes } = this.#host
    let overdueBytes = 0
    try {
      for (;;) {
        try {
          await (this.#knowing ??= this.#know().finally(() => {
            this.#knowing = undefined
          }))
          return
        } catch (error) {
          if (qos < 2 || this.#closed) throw error
          if (overdueBytes === 0 && this.#overdueBytes + payload.length > maximumOutgoingBytes) throw error
          this.#overdueBytes += payload.length - overdueBytes
          overdueBytes = payload.length
        }
      }
    } finally {
      this.#overdueBytes -= overdueBytes
    }
  }

  /** @throws EmitterError when they were not known for `sendTimeout` */
  async #know(): Promise<void> {
    const until = performance.now() + this.#host.sendTimeout
    for (;;) {
      let reason = new EmitterError('UNAVAILABLE', { message: 'the routes of the other brokers are not known' })
      try {
        if (await this.#host.know()) return
      } catch (error) {
        reason = emitterErrorOf(error)
      }
      if (performance.now() >= until || this.#closed) throw reason
      await new Promise(resolve => void setTimeout(resolve, retryDelay).unref())
    }
  }
}

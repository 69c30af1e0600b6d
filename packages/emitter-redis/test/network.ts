import type { EmitterHost, MaybePromise, Message } from '@x/contract'
import { RedisEmitter } from '../src/index.ts'
import type { RedisEmitterOptions } from '../src/index.ts'

/** A broker as its emitter sees it. */
export class Broker implements EmitterHost {
  readonly brokerId: string
  readonly emitter: RedisEmitter
  readonly texts: string[] = []
  readonly takenOverClients: string[] = []
  readonly presences: (readonly [brokerId: string, present: boolean])[] = []
  /** Codes of what was reported. */
  readonly errors: string[] = []
  answer: (message: Message) => MaybePromise<void> = () => undefined
  #published = 0

  constructor(brokerId: string, options: RedisEmitterOptions) {
    this.brokerId = brokerId
    this.emitter = new RedisEmitter({ ...options, onError: error => void this.errors.push(error.code) })
  }

  deliver(message: Message): MaybePromise<void> {
    this.texts.push(message.payload.toString())
    return this.answer(message)
  }

  takenOver(clientId: string): void {
    this.takenOverClients.push(clientId)
  }

  presence(brokerId: string, present: boolean): void {
    this.presences.push([brokerId, present])
  }

  /** Publishes to `a` unless another topic is given. */
  publish(text: string | Buffer, qos: 0 | 1 | 2 = 1, topic = 'a'): MaybePromise<void> {
    return this.emitter.publish(this.#message({ text, qos, topic }))
  }

  /** Publishes the will of `publisher` to `a`, at QoS 0. */
  publishWill(text: string): MaybePromise<void> {
    return this.emitter.publish({ ...this.#message({ text, qos: 0, topic: 'a' }), isWill: true })
  }

  #message({ text, qos, topic }: { text: string | Buffer; qos: 0 | 1 | 2; topic: string }): Message {
    this.#published += 1
    return {
      topic,
      payload: Buffer.from(text),
      qos,
      retain: false,
      properties: undefined,
      expiresAt: undefined,
      publisher: 'publisher',
      brokerId: this.brokerId,
      brokerCounter: this.#published,
    }
  }
}

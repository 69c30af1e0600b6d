import type { EmitterHost, MaybePromise, Message } from '@x/contract'
import { MeshEmitter } from '../src/index.ts'
import type { MeshEmitterOptions } from '../src/index.ts'

/** A broker as its emitter sees it. */
export class MeshedBroker implements EmitterHost {
  readonly brokerId: string
  readonly emitter: MeshEmitter
  readonly texts: string[] = []
  readonly takenOverClients: string[] = []
  readonly presences: (readonly [brokerId: string, present: boolean])[] = []
  /** Of what was reported. */
  readonly codes: string[] = []
  readonly sentences: string[] = []
  reported: (code: string) => void = () => undefined
  answer: (message: Message) => MaybePromise<void> = () => undefined
  #published = 0

  constructor(brokerId: string, options: MeshEmitterOptions) {
    this.brokerId = brokerId
    this.emitter = new MeshEmitter({
      ...options,
      onError: ({ code, message }) => {
        this.codes.push(code)
        this.sentences.push(message)
        this.reported(code)
      },
    })
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

  /** To `a`, of the client `publisher`. */
  async publish(text: string | Buffer, qos: 0 | 1 | 2 = 1): Promise<void> {
    await this.emitter.publish(this.#message(text, qos))
  }

  /** The will of the client `publisher` to `a`, at QoS 0. */
  async publishWill(text: string): Promise<void> {
    await this.emitter.publish({ ...this.#message(text, 0), isWill: true })
  }

  #message(text: string | Buffer, qos: 0 | 1 | 2): Message {
    this.#published += 1
    return {
      topic: 'a',
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

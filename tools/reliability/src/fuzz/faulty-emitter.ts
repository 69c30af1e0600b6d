import type { Emitter, EmitterHost, Message } from '@x/contract'
import type { Behaviour } from './behaviour.ts'
import { probeId } from './case.ts'

/** A connection to other brokers that fails, and through which another broker's messages and take-overs come. */
export class FaultyEmitter implements Emitter {
  readonly #behaviour: Behaviour
  #host: EmitterHost | undefined
  #numbers = 0

  constructor(behaviour: Behaviour) {
    this.#behaviour = behaviour
  }

  open(host: EmitterHost): void {
    this.#host = host
  }

  close(): void {
    this.#host = undefined
  }

  addRoute(): void | Promise<void> {
    return this.#act('addRoute')
  }

  removeRoute(): void | Promise<void> {
    return this.#act('removeRoute')
  }

  publish({ publisher }: Message): void | Promise<void> {
    return publisher === probeId ? undefined : this.#act('publish')
  }

  announce(clientId: string): void | Promise<void> {
    return clientId === probeId ? undefined : this.#act('announce')
  }

  takesTurn(): boolean {
    return this.#numbers % 2 === 0
  }

  reaches(): boolean {
    return true
  }

  /** Another broker's message. */
  deliver(topic: string, qos: 0 | 1 | 2): void {
    const message: Message = {
      topic,
      payload: Buffer.from('remote'),
      qos,
      retain: false,
      properties: undefined,
      expiresAt: undefined,
      publisher: 'remote',
      brokerId: 'other',
      brokerCounter: this.#numbers++,
    }
    const answer = this.#host?.deliver(message, this.#numbers % 3 === 0 ? ['$share/s/f/a'] : undefined)
    // The emitter owns what its host rejects.
    if (answer instanceof Promise) answer.catch(() => undefined)
  }

  /** The client has connected to another broker. */
  takeOver(clientId: string): void {
    this.#host?.takenOver(clientId)
  }

  presence(): void {
    this.#host?.presence('other', this.#numbers++ % 2 === 0)
  }

  #act(method: string): void | Promise<void> {
    return this.#behaviour.act(`emitter.${method}`, { ok: () => undefined }) as void | Promise<void>
  }
}

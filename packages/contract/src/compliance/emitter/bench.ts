import type { Emitter, EmitterHost } from '../../emitter.ts'
import type { Message } from '../../message.ts'
import type { MaybePromise } from '../../maybe-promise.ts'
import { settle, soon } from '../soon.ts'

/** Brokers that reach each other, and nobody else. */
export interface EmitterNetwork {
  /** Another emitter on this network, not open yet. */
  emitter(): MaybePromise<Emitter>
  /** Called when all its emitters are closed. */
  close?(): MaybePromise<void>
}

/** What is needed to check an emitter. */
export interface EmitterUnderTest {
  /** A network without brokers. */
  factory(): MaybePromise<EmitterNetwork>
  /** Milliseconds in which a message, a route or the absence of a broker usually becomes known to all: what must come is waited for
   * longer, and what has not come by then counts as what does not come. Default 0: one turn of the event loop. */
  readonly settleMilliseconds?: number | undefined
  /** False: it can't tell who is there, and the suite tests that it never says so. Default true. */
  readonly reportsPresence?: boolean | undefined
  /** False: brokers don't take turns in serving shared groups, and the suite tests that it never says so. Default true. */
  readonly takesTurns?: boolean | undefined
}

/** A broker as its emitter sees it: notes what it is told. */
export class RecordingHost implements EmitterHost {
  readonly brokerId: string
  readonly delivered: Message[] = []
  /** What came with each of them. */
  readonly groups: (readonly string[] | undefined)[] = []
  readonly takenOverClients: string[] = []
  readonly presences: (readonly [brokerId: string, present: boolean])[] = []
  /** What `deliver` returns. */
  answer: (message: Message) => MaybePromise<void> = () => undefined

  constructor(brokerId: string) {
    this.brokerId = brokerId
  }

  deliver(message: Message, groups?: readonly string[]): MaybePromise<void> {
    this.delivered.push(message)
    this.groups.push(groups)
    return this.answer(message)
  }

  takenOver(clientId: string): void {
    this.takenOverClients.push(clientId)
  }

  presence(brokerId: string, present: boolean): void {
    this.presences.push([brokerId, present])
  }

  /** The payloads of what was delivered, as text. */
  get texts(): string[] {
    return this.delivered.map(({ payload }) => payload.toString())
  }
}

/** One broker of a network. */
export interface Broker {
  readonly emitter: Emitter
  readonly host: RecordingHost
}

/** A network with its surroundings, fresh for every test. */
export class EmitterBench {
  readonly #network: EmitterNetwork
  readonly #settleMilliseconds: number
  readonly #emitters: Emitter[] = []
  #published = 0

  constructor(network: EmitterNetwork, settleMilliseconds: number) {
    this.#network = network
    this.#settleMilliseconds = settleMilliseconds
  }

  /** A broker whose emitter is open. */
  async broker(brokerId: string, ...filters: string[]): Promise<Broker> {
    const emitter = await this.#network.emitter()
    this.#emitters.push(emitter)
    const host = new RecordingHost(brokerId)
    await emitter.open(host)
    for (const filter of filters) await emitter.addRoute(filter)
    return { emitter, host }
  }

  async closeAll(): Promise<void> {
    for (const emitter of this.#emitters) await emitter.close()
    await this.#network.close?.()
  }

  /** A message of QoS 1 on `a`. */
  message(fields: Partial<Omit<Message, 'payload'>> & { text?: string } = {}): Message {
    this.#published += 1
    const { text, ...rest } = fields
    return {
      topic: 'a',
      payload: Buffer.from(text ?? `message ${this.#published}`),
      qos: 1,
      retain: false,
      properties: undefined,
      expiresAt: undefined,
      publisher: 'publisher',
      brokerId: 'one',
      brokerCounter: this.#published,
      ...rest,
    }
  }

  /** Waits until the check passes, and that it does when all has settled: what must not come has not come. */
  async soon(check: () => unknown): Promise<void> {
    await soon(check, this.#settleMilliseconds)
  }

  /** Waits until what was promised must have arrived. */
  async settle(): Promise<void> {
    await settle(this.#settleMilliseconds)
  }
}

/** Defines a test that gets a network of its own. */
export type DefineEmitterTest = (title: string, run: (bench: EmitterBench) => Promise<void>) => void

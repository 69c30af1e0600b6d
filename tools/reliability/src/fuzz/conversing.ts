import type { Broker } from '@x/broker'
import type { Conversation, Finding, Step } from './case.ts'
import type { FaultyEmitter } from './faulty-emitter.ts'
import type { Line } from './line.ts'
import { Peer } from './peer.ts'

interface Surroundings {
  readonly broker: Broker
  readonly emitter: FaultyEmitter | undefined
  open(way: 'stream' | 'websocket', take: (chunk: Buffer) => void): Line
  /** Moves the broker's clock. */
  advance(milliseconds: number): void
  /** What a function of the program that receives messages does. */
  act(): unknown
}

interface Talking {
  readonly conversation: Conversation
  readonly peer: Peer
  line: Line | undefined
  /** Index of the next step. */
  next: number
  /** Turns that it waits. */
  resting: number
  /** Chunks of a step that arrive one in each turn. */
  chunks: Buffer[]
}

/** Several conversations side by side: one step of each in every turn. */
export class Conversing {
  readonly #talks: Talking[]
  readonly #around: Surroundings

  constructor(conversations: readonly Conversation[], around: Surroundings) {
    this.#around = around
    this.#talks = conversations.map(conversation => ({
      conversation,
      peer: new Peer(conversation.manner),
      line: undefined,
      next: 0,
      resting: 0,
      chunks: [],
    }))
  }

  /** False: all is said. */
  step(): boolean {
    let more = false
    for (const talk of this.#talks) {
      if (this.#stepOf(talk)) more = true
    }
    return more
  }

  /** Everyone leaves, in one of the ways there are. */
  leave(): void {
    for (const [index, { line }] of this.#talks.entries()) {
      line?.thaw()
      if (index % 3 === 0) line?.end()
      else if (index % 3 === 1) line?.fail()
      line?.destroy()
    }
  }

  get findings(): readonly Finding[] {
    return this.#talks.flatMap(({ peer }) => peer.findings)
  }

  #stepOf(talk: Talking): boolean {
    const { conversation } = talk
    if (talk.resting > 0) talk.resting -= 1
    else if (talk.chunks.length > 0) this.#send(talk, talk.chunks.shift() ?? Buffer.alloc(0))
    else if (talk.next < conversation.steps.length) this.#take(talk, conversation.steps[talk.next++] as Step)
    else return false
    return true
  }

  #take(talk: Talking, step: Step): void {
    switch (step.do) {
      case 'send':
        talk.chunks = chunksOf(Buffer.from(step.hex, 'hex'), step.cuts ?? [])
        this.#send(talk, talk.chunks.shift() ?? Buffer.alloc(0))
        break
      case 'wait':
        talk.resting = step.turns
        break
      case 'advance':
        this.#around.advance(step.milliseconds)
        break
      case 'call':
        this.#call(step)
        break
      default:
        this.#lineOf(talk)?.[step.do]()
    }
  }

  #send(talk: Talking, chunk: Buffer): void {
    if (chunk.length > 0) this.#lineOf(talk)?.send(chunk)
  }

  #lineOf(talk: Talking): Line | undefined {
    const { way } = talk.conversation
    if (way === 'program') return undefined
    if (talk.line === undefined) {
      talk.line = this.#around.open(way, chunk => talk.peer.take(chunk))
      talk.peer.speakOn(talk.line)
    }
    return talk.line
  }

  /** The program calls the broker; what it is refused is the program's to handle. */
  #call({ method, client: clientId, topic, qos }: Extract<Step, { do: 'call' }>): void {
    const { broker } = this.#around
    const client = broker.client(clientId)
    const packet = { topic, payload: 'program', qos }
    const calls: Readonly<Record<typeof method, () => unknown>> = {
      publish: () => broker.publish(packet),
      publishRetained: () => broker.publish({ ...packet, retain: true }),
      subscribe: () => broker.subscribe(topic, this.#deliver),
      unsubscribe: () => broker.unsubscribe(topic, this.#deliver),
      clientPublish: () => client?.publish(packet),
      clientSubscribe: () => client?.subscribe({ topic, qos }),
      clientUnsubscribe: () => client?.unsubscribe(topic),
      clientClose: () => client?.close(),
      counts: () => broker.counts(),
      mqOn: () => broker.mq.on(topic, this.#deliver, () => undefined),
      remotePublish: () => this.#around.emitter?.deliver(topic, qos),
      remoteTakeOver: () => this.#around.emitter?.takeOver(clientId),
      remotePresence: () => this.#around.emitter?.presence(),
      mqEmit: () => broker.mq.emit({ topic, payload: 'mq' }, () => undefined),
    }
    try {
      const answer = calls[method]()
      if (answer instanceof Promise) answer.catch(() => undefined)
    } catch {
      // Refused at once.
    }
  }

  readonly #deliver = (): unknown => this.#around.act()
}

function chunksOf(whole: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let start = 0
  for (const length of cuts) {
    chunks.push(whole.subarray(start, start + length))
    start += length
  }
  chunks.push(whole.subarray(start))
  return chunks
}

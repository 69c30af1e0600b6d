import { randomUUID } from 'node:crypto'
import type { Logger, PluggableBroker } from '@x/contract'
import { filterMatches } from '@x/topic-trie'
import { printable } from './printable.ts'
import { Problem } from './problem.ts'

/** What is traced: all that a client does, or messages of topics. */
export type TraceSubject = { readonly clientId: string } | { readonly filter: string }

/** A trace that runs. */
export interface Trace {
  readonly id: string
  readonly clientId: string | null
  readonly filter: string | null
  /** ms since the epoch. */
  readonly endsAt: number
}

/** Each costs something for every message. */
const maximumTraces = 20

/** What is needed of a client in an event. */
interface TracedClient {
  readonly id: string | null
}

/** Lines of the log that are published: a line about each would be published, too. */
const logTopics = '$SYS/broker/log/'

/** Of an event; each takes what that event brings. */
type Listener = { method(...values: unknown[]): void }['method']

/** Traces of single clients and topics, each for some minutes: a line of the log for each packet that the broker tells of. While none runs,
 * nothing is listened to, and nothing costs anything. */
export class Traces {
  readonly #logger: Logger
  readonly #running = new Map<string, { readonly trace: Trace; readonly end: () => void }>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get all(): readonly Trace[] {
    return Array.from(this.#running.values(), ({ trace }) => trace)
  }

  /** @throws Problem `TOO_MANY_TRACES` */
  begin(broker: PluggableBroker, subject: TraceSubject, minutes: number): Trace {
    if (this.#running.size >= maximumTraces) {
      throw new Problem('TOO_MANY_TRACES', `${this.#running.size} traces run, the limit is ${maximumTraces}: end one`)
    }
    const id = randomUUID()
    const trace = {
      id,
      clientId: 'clientId' in subject ? subject.clientId : null,
      filter: 'filter' in subject ? subject.filter : null,
      endsAt: Date.now() + minutes * 60_000,
    }
    const log = (text: string): void => this.#logger.info({ trace: id }, `trace: ${text}`)
    const listeners = 'clientId' in subject ? ofClient(subject.clientId, log) : ofTopics(subject.filter, log)
    for (const [event, listener] of Object.entries(listeners)) broker.on(event, listener)
    const timer = setTimeout(() => this.end(id), minutes * 60_000)
    timer.unref()
    this.#running.set(id, {
      trace,
      end: () => {
        clearTimeout(timer)
        for (const [event, listener] of Object.entries(listeners)) broker.off(event, listener)
      },
    })
    return trace
  }

  /** False: there is none. */
  end(id: string): boolean {
    const running = this.#running.get(id)
    this.#running.delete(id)
    running?.end()
    return running !== undefined
  }

  close(): void {
    for (const id of this.#running.keys()) this.end(id)
  }
}

function ofClient(clientId: string, log: (text: string) => void): Readonly<Record<string, Listener>> {
  const who = `client ${printable(clientId)}`
  /** The client is the last of what these events bring. */
  const when =
    (textOf: { method(subject: unknown): string }['method']): Listener =>
    (...values) => {
      if ((values.at(-1) as TracedClient | null)?.id === clientId) log(`${who}: ${textOf(values[0])}`)
    }
  return {
    client: when(() => 'CONNECT'),
    clientDisconnect: (client: TracedClient, reason: string) => {
      if (client.id === clientId) log(`${who}: ended (${reason})`)
    },
    clientError: (client: TracedClient, error: Error) => {
      if (client.id === clientId) log(`${who}: ${error.message}`)
    },
    subscribe: when((list: readonly { topic: string; qos: number }[]) => {
      return `SUBSCRIBE ${list.map(({ topic, qos }) => `${printable(topic)} (QoS ${qos})`).join(', ')}`
    }),
    unsubscribe: when((filters: readonly string[]) => `UNSUBSCRIBE ${filters.map(printable).join(', ')}`),
    publish: when((packet: TracedPacket) => `PUBLISH ${sentence(packet)}`),
    ack: when((packet: Partial<TracedPacket> | undefined) => `acknowledged ${printable(packet?.topic ?? 'a message')}`),
    ping: when(() => 'PINGREQ'),
  }
}

interface TracedPacket {
  readonly topic: string
  readonly qos: number
  readonly retain: boolean
  readonly payload: string | Buffer
}

function ofTopics(filter: string, log: (text: string) => void): Readonly<Record<string, Listener>> {
  return {
    publish: (packet: TracedPacket, client: TracedClient | null) => {
      if (packet.topic.startsWith(logTopics) || !filterMatches(filter, packet.topic)) return
      log(`${client === null ? 'the broker' : `client ${printable(client.id ?? '')}`}: PUBLISH ${sentence(packet)}`)
    },
  }
}

function sentence({ topic, qos, retain, payload }: TracedPacket): string {
  return `${printable(topic)} (QoS ${qos}${retain ? ', retain' : ''}, ${Buffer.byteLength(payload)} bytes)`
}

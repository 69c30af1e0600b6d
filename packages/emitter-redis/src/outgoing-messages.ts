import type { Message } from '@x/contract'
import { RoutedMessages } from '@x/emitter-parts'
import type { RouteTable } from '@x/emitter-parts'
import type { RedisConnection } from '@x/redis-connection'
import type { EmitterCounters } from './emitter-counters.ts'
import { EmitterError } from './emitter-error.ts'
import { library } from './functions/library.ts'
import { OutgoingLink } from './outgoing-link.ts'

/** What the sending of messages needs. */
export interface OutgoingMessagesHost {
  readonly connection: RedisConnection
  readonly counters: EmitterCounters
  readonly table: RouteTable<OutgoingLink>
  readonly brokerId: string
  readonly instance: string
  readonly sendTimeout: number
  readonly maximumInboxBytes: number
  readonly maximumOutgoingBytes: number
  /** Whether the client has connected to another broker since it was here. */
  isElsewhere(clientId: string): boolean
  /** What the keys of a broker's inbox begin with. */
  baseOf(instance: string): string
}

/** Before a frame that is only said. */
const said = Buffer.from('q')

/** Messages on their way to other brokers, each by a link of its own. */
export class OutgoingMessages {
  readonly #host: OutgoingMessagesHost
  readonly #routed: RoutedMessages<OutgoingLink>
  /** Numbers the links: each counts from the beginning. */
  #links = 0
  /** What has messages of this turn. */
  readonly #filled = new Set<OutgoingLink>()

  constructor(host: OutgoingMessagesHost) {
    this.#host = host
    this.#routed = new RoutedMessages(host)
  }

  /** Undefined: there is nothing to wait for. */
  publish(message: Message): Promise<void> | undefined {
    return this.#routed.publish(message)
  }

  /** A new link to another broker. */
  link(other: string): OutgoingLink {
    const { connection, counters, instance, maximumInboxBytes, maximumOutgoingBytes, sendTimeout } = this.#host
    const base = this.#host.baseOf(other)
    const sender = `${instance}.${(this.#links += 1)}`
    return new OutgoingLink({
      instance,
      counters,
      maximumOutgoingBytes,
      sendTimeout,
      send: async (number, lowest, frame) =>
        Number(await connection.call(library, 'send', base, sender, number, lowest, maximumInboxBytes, frame)),
      say: async frame => connection.command(base, 'PUBLISH', `${base}c`, Buffer.concat([said, frame])),
      turnHasMessages: link => {
        if (this.#filled.size === 0) connection.atTurnEnd(() => this.flush())
        this.#filled.add(link)
      },
      full: () =>
        new EmitterError('QUOTA_EXCEEDED', {
          message: `the inbox of broker ${other} is full: maximumInboxBytes is ${maximumInboxBytes}`,
        }),
    })
  }

  /** Sends what this turn has until now. */
  flush(): void {
    for (const link of this.#filled) link.flush()
    this.#filled.clear()
  }
}

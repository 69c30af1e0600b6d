import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { Persistence } from '@x/contract'
import { keepMessage } from '@x/contract'
import type { PubrelPacket, Subscription } from '@x/packet'
import { parseTopicFilter, parseTopicName } from '@x/topic-trie'
import type { Host } from '../connect/client-connection.ts'
import { checkPublishRequest, packetOf, publicationOf } from '../message/broker-packet.ts'
import type { BrokerPacket, PublishRequest } from '../message/broker-packet.ts'

/** The methods of Aedes's stores that programs call themselves. */
export interface AedesStoreMethods {
  /** Packets of the retained messages whose topics match, as an object stream. */
  createRetainedStream(pattern: string): Readable
  /** Like `createRetainedStream`, for several filters; each topic comes once. */
  createRetainedStreamCombi(patterns: readonly string[]): Readable
  /** Retains the message, with QoS 0, or removes the topic's with an empty payload. Nobody is sent it.
   * @throws BrokerError `PACKET_INVALID`; TopicError */
  storeRetained(packet: PublishRequest): Promise<void>
  /** The subscriptions of a connected client; an empty list for others. */
  subscriptionsByClient(client: { readonly id: string }): Promise<Subscription[]>
  /** Packets of a lasting session that were sent to a client that is connected here and are not acknowledged, with their
   * `messageId`; a PUBREL for those that wait for PUBCOMP. Nothing for other clients, nor what is yet to be sent. */
  outgoingStream(client: { readonly id: string }): Readable
}

/** Adds Aedes's methods to the store itself, so that `broker.persistence` stays the object that was given. They are not enumerable. */
export function withAedesMethods(engine: Host): Persistence & AedesStoreMethods {
  const { given } = engine.persistence
  const methods: AedesStoreMethods = {
    createRetainedStream: pattern => Readable.from(retainedPackets(engine, [pattern])),
    createRetainedStreamCombi: patterns => Readable.from(retainedPackets(engine, patterns)),
    storeRetained: packet => storeRetained(engine, packet),
    subscriptionsByClient: client => Promise.resolve(subscriptionsOf(engine, client.id)),
    outgoingStream: client => Readable.from(outgoingPackets(engine, client.id)),
  }
  for (const [name, value] of Object.entries(methods)) {
    Reflect.defineProperty(given, name, { value, configurable: true, enumerable: false, writable: true })
  }
  return given as Persistence & AedesStoreMethods
}

async function* retainedPackets(engine: Host, patterns: readonly string[]): AsyncGenerator<BrokerPacket> {
  await engine.broker.ready
  const topics = patterns.length > 1 ? new Set<string>() : undefined
  for (const pattern of patterns) {
    parseTopicFilter(pattern, { maximumLevels: engine.options.maxTopicLevels })
    let ask: ReturnType<typeof firstPage> | undefined = firstPage(engine, pattern)
    while (ask !== undefined) {
      const page = await ask()
      for (const message of page) {
        if (message === undefined) await setImmediate()
        else if (topics?.has(message.topic) !== true) {
          topics?.add(message.topic)
          yield packetOf(keepMessage(message), false, engine.clock.now())
        }
      }
      ask = page.more
    }
  }
}

function firstPage(engine: Host, pattern: string): () => ReturnType<Persistence['retained']> {
  return () => engine.retained(pattern)
}

async function storeRetained(engine: Host, packet: PublishRequest): Promise<void> {
  checkPublishRequest(packet)
  parseTopicName(packet.topic, { maximumLevels: engine.options.maxTopicLevels })
  const origin = {
    publisher: packet.clientId,
    brokerId: engine.brokerId,
    brokerCounter: engine.nextCounter(),
    now: engine.clock.now(),
  }
  // At a higher QoS the store would queue it for sessions.
  const message = keepMessage(publicationOf({ ...packet, qos: 0, retain: true }, origin))
  await engine.broker.ready
  await engine.persistence.publish(message)
}

function subscriptionsOf(engine: Host, clientId: string): Subscription[] {
  return Object.values(engine.broker.client(clientId)?.subscriptions ?? {})
}

/** Only messages that were sent: reading further entries would take them from the client. */
async function* outgoingPackets(engine: Host, clientId: string): AsyncGenerator<BrokerPacket | PubrelPacket> {
  const session = engine.clients.get(clientId)?.session
  for (const messageId of session?.unacknowledged.packetIds() ?? []) {
    const entry = session?.isOpen === true ? await session.unacknowledged.storedEntry(messageId) : undefined
    if (entry?.released === true) yield { cmd: 'pubrel', messageId }
    else if (entry !== undefined) {
      const { message, qos, retain } = entry
      yield { ...packetOf({ ...keepMessage(message), qos, retain }, false, engine.clock.now()), messageId }
    }
  }
}

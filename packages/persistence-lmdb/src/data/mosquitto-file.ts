import { readFileSync } from 'node:fs'
import { PersistenceError, sequenceWith } from '@x/contract'
import type { Subscription } from '@x/contract'
import type { DumpedEntry, DumpedMessage, DumpedSession, DumpRecord } from './dump.ts'
import { readChunks } from './mosquitto-chunk.ts'
import type { MosquittoChunk } from './mosquitto-chunk.ts'

const chunkKind = { configuration: 1, message: 2, clientMessage: 3, retained: 4, subscription: 5, client: 6 } as const

/** Where a client message is on its way: names of Mosquitto's states that matter here. */
const state = { waitForPubcomp: 9, resendPubrel: 6, waitForPubrel: 7, resendPubcomp: 8, queued: 11 } as const
const incoming = 0

const neverExpires = 0xffff_ffff

interface ClientMessage {
  readonly message: bigint
  readonly packetId: number
  readonly qos: DumpedEntry['qos']
  readonly state: number
  readonly retain: boolean
  readonly isIncoming: boolean
  readonly subscriptionIdentifier: number | undefined
}

interface Client {
  readonly clientId: string
  readonly sessionExpiryInterval: number
  readonly expiresAt: number | undefined
  readonly subscriptions: Subscription[]
  readonly messages: ClientMessage[]
}

/** What Mosquitto keeps in its persistence file (`mosquitto.db`, version 6), as a dump: retained messages, sessions, their subscriptions,
 * and what is queued or on its way. User names and ports are left out.
 * @throws PersistenceError `OPTION_INVALID` for another file, another version, or a file that is damaged */
export function readMosquittoFile(path: string): readonly DumpRecord[] {
  return new MosquittoFile(path, readFileSync(path)).records()
}

class MosquittoFile {
  readonly #path: string
  readonly #messages = new Map<bigint, DumpedMessage>()
  readonly #retained: bigint[] = []
  readonly #clients = new Map<string, Client>()
  /** Of clients that come later in the file. */
  readonly #orphans: (() => void)[] = []

  constructor(path: string, bytes: Buffer) {
    this.#path = path
    for (const chunk of readChunks(path, bytes)) this.#take(chunk)
    for (const adopt of this.#orphans) adopt()
  }

  records(): readonly DumpRecord[] {
    const records: DumpRecord[] = this.#retained.map(number => ({ kind: 'retained', message: this.#message(number) }))
    const unfinished: DumpRecord[] = []
    for (const client of this.#clients.values()) {
      const entries = this.#entries(client)
      const incomplete = client.messages.filter(({ isIncoming }) => isIncoming)
      records.push(sessionOf(client, entries, incomplete), ...entries.map(({ entry }) => entry))
      for (const { message, state: at } of incomplete) {
        // Mosquitto publishes a QoS 2 message when its PUBREL comes; here that was done when it came itself.
        if (at !== state.resendPubcomp) unfinished.push({ kind: 'publish', message: this.#message(message) })
      }
    }
    return [...records, ...unfinished]
  }

  #take(chunk: MosquittoChunk): void {
    switch (chunk.kind) {
      case chunkKind.message:
        this.#takeMessage(chunk)
        break
      case chunkKind.retained:
        this.#retained.push(chunk.u64())
        break
      case chunkKind.client:
        this.#takeClient(chunk)
        break
      case chunkKind.clientMessage:
        this.#takeClientMessage(chunk)
        break
      case chunkKind.subscription:
        this.#takeSubscription(chunk)
        break
      // What is not known has no say in what is imported.
      default:
        break
    }
  }

  #takeMessage(chunk: MosquittoChunk): void {
    const number = chunk.u64()
    const expiryTime = Number(chunk.u64())
    const payloadLength = chunk.u32()
    chunk.skip(2)
    const [sourceLength, userLength, topicLength] = [chunk.u16(), chunk.u16(), chunk.u16()]
    chunk.skip(2)
    const qos = chunk.qos()
    const retain = chunk.u8() !== 0
    const publisher = chunk.text(sourceLength)
    chunk.skip(userLength)
    const topic = chunk.text(topicLength)
    const payload = chunk.bytes(payloadLength)
    const properties = chunk.properties()
    this.#messages.set(number, {
      topic,
      payload: payload.toString('base64'),
      qos,
      retain,
      properties: properties.length === 0 ? undefined : properties.toString('base64'),
      expiresAt: expiryTime === 0 ? undefined : expiryTime * 1000,
      publisher: publisher === '' ? undefined : publisher,
    })
  }

  #takeClient(chunk: MosquittoChunk): void {
    const expiryTime = Number(chunk.u64())
    const sessionExpiryInterval = chunk.u32()
    chunk.skip(2)
    const length = chunk.u16()
    // The port of its listener, the length of its user name, and four bytes that fill the record.
    chunk.skip(8)
    const clientId = chunk.text(length)
    const isEndless = sessionExpiryInterval === neverExpires || expiryTime === 0
    const expiresAt = isEndless ? undefined : expiryTime * 1000
    this.#clients.set(clientId, { clientId, sessionExpiryInterval, expiresAt, subscriptions: [], messages: [] })
  }

  #takeClientMessage(chunk: MosquittoChunk): void {
    const message = chunk.u64()
    const packetId = chunk.u16()
    const length = chunk.u16()
    const qos = chunk.qos()
    const at = chunk.u8()
    const retain = chunk.u8() >> 4 !== 0
    const isIncoming = chunk.u8() === incoming
    const clientId = chunk.text(length)
    const subscriptionIdentifier = chunk.subscriptionIdentifier()
    const entry = { message, packetId, qos, state: at, retain, isIncoming, subscriptionIdentifier }
    this.#orphans.push(() => this.#clients.get(clientId)?.messages.push(entry))
  }

  #takeSubscription(chunk: MosquittoChunk): void {
    const identifier = chunk.u32()
    const [idLength, filterLength] = [chunk.u16(), chunk.u16()]
    const qos = chunk.qos()
    const options = chunk.u8()
    chunk.skip(2)
    const clientId = chunk.text(idLength)
    const subscription: Subscription = {
      filter: chunk.text(filterLength),
      qos,
      noLocal: (options & 0x04) !== 0,
      retainAsPublished: (options & 0x08) !== 0,
      retainHandling: ((options >> 4) & 3) as Subscription['retainHandling'],
      subscriptionIdentifier: identifier === 0 ? undefined : identifier,
    }
    this.#orphans.push(() => this.#clients.get(clientId)?.subscriptions.push(subscription))
  }

  /** What is on its way keeps its packet identifier, by the sequence that it gets. */
  #entries({ clientId, messages }: Client): readonly PlacedEntry[] {
    const outgoing = messages.filter(({ isIncoming, qos }) => !isIncoming && qos > 0)
    let sequence = 0
    return [...outgoing.filter(isSent), ...outgoing.filter(one => !isSent(one))].map(one => {
      const wasSent = isSent(one)
      sequence = wasSent ? sequenceWith(one.packetId, sequence) : sequence + 1
      const { subscriptionIdentifier: identifier, qos, retain } = one
      const released = wasSent && (one.state === state.waitForPubcomp || one.state === state.resendPubrel)
      const subscriptionIdentifiers = identifier === undefined ? undefined : [identifier]
      const message = this.#message(one.message)
      const entry = {
        kind: 'entry',
        clientId,
        sequence,
        qos,
        retain,
        subscriptionIdentifiers,
        released,
        message,
      } as const
      return { entry, wasSent }
    })
  }

  #message(number: bigint): DumpedMessage {
    const message = this.#messages.get(number)
    if (message !== undefined) return message
    throw new PersistenceError('OPTION_INVALID', {
      message: `${this.#path} is damaged: message ${number} is missing, but something points to it`,
    })
  }
}

interface PlacedEntry {
  readonly entry: DumpedEntry
  readonly wasSent: boolean
}

function isSent({ state: at, packetId }: ClientMessage): boolean {
  return at !== state.queued && packetId > 0
}

function sessionOf(
  { clientId, sessionExpiryInterval, expiresAt, subscriptions }: Client,
  entries: readonly PlacedEntry[],
  incomplete: readonly ClientMessage[],
): DumpedSession {
  return {
    kind: 'session',
    clientId,
    sessionExpiryInterval,
    expiresAt,
    subscriptions,
    received: incomplete.map(({ packetId }) => packetId),
    sentThrough: entries.findLast(({ wasSent }) => wasSent)?.entry.sequence ?? 0,
    lastSequence: entries.at(-1)?.entry.sequence ?? 0,
  }
}

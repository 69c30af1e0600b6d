import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { decodeMessagePack, PersistenceError, SESSION_NEVER_EXPIRES, sequenceWith } from '@x/contract'
import type { Subscription } from '@x/contract'
import type { DumpedEntry, DumpedMessage, DumpRecord } from './dump.ts'

/** What is read of `classic-level`, which is installed beside Aedes's store. */
interface Level {
  iterator(options: { readonly valueEncoding: 'buffer' }): AsyncIterable<readonly [string, Buffer]>
  close(): Promise<void>
}

interface Client {
  readonly subscriptions: Subscription[]
  readonly queue: StoredPacket[]
  readonly incoming: StoredPacket[]
}

/** A packet as Aedes stores it. */
interface StoredPacket {
  readonly cmd?: string
  readonly topic?: string
  readonly payload?: Buffer | string
  readonly qos?: number
  readonly retain?: boolean
  readonly messageId?: number
  readonly clientId?: string
}

/** What `aedes-persistence-level` keeps in a LevelDB, as a dump. What Aedes would still publish (wills of clients that were connected, QoS
 * 2 messages that wait for their PUBREL) is published to the sessions of the dump.
 * @throws PersistenceError `UNAVAILABLE` when it can't be opened, or `classic-level` is not installed */
export async function readAedesLevel(directory: string): Promise<readonly DumpRecord[]> {
  const level = await openLevel(directory)
  const found = new AedesStore()
  try {
    for await (const [key, value] of level.iterator({ valueEncoding: 'buffer' })) found.take(key, value)
  } finally {
    await level.close()
  }
  return found.records()
}

async function openLevel(directory: string): Promise<Level> {
  // It would be made otherwise.
  if (!existsSync(join(directory, 'CURRENT'))) {
    throw new PersistenceError('UNAVAILABLE', { message: `${directory} is no LevelDB: it has no file CURRENT` })
  }
  try {
    const { ClassicLevel } = await import('classic-level')
    const level = new ClassicLevel<string, Buffer>(directory, { createIfMissing: false })
    await level.open()
    return level
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND'
    const why = isMissing ? 'classic-level is not installed: npm install classic-level' : String(cause)
    throw new PersistenceError('UNAVAILABLE', { message: `${directory} can't be opened as LevelDB: ${why}`, cause })
  }
}

class AedesStore {
  readonly #clients = new Map<string, Client>()
  readonly #retained: DumpRecord[] = []
  readonly #published: DumpRecord[] = []

  take(key: string, value: Buffer): void {
    const [kind = '', client = ''] = key.split(':', 2)
    const clientId = decodeURIComponent(client)
    switch (kind) {
      case 'retained':
        this.#retained.push({ kind: 'retained', message: messageOf(packetOf(value), { retain: true }) })
        break
      case 'subscriptions':
        this.#client(clientId).subscriptions.push(subscriptionOf(packetOf(value)))
        break
      case 'outgoing':
        this.#client(clientId).queue.push(packetOf(value))
        break
      case 'incoming':
        this.#client(clientId).incoming.push(packetOf(value))
        break
      case 'will':
        this.#published.push({ kind: 'publish', message: messageOf(packetOf(value), { publisher: clientId }) })
        break
      // `outgoing-id` says the same as `outgoing`.
      default:
        break
    }
  }

  records(): readonly DumpRecord[] {
    const records = [...this.#retained]
    for (const [clientId, { subscriptions, queue, incoming }] of this.#clients) {
      const entries = entriesOf(clientId, queue)
      records.push({
        kind: 'session',
        clientId,
        sessionExpiryInterval: SESSION_NEVER_EXPIRES,
        subscriptions,
        received: incoming.map(({ messageId = 0 }) => messageId),
        sentThrough: entries.findLast((_, place) => wasSent(queue[place]))?.sequence ?? 0,
        lastSequence: entries.at(-1)?.sequence ?? 0,
      })
      records.push(...entries)
      for (const packet of incoming) {
        this.#published.push({ kind: 'publish', message: messageOf(packet, { publisher: clientId }) })
      }
    }
    return [...records, ...this.#published]
  }

  #client(clientId: string): Client {
    let client = this.#clients.get(clientId)
    if (client === undefined) {
      client = { subscriptions: [], queue: [], incoming: [] }
      this.#clients.set(clientId, client)
    }
    return client
  }
}

/** What was sent keeps its packet identifier, by the sequence that it gets. */
function entriesOf(clientId: string, queue: readonly StoredPacket[]): readonly DumpedEntry[] {
  let sequence = 0
  return queue.map(packet => {
    const { messageId } = packet
    sequence = messageId !== undefined && wasSent(packet) ? sequenceWith(messageId, sequence) : sequence + 1
    const message = messageOf(packet, {})
    const released = packet.cmd === 'pubrel'
    return { kind: 'entry', clientId, sequence, qos: message.qos, retain: message.retain, released, message }
  })
}

function wasSent(packet: StoredPacket | undefined): boolean {
  return (packet?.messageId ?? 0) > 0
}

function packetOf(value: Buffer): StoredPacket {
  const packet = decodeMessagePack(value)
  return typeof packet === 'object' && packet !== null ? packet : {}
}

function messageOf(
  { topic = '', payload = '', qos, retain }: StoredPacket,
  fields: Partial<DumpedMessage>,
): DumpedMessage {
  return {
    topic,
    payload: Buffer.from(payload).toString('base64'),
    qos: qosOf(qos),
    retain: retain === true,
    ...fields,
  }
}

function subscriptionOf({ topic = '', qos }: StoredPacket): Subscription {
  return {
    filter: topic,
    qos: qosOf(qos),
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionIdentifier: undefined,
  }
}

function qosOf(qos: number | undefined): DumpedMessage['qos'] {
  return qos === 1 || qos === 2 ? qos : 0
}

import { randomUUID } from 'node:crypto'
import { messageBytes, SESSION_NEVER_EXPIRES, sequenceWith, Slices, systemClock } from '@x/contract'
import type { Message, PersistenceHost, SessionHandle } from '@x/contract'
import { RedisConnection } from '@x/redis-connection'
import type { RedisTarget } from '@x/redis-connection'
import { AedesStore, qosOf } from './aedes-store.ts'
import type { AedesPacket, AedesSession } from './aedes-store.ts'
import { encodeDelivery, encodeMessage, encodeWill } from '../records/message-record.ts'
import type { AdoptionMode } from '../adoption.ts'
import { OpenStore } from '../open-store.ts'

/** What is taken over from where. */
export interface AedesImportOptions {
  /** Where `aedes-persistence-redis` has its data: one server, no cluster. */
  readonly from: RedisTarget
  /** Where it is taken to. Default: the same Redis. */
  readonly to?: RedisTarget
  /** The `keyPrefix` that Aedes's store was given. Default: none. */
  readonly aedesPrefix?: string
  /** As `prefix` of `RedisPersistence`. Default `x`. */
  readonly prefix?: string
  /** Counts what would be taken over, and writes nothing. */
  readonly dryRun?: boolean
}

/** How many were taken over. */
export interface AedesImport {
  readonly sessions: number
  readonly subscriptions: number
  /** Messages in queues, and of these the ones that only wait for PUBCOMP. */
  readonly queuedMessages: number
  readonly released: number
  /** Packet identifiers of QoS 2 messages that wait for PUBREL. Aedes has published them. */
  readonly received: number
  readonly retainedMessages: number
  /** Wills of clients that were connected: a broker publishes them within 30 s. */
  readonly wills: number
  /** Sessions, retained messages and wills that were there already, and were left as they are. */
  readonly skipped: number
}

type Counts = { -readonly [Name in keyof AedesImport]: number }

/** Entries that one call brings. */
const largestCall = 100

/** Takes over what `aedes-persistence-redis` 11 and 12 have stored: sessions with subscriptions, queues and packet identifiers, retained
 * messages, and wills. Aedes has to be stopped; brokers of this store may run.
 *
 * Nothing is changed where it comes from. A session is taken over as a whole or not at all, and may be taken over by a further call.
 * @throws RedisError, PersistenceError */
export async function importAedes(options: AedesImportOptions): Promise<AedesImport> {
  const { from, to = from, prefix = 'x', aedesPrefix = '', dryRun = false } = options
  const source = new RedisConnection({ redis: from })
  try {
    await source.open()
    const aedes = await AedesStore.open(source, aedesPrefix)
    const instance = `import-aedes~${randomUUID()}`
    const connection = new RedisConnection({ redis: to })
    const parts = { host: host(), connection, prefix, instance, maximumSessions: Number.MAX_SAFE_INTEGER }
    const store = await OpenStore.open(parts)
    try {
      return await new Import(aedes, store, dryRun ? 'count' : 'write').run()
    } finally {
      await store.close()
    }
  } finally {
    source.close()
  }
}

class Import {
  readonly #aedes: AedesStore
  readonly #store: OpenStore
  readonly #mode: AdoptionMode
  readonly #counts: Counts = {
    sessions: 0,
    subscriptions: 0,
    queuedMessages: 0,
    released: 0,
    received: 0,
    retainedMessages: 0,
    wills: 0,
    skipped: 0,
  }
  #messages = 0

  constructor(aedes: AedesStore, store: OpenStore, mode: AdoptionMode) {
    this.#aedes = aedes
    this.#store = store
    this.#mode = mode
  }

  async run(): Promise<AedesImport> {
    for await (const packet of this.#aedes.retained()) await this.#retained(packet)
    for (const clientId of await this.#aedes.clientIds()) await this.#session(await this.#aedes.session(clientId))
    await this.#wills()
    return this.#counts
  }

  async #retained(packet: AedesPacket): Promise<void> {
    if (packet.topic === undefined) return
    const message = { ...this.#messageOf(packet, undefined), retain: true }
    const isNew = await this.#store.adoption.retained(message.topic, encodeMessage(message), this.#mode)
    this.#count(isNew, 'retainedMessages')
  }

  async #session(session: AedesSession): Promise<void> {
    const { clientId, subscriptions } = session
    if (await this.#store.adoption.hasSession(clientId)) {
      this.#counts.skipped += 1
      return
    }
    const entries = this.#entriesOf(session)
    this.#counts.sessions += 1
    this.#counts.subscriptions += subscriptions.length
    this.#counts.queuedMessages += entries.length
    this.#counts.released += entries.filter(({ released }) => released).length
    this.#counts.received += session.incoming.length
    if (this.#mode === 'count') return
    // With an interval of 0 it ends if this process does before the last step.
    const request = { clientId, cleanStart: false, sessionExpiryInterval: 0, will: undefined, owner: nobody }
    const { handle } = await this.#store.openSession(request)
    await this.#fill(handle, session, entries)
    const sentThrough = entries.findLast(({ wasSent }) => wasSent)?.sequence ?? 0
    const closing = { sessionExpiryInterval: SESSION_NEVER_EXPIRES, will: 'discard', sentThrough } as const
    await this.#store.closeSession(handle, closing)
  }

  async #fill(handle: SessionHandle, session: AedesSession, entries: readonly Entry[]): Promise<void> {
    const received = session.incoming.map(({ messageId = 0 }) => messageId)
    await this.#store.adoption.session(handle, received, [])
    for (let from = 0; from < entries.length; from += largestCall) {
      const fields = entries.slice(from, from + largestCall).map(({ sequence, released, message }) => ({
        sequence,
        released,
        record: encodeMessage(message),
        delivery: encodeDelivery({ qos: message.qos, retain: message.retain, subscriptionIdentifiers: undefined }),
        bytes: messageBytes(message),
      }))
      await this.#store.adoption.session(handle, [], fields)
    }
    for (let from = 0; from < session.subscriptions.length; from += largestCall)
      await this.#store.subscribe(handle, session.subscriptions.slice(from, from + largestCall))
  }

  async #wills(): Promise<void> {
    for (const { key, packet } of await this.#aedes.wills()) {
      const clientId = packet.clientId ?? ''
      const will = {
        clientId,
        message: this.#messageOf(packet, clientId),
        messageExpiryInterval: undefined,
        delayInterval: 0,
      }
      this.#count(await this.#store.adoption.will(`aedes ${key}`, encodeWill(will), this.#mode), 'wills')
    }
  }

  #count(isNew: boolean, what: keyof Counts): void {
    this.#counts[isNew ? what : 'skipped'] += 1
  }

  /** What was sent keeps its packet identifier, by the sequence that it gets. */
  #entriesOf({ queue }: AedesSession): Entry[] {
    let sequence = 0
    return queue.map(packet => {
      const { messageId = 0, cmd } = packet
      const wasSent = messageId > 0
      sequence = wasSent ? sequenceWith(messageId, sequence) : sequence + 1
      return { sequence, wasSent, released: cmd === 'pubrel', message: this.#messageOf(packet, undefined) }
    })
  }

  #messageOf({ topic = '', payload = '', qos, retain }: AedesPacket, publisher: string | undefined): Message {
    return {
      topic,
      payload: Buffer.from(payload),
      qos: qosOf(qos),
      retain: retain === true,
      properties: undefined,
      expiresAt: undefined,
      publisher,
      brokerId: 'import-aedes',
      brokerCounter: (this.#messages += 1),
    }
  }
}

interface Entry {
  readonly sequence: number
  /** Its client may know it by its packet identifier. */
  readonly wasSent: boolean
  readonly released: boolean
  readonly message: Message
}

/** Has no client, and so takes nothing. */
const nobody = { deliver: () => false, fenced: () => undefined }

function host(): PersistenceHost {
  return {
    brokerId: 'import-aedes',
    clock: systemClock,
    slices: new Slices(),
    limits: { maximumQueuedMessages: Infinity, maximumQueuedBytes: Infinity, overflow: 'dropOldest' },
    groupReady: () => undefined,
    dropped: () => undefined,
  }
}

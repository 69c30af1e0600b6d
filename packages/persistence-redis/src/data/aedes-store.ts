import { decodeMessagePack } from '@x/contract'
import type { Subscription } from '@x/contract'
import type { RedisArgument, RedisConnection } from '@x/redis-connection'

/** A packet as Aedes stores it. */
export interface AedesPacket {
  readonly cmd?: string
  readonly topic?: string
  readonly payload?: Buffer | string
  readonly qos?: number
  readonly retain?: boolean
  readonly messageId?: number
  readonly clientId?: string
}

/** A session as Aedes stores it. */
export interface AedesSession {
  readonly clientId: string
  readonly subscriptions: readonly Subscription[]
  /** In the order of delivery: messages, and PUBRELs of those that were received. */
  readonly queue: readonly AedesPacket[]
  /** QoS 2 messages that were received from the client, and published, and wait for their PUBREL. */
  readonly incoming: readonly AedesPacket[]
}

/** A will of a client that was connected. */
interface AedesWill {
  readonly key: string
  readonly packet: AedesPacket
}

/** Keys, and entries of lists, asked for at a time. */
const page = 500

/** What `aedes-persistence-redis` 11 and 12 keep in one Redis. It is read, and not changed. */
export class AedesStore {
  readonly #connection: RedisConnection
  readonly #prefix: string

  /** Retained messages of those that were given a cluster. */
  readonly #retainedKeys: string[] = []
  /** Packets received, as 11 keeps them, by client. */
  readonly #incomingKeys = new Map<string, string[]>()

  private constructor(connection: RedisConnection, prefix: string) {
    this.#connection = connection
    this.#prefix = prefix
  }

  /** @param prefix the `keyPrefix` that Aedes's store was given */
  static async open(connection: RedisConnection, prefix: string): Promise<AedesStore> {
    const store = new AedesStore(connection, prefix)
    await store.#look()
    return store
  }

  async clientIds(): Promise<string[]> {
    const found = new Set<string>()
    let cursor = '0'
    do {
      const [next, some] = (await this.#ask('SSCAN', 'clients', cursor, 'COUNT', page)) as [Buffer, Buffer[]]
      for (const one of some) found.add(one.toString())
      cursor = next.toString()
    } while (cursor !== '0')
    return [...found]
  }

  async session(clientId: string): Promise<AedesSession> {
    const name = encodeURIComponent(clientId)
    const subscriptions = (await this.#ask('HGETALL', `client:${name}`)) as Buffer[]
    return {
      clientId,
      subscriptions: subscriptionsOf(subscriptions),
      queue: await this.#queue(`outgoing:${name}`),
      incoming: await this.#incoming(name),
    }
  }

  /** Retained messages, some at a time. */
  async *retained(): AsyncGenerator<AedesPacket> {
    let cursor = '0'
    do {
      const [next, fields] = (await this.#ask('HSCAN', 'retained', cursor, 'COUNT', page)) as [Buffer, Buffer[]]
      for (let index = 1; index < fields.length; index += 2) yield packetOf(fields[index])
      cursor = next.toString()
    } while (cursor !== '0')
    for (const key of this.#retainedKeys) yield packetOf((await this.#ask('GET', key)) as Buffer | null)
  }

  async wills(): Promise<AedesWill[]> {
    const keys = (await this.#ask('LRANGE', 'will', 0, -1)) as Buffer[]
    const wills = await Promise.all(
      [...new Set(keys.map(String))].map(async key => ({
        key,
        packet: packetOf((await this.#ask('GET', key)) as Buffer | null),
      })),
    )
    return wills.filter(({ packet }) => packet.topic !== undefined)
  }

  async #queue(key: string): Promise<AedesPacket[]> {
    const packets: AedesPacket[] = []
    for (let from = 0; ; from += page) {
      const keys = (await this.#ask('LRANGE', key, from, from + page - 1)) as Buffer[]
      const found = await Promise.all(keys.map(async one => this.#ask('GET', one.toString())))
      // One whose message is gone is no entry: Aedes passes it by.
      for (const value of found) if (value !== null) packets.push(packetOf(value as Buffer))
      if (keys.length < page) return packets
    }
  }

  /** A hash of each client in 12, and a key of each packet in 11. */
  async #incoming(name: string): Promise<AedesPacket[]> {
    const keys = this.#incomingKeys.get(name) ?? []
    const single = await Promise.all(keys.map(async key => this.#ask('GET', key) as Promise<Buffer | null>))
    const values = [...((await this.#ask('HVALS', `incoming:${name}`)) as Buffer[]), ...single]
    return values.map(packetOf).filter(({ messageId }) => messageId !== undefined)
  }

  /** Finds the keys that have no list of their own. */
  async #look(): Promise<void> {
    let cursor = '0'
    do {
      const answer = await this.#connection.command(this.#prefix, 'SCAN', cursor, 'COUNT', page)
      const [next, keys] = answer as [Buffer, Buffer[]]
      for (const key of keys.map(String)) if (key.startsWith(this.#prefix)) this.#sort(key.slice(this.#prefix.length))
      cursor = next.toString()
    } while (cursor !== '0')
  }

  #sort(key: string): void {
    const [kind, name = '', ...rest] = key.split(':')
    if (kind === 'retained' && name !== '') this.#retainedKeys.push(key)
    else if (kind === 'incoming' && rest.length === 1)
      this.#incomingKeys.set(name, [...(this.#incomingKeys.get(name) ?? []), key])
  }

  #ask(command: string, key: string, ...parameters: RedisArgument[]): Promise<unknown> {
    const full = `${this.#prefix}${key}`
    return this.#connection.command(full, command, full, ...parameters)
  }
}

function packetOf(value: Buffer | null | undefined): AedesPacket {
  const packet = value === null || value === undefined ? undefined : decodeMessagePack(value)
  return typeof packet === 'object' && packet !== null ? packet : {}
}

function subscriptionsOf(fields: readonly Buffer[]): Subscription[] {
  const subscriptions: Subscription[] = []
  for (let index = 0; index + 1 < fields.length; index += 2)
    subscriptions.push(subscriptionOf(String(fields[index]), fields[index + 1] as Buffer))
  return subscriptions
}

/** One digit, as releases before 9 have stored the QoS, or a map. */
function subscriptionOf(filter: string, value: Buffer): Subscription {
  const found = value.length === 1 ? { qos: Number(value.toString()) } : decodeMessagePack(value)
  const { qos, nl, rap, rh } = (found ?? {}) as { qos?: unknown; nl?: unknown; rap?: unknown; rh?: unknown }
  return {
    filter,
    qos: qosOf(qos),
    noLocal: nl === true,
    retainAsPublished: rap === true,
    retainHandling: qosOf(rh),
    subscriptionIdentifier: undefined,
  }
}

/** 0, 1 or 2. */
export function qosOf(qos: unknown): Subscription['qos'] {
  return qos === 1 || qos === 2 ? qos : 0
}

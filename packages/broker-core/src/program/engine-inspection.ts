import type { Socket } from 'node:net'
import { Slices } from '@x/contract'
import type {
  BrokerInspection,
  InspectedClient,
  InspectedGroup,
  LazyPage,
  MaybePromise,
  RetainedPage,
  StoredSessions,
  Subscription,
} from '@x/contract'
import type { ClientConnection, Host } from '../connect/client-connection.ts'
import { publishWill } from '../connect/will.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { Subscriptions } from '../routing/subscriptions.ts'

/** What is looked at. */
export interface InspectedEngine extends Host {
  readonly subscriptions: Subscriptions
  retained(filter: string): MaybePromise<RetainedPage>
}

/** Connections without a client that are passed over before a search says that it has found nothing yet. */
const step = 64

/** ms of a turn of the event loop that all lists together may take. A quarter of what the work of clients may: whoever reads a list has time,
 * and a client that waits for its PUBACK sits through several such turns. */
const listBudget = 2

/** The engine as people look at it. Lists walk the engine's own maps, which costs nothing in advance and copies nothing. */
export class EngineInspection implements BrokerInspection {
  readonly slices: Slices = new Slices({ budget: listBudget })
  readonly #engine: InspectedEngine

  constructor(engine: InspectedEngine) {
    this.#engine = engine
  }

  get sessions(): StoredSessions | undefined {
    return this.#engine.persistence.storedSessions
  }

  clients(): LazyPage<InspectedClient> {
    return listed(this.#engine.clients.values())
  }

  client(clientId: string): InspectedClient | undefined {
    const connection = this.#connected(clientId)
    return connection && inspected(connection)
  }

  subscriptions(clientId: string): Iterable<Subscription> {
    return this.#connected(clientId)?.subscribed() ?? []
  }

  *groups(): IterableIterator<InspectedGroup> {
    for (const { name, filter, size } of this.#engine.subscriptions.groups.values()) {
      yield { name, filter, members: size }
    }
  }

  members(group: string): Iterable<string> {
    return this.#engine.subscriptions.groups.get(group)?.clientIds() ?? []
  }

  retained(filter: string): MaybePromise<RetainedPage> {
    return this.#engine.retained(filter)
  }

  kick(clientId: string, reasonCode: number): boolean {
    const connection = this.#connected(clientId)
    connection?.client.close({ reasonCode })
    return connection !== undefined
  }

  async clearQueue(clientId: string): Promise<number> {
    const dropped = (await this.sessions?.clearQueue(clientId)) ?? 0
    const connection = this.#connected(clientId)
    if (connection?.session?.stored === false) await connection.client.emptyOutgoingQueue()
    return dropped
  }

  /** A connection elsewhere is taken over, by nobody: its broker ends it. */
  async endSession(clientId: string): Promise<void> {
    const engine = this.#engine
    const connection = this.#connected(clientId)
    if (connection !== undefined) {
      connection.sessionExpiryInterval = 0
      connection.client.close({ reasonCode: ReasonCode.administrativeAction })
      await connection.whenClosed()
    }
    const owner = { deliver: () => false, fenced: () => undefined }
    const opening = { clientId, cleanStart: true, sessionExpiryInterval: 0, will: undefined, owner }
    const { handle, dueWill } = await engine.persistence.openSession(opening)
    if (dueWill !== undefined) await publishWill(engine, dueWill)
    await engine.persistence.closeSession(handle, { sessionExpiryInterval: 0, will: 'discard', sentThrough: 0 })
    if (!engine.clients.has(clientId)) engine.userSessions.forget(clientId)
  }

  #connected(clientId: string): ClientConnection | undefined {
    const connection = this.#engine.clients.get(clientId)
    return connection?.phase === 'connected' ? connection : undefined
  }
}

function* listed(connections: Iterable<ClientConnection>): IterableIterator<InspectedClient | undefined> {
  let passed = 0
  for (const connection of connections) {
    if (connection.phase === 'connected') yield inspected(connection)
    else if ((passed += 1) % step === 0) yield undefined
  }
}

function inspected(connection: ClientConnection): InspectedClient {
  const { client, session, outbox, username, sessionExpiryInterval } = connection
  const { ipAddress, port } = client.connDetails ?? {}
  const { remoteAddress, remotePort } = client.conn as Partial<Socket>
  return {
    clientId: client.id,
    username,
    address: ipAddress ?? remoteAddress,
    port: ipAddress === undefined ? remotePort : port,
    listener: client.listener,
    version: client.version,
    clean: client.clean,
    keepAlive: client.keepalive,
    sessionExpiryInterval,
    trusted: client.trusted,
    subscriptions: session?.subscriptions.size ?? 0,
    inflight: session?.inflight ?? 0,
    outgoingBytes: outbox.pending + client.conn.writableLength,
  }
}

import type { Duplex } from 'node:stream'
import { ReadHold } from '../connection/read-hold.ts'
import type { Client } from '../hooks/client.ts'
import type { ListenerProfile } from '../hooks/listener-profile.ts'
import { ClientConnection } from './client-connection.ts'
import type { Host } from './client-connection.ts'
import { assertStream, attachConnection, listenTo } from './handled-stream.ts'

/** The engine, with its open connections. */
interface ReceptionHost extends Host {
  readonly connections: Set<ClientConnection>
}

/** Receives the streams of clients. Until the broker is open their CONNECT waits; a closed broker destroys them. */
export class Reception {
  readonly #engine: ReceptionHost
  #phase: 'opening' | 'open' | 'closed' = 'opening'

  constructor(engine: ReceptionHost) {
    this.#engine = engine
  }

  /** Serves MQTT on a stream.
   * @throws BrokerError `STREAM_INVALID` for what can't be read and written */
  serve(stream: Duplex, request: unknown, profile: ListenerProfile | undefined): Client {
    assertStream(stream)
    const connection = new ClientConnection(this.#engine, stream, request, profile)
    attachConnection(stream, connection)
    // A destroyed stream emits no further 'close'.
    if (this.#phase === 'closed' || stream.destroyed) {
      stream.destroy()
      connection.streamClosed()
      return connection.client
    }
    this.#engine.connections.add(connection)
    this.#engine.counters.connectionsOpened += 1
    if (this.#phase === 'opening') connection.hold(ReadHold.opening)
    listenTo(stream, connection)
    return connection.client
  }

  /** The broker is open, or has failed to open: what clients have sent takes effect. */
  open(): void {
    if (this.#phase === 'opening') this.#phase = 'open'
    for (const connection of this.#engine.connections) connection.release(ReadHold.opening)
  }

  close(): void {
    this.#phase = 'closed'
  }
}

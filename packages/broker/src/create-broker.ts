import { BrokerError, Broker as CoreBroker, ReasonCode } from '@x/broker-core'
import type { BrokerOptions as CoreOptions } from '@x/broker-core'
import type { ListenerAddress, Logger } from '@x/contract'
import { logEvents } from './log-events.ts'
import { partsOf } from './parts.ts'
import type { EmitterOption, PersistenceOption } from './parts.ts'
import { TcpListener } from './tcp-listener.ts'
import type { TcpOptions } from './tcp-listener.ts'

/** Everything the engine takes, with a store in memory unless another is given. */
export interface BrokerOptions extends Omit<CoreOptions, 'persistence' | 'emitter' | 'mq'> {
  persistence?: PersistenceOption
  emitter?: EmitterOption
  /** What Aedes calls `emitter`. */
  mq?: EmitterOption
  /** Gets connections, disconnections and errors; pino's loggers fit. Without one nothing is logged. */
  logger?: Logger
}

/** The engine, wired with default parts and able to listen. */
export class Broker extends CoreBroker {
  readonly #listeners = new Set<TcpListener>()
  readonly #logger: Logger | undefined

  /** @throws BrokerError `OPTION_INVALID`, naming the option, its value and what it may be */
  constructor(options: BrokerOptions = {}) {
    const { persistence: store, mq, emitter: given = mq, logger, ...rest } = options
    const { persistence, emitter } = partsOf(store, given)
    super({ ...rest, persistence, ...(emitter !== undefined && { emitter }) })
    this.#logger = logger
    if (logger !== undefined) logEvents(this, logger)
  }

  /** A broker whose store is open, or the error that it could not be opened. */
  static async createBroker(options?: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options)
    await broker.ready
    return broker
  }

  /** Without options opens no port, as in Aedes: settles when streams given to `handle` are served, like `ready`.
   *
   * With options accepts MQTT on TCP; answers where. May be called several times, for several addresses.
   * @throws ListenError `ADDRESS_IN_USE`, `ADDRESS_NOT_AVAILABLE`, `PERMISSION_DENIED`, `LISTEN_FAILED`
   * @throws BrokerError `BROKER_CLOSED`; `OPTION_INVALID` */
  listen(): Promise<void>
  listen(options: TcpOptions): Promise<ListenerAddress>
  listen(options?: TcpOptions): Promise<ListenerAddress | void> {
    return options === undefined ? this.ready : this.#listen(options)
  }

  async #listen(options: TcpOptions): Promise<ListenerAddress> {
    const listener = new TcpListener(options, error => this.reportError(error))
    const address = await listener.listen(this.handle)
    // Looked at afterwards: close() may have come while the operating system was asked.
    if (this.closed) {
      await listener.close()
      const reasonCode = ReasonCode.serverShuttingDown
      throw new BrokerError('BROKER_CLOSED', { message: 'the broker is closed', reasonCode })
    }
    this.#listeners.add(listener)
    this.#logger?.info({ url: address.url }, `listening on ${address.url}`)
    return address
  }

  /** Stops accepting, then ends connections and closes the store. Idempotent. */
  override close(): Promise<void>
  override close(done: (error?: Error) => void): void
  override close(done?: (error?: Error) => void): Promise<void> | void {
    const stopped = Promise.all([...this.#listeners].map(listener => listener.close()))
    this.#listeners.clear()
    const closed = Promise.all([stopped, super.close()]).then(() => undefined)
    if (done === undefined) return closed
    closed.then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    )
  }
}

/** A broker that can take connections at once: hand it streams with `broker.handle`, or let it `listen`. */
export function createBroker(options?: BrokerOptions): Broker {
  return new Broker(options)
}

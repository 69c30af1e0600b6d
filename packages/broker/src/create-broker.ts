import { BrokerError, Broker as CoreBroker, ReasonCode, assertOptions } from '@x/broker-core'
import type { AedesStoreMethods, MessageQueue } from '@x/broker-core'
import { admin as adminPlugin, adminOptions } from '@x/admin'
import type { Admin, AdminOptions } from '@x/admin'
import { bridge } from '@x/bridge'
import { metrics as metricsPlugin, metricsOptions } from '@x/metrics'
import type { Metrics, MetricsOptions } from '@x/metrics'
import { logTopics as logTopicsPlugin } from '@x/sys-topics'
import type { LogTopics, LogTopicsOptions } from '@x/sys-topics'
import { tracing as tracingPlugin, tracingOptions } from '@x/tracing'
import type { Tracing, TracingOptions } from '@x/tracing'
import { shownOption } from '@x/contract'
import type { BridgeStatus, Clock, ListenerAddress, ListenerStatus, Logger, Persistence, Plugin } from '@x/contract'
import { optionTable } from './broker-options.ts'
import type { BrokerOptions } from './broker-options.ts'
import { checkListenOptions, invalid } from './listener/listen-options.ts'
import type { ListenOptions } from './listener/listen-options.ts'
import { Listener } from './listener/listener.ts'
import type { ListenerHost } from './listener/listener.ts'
import { ConnectionRefused } from './listener/refused.ts'
import type { TlsOptions } from './listener/tls-layer.ts'
import { GuardedLogger } from './log/guarded-logger.ts'
import { logEvents } from './log/log-events.ts'
import { levelControl } from './log/log-level.ts'
import { PacketLog } from './log/packet-log.ts'
import { isAedesPersistence, isMqemitter, partsOf } from './parts.ts'
import type { EmitterOption, PersistenceOption } from './parts.ts'

/** A listener that accepts connections: where, and what can be done with it. */
export interface Listening extends ListenerAddress {
  readonly name: string
  /** All addresses, when several were given; the first is this one. */
  readonly addresses: readonly ListenerAddress[]
  /** Connections that are open now. */
  readonly connections: number
  /** Takes new keys and certificates for connections to come; those that are open stay.
   * @throws BrokerError `OPTION_INVALID` for what cannot be read, and without `tls`; the old ones stay then */
  reloadTls(options: TlsOptions): void
  /** Accepts no more; the broker and its connections stay. Idempotent. */
  close(): void
}

/** Lines in a second, of each kind. */
export const defaultLogRate = 100

/** Parts as the program gave them. */
interface Given {
  readonly persistence: PersistenceOption | undefined
  readonly mq: EmitterOption | undefined
}

/** The engine, wired with default parts and able to listen. */
export class Broker extends CoreBroker {
  /** What the option `metrics` has made: where it is served, and the handler for a server of the program's own. */
  readonly metrics: Metrics | undefined
  /** What the option `admin` has made: where it is served, and the key for this run if the options have none. */
  readonly admin: Admin | undefined
  /** Bridges that are attached. */
  readonly bridges: Set<BridgeStatus> = new Set()
  readonly #listeners = new Map<Listener, Omit<ListenerStatus, 'name' | 'connections'>>()
  /** Lines of the log in a second that say that a client has come, and as many that one has gone; may be changed at any time. */
  maximumLogRate: number
  readonly #logger: Logger | undefined
  readonly #packetLog: PacketLog | undefined
  readonly #given: Given

  /** @throws BrokerError `OPTION_INVALID`, naming the option, its value and what it may be */
  constructor(options: BrokerOptions = {}) {
    assertOneProcess(options)
    assertOptions(options, optionTable, 'createBroker')
    const {
      persistence: store,
      mq,
      emitter: ours,
      redis,
      data,
      mesh,
      logger,
      bridges,
      metrics,
      admin,
      logTopics,
      maximumLogRate = defaultLogRate,
      tracing,
      ...rest
    } = options
    const given = { persistence: store ?? undefined, mq: ours ?? mq ?? undefined }
    // The store is made before the broker that can report what befalls it.
    const trouble: { report?: (error: Error) => void } = {}
    const partFailed = (error: Error): void => trouble.report?.(error)
    const { persistence, emitter } = partsOf({
      ...given,
      data,
      redis,
      mesh,
      heartbeatInterval: rest.heartbeatInterval,
      partFailed,
    })
    const served = metrics === undefined ? undefined : metricsOf(metrics)
    const control = levelControl(logger, () => this.logLevelChanged())
    const shown = admin === undefined ? undefined : adminOf(admin, logger ?? undefined, control)
    const topics = logTopics === undefined ? undefined : logTopicsOf(logTopics, rest.clock)
    const traced = tracing === undefined ? undefined : tracingOf(tracing)
    const own = [served, shown, topics, traced]
    const plugins = [...(rest.plugins ?? []), ...(bridges ?? []).map(bridge), ...own].filter(isPlugin)
    super({ ...rest, ...limitsOf(given, rest), plugins, persistence, ...(emitter !== undefined && { emitter }) })
    trouble.report = error => this.reportError(error)
    this.maximumLogRate = maximumLogRate
    this.metrics = served
    this.admin = shown
    this.#given = given
    const guarded = logger ? new GuardedLogger(logger) : undefined
    const kept = shown?.logger(guarded) ?? guarded
    this.#logger = topics?.logger(kept) ?? kept
    if (this.#logger === undefined) return
    logEvents(this, this.#logger)
    this.#packetLog = new PacketLog(this, this.#logger)
  }

  /** A broker whose store is open, or the error that it could not be opened. */
  static async createBroker(options?: BrokerOptions): Promise<Broker> {
    const broker = new this(options)
    await broker.ready
    return broker
  }

  /** Without options opens no port, as in Aedes: settles when streams given to `handle` are served, like `ready`.
   *
   * With options, or a port, accepts connections; returns where. May be called several times, for several ways in.
   * @throws ListenError `ADDRESS_IN_USE`, `ADDRESS_NOT_AVAILABLE`, `PERMISSION_DENIED`, `LISTEN_FAILED`
   * @throws BrokerError `BROKER_CLOSED`; `OPTION_INVALID` */
  listen(): Promise<void>
  listen(options: ListenOptions | number): Promise<Listening>
  listen(options?: ListenOptions | number): Promise<Listening | void> {
    if (options === undefined) return this.ready
    return this.#listen(typeof options === 'number' ? { port: options } : options)
  }

  /** What was given as `persistence`: one of Aedes's stores with the methods it has, one of ours with those that programs call. */
  override get persistence(): Persistence & AedesStoreMethods {
    const { persistence } = this.#given
    const isAedes = persistence !== undefined && isAedesPersistence(persistence)
    return isAedes ? (persistence as Persistence & AedesStoreMethods) : super.persistence
  }

  /** The mqemitter that was given as `mq`; without one, the broker's messages behind its interface. */
  override get mq(): MessageQueue {
    const { mq } = this.#given
    return mq !== undefined && isMqemitter(mq) ? (mq as MessageQueue) : super.mq
  }

  /** Ways in that are open, with their connections. */
  get listenerConnections(): readonly { readonly name: string; readonly connections: number }[] {
    return Array.from(this.#listeners.keys(), ({ name, connections }) => ({ name, connections }))
  }

  /** The same, as people see them. */
  get listenerStatus(): readonly ListenerStatus[] {
    return Array.from(this.#listeners, ([{ name, connections }, status]) => ({ name, connections, ...status }))
  }

  /** For programs whose logger has another level now: packets are logged while debug is enabled. */
  logLevelChanged(): void {
    this.#packetLog?.levelChanged()
  }

  async #listen(options: ListenOptions): Promise<Listening> {
    const listener = new Listener(checkListenOptions(options, this), this.#listenerHost())
    const addresses = await listener.listen()
    // Looked at afterwards: close() may have come while the operating system was asked.
    if (this.closed) {
      listener.close()
      const reasonCode = ReasonCode.serverShuttingDown
      throw new BrokerError('BROKER_CLOSED', { message: 'the broker is closed', reasonCode })
    }
    this.#listeners.set(listener, statusOf(options, addresses))
    const [address] = addresses as readonly [ListenerAddress]
    for (const { url } of addresses) this.#logger?.info({ url, listener: listener.name }, `listening on ${url}`)
    return {
      ...address,
      addresses,
      name: listener.name,
      get connections() {
        return listener.connections
      },
      reloadTls: tls => listener.reloadTls(tls),
      close: () => {
        listener.close()
        this.#listeners.delete(listener)
      },
    }
  }

  #listenerHost(): ListenerHost {
    return {
      connectTimeout: this.connectTimeout,
      decodesProtocol: this.decodeProtocol !== null,
      problemOfNumber: () => this.#problemOfNumber(),
      mayConnect: address => this.mayConnect(address),
      handle: this.handle,
      listenerProfile: options => this.listenerProfile(options),
      reportRefusal: (error, origin) => this.reportRefusal(error, origin),
      reportError: error => this.reportError(error),
    }
  }

  /** Counts those as well that are in a handshake. */
  #problemOfNumber(): ConnectionRefused | undefined {
    const { maximumConnections } = this
    if (maximumConnections === 0) return undefined
    let open = 0
    for (const { connections } of this.#listeners.keys()) open += connections
    if (open < maximumConnections) return undefined
    const message = `${open} connections are open, the limit maximumConnections is ${maximumConnections}`
    return new ConnectionRefused('TOO_MANY_CONNECTIONS', message)
  }

  /** Stops accepting, then ends connections and closes the store. Idempotent. */
  override close(): Promise<void>
  override close(done: (error?: Error) => void): void
  override close(done?: (error?: Error) => void): Promise<void> | void {
    for (const listener of this.#listeners.keys()) listener.close()
    this.#listeners.clear()
    return done === undefined ? super.close() : super.close(done)
  }
}

function metricsOf(option: number | MetricsOptions): Metrics {
  const options = typeof option === 'number' ? { listen: { port: option } } : option
  assertOptions(options, metricsOptions, 'metrics')
  return metricsPlugin(options)
}

function logTopicsOf(option: true | LogTopicsOptions, clock: Clock | undefined): LogTopics {
  try {
    return logTopicsPlugin({ ...(clock !== undefined && { clock }), ...(option === true ? {} : option) })
  } catch (error) {
    throw invalid((error as RangeError).message, error)
  }
}

function adminOf(option: number | AdminOptions, logger: Logger | undefined, control: AdminOptions['control']): Admin {
  const options = typeof option === 'number' ? { listen: { port: option } } : option
  assertOptions(options, adminOptions, 'admin')
  return adminPlugin({
    ...(logger !== undefined && { logger }),
    ...options,
    control: { ...control, ...options.control },
  })
}

function tracingOf(option: number | TracingOptions): Tracing {
  const options = typeof option === 'number' ? { ratio: option } : option
  assertOptions(options, tracingOptions, 'tracing')
  return tracingPlugin(options)
}

function statusOf(
  { tls }: ListenOptions,
  addresses: readonly ListenerAddress[],
): Omit<ListenerStatus, 'name' | 'connections'> {
  const mutualTls = tls?.requestCert === true && tls.rejectUnauthorized !== false
  return { urls: addresses.map(({ url }) => url), tls: tls !== undefined, mutualTls }
}

function isPlugin(plugin: Plugin | undefined): plugin is Plugin {
  return plugin !== undefined
}

/** A broker in a program is one process, whatever a program hopes that an option does. */
function assertOneProcess(options: BrokerOptions): void {
  if (typeof options !== 'object' || options === null || !('workers' in options) || options.workers === undefined)
    return
  throw new BrokerError('OPTION_INVALID', {
    message: `option workers is ${shownOption(options.workers)}, but a program forks its processes itself (node:cluster), and each makes a broker with the same data and mesh; the command has --workers`,
    reasonCode: ReasonCode.implementationSpecificError,
  })
}

/** Aedes's stores and emitters throw at topics of more than 100 levels. */
const aedesTopicLevels = 100

function limitsOf({ persistence, mq }: Given, { maxTopicLevels = aedesTopicLevels }: BrokerOptions): object {
  const isAedes =
    (persistence !== undefined && isAedesPersistence(persistence)) || (mq !== undefined && isMqemitter(mq))
  return isAedes ? { maxTopicLevels: Math.min(maxTopicLevels, aedesTopicLevels) } : {}
}

/** A broker that can take connections at once: hand it streams with `broker.handle`, or let it `listen`. */
export function createBroker(options?: BrokerOptions): Broker {
  return new Broker(options)
}

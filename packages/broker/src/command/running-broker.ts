import type { Client, ControlEndpoint } from '@x/broker-core'
import { AccessControl, reservedTopics } from '@x/auth'
import type { DynamicSecurity } from '@x/auth'
import { admin } from '@x/admin'
import type { Admin, AdminAddress, AdminControl } from '@x/admin'
import type { Logger, Plugin } from '@x/contract'
import type { Prepared, PreparedListener } from '../config/prepare.ts'
import { createBroker, defaultLogRate } from '../create-broker.ts'
import type { Broker, Listening } from '../create-broker.ts'
import { ListenError } from '../listener/listen-error.ts'
import type { ListenOptions } from '../listener/listen-options.ts'
import { shownIdentifier } from '../log/shown-name.ts'
import { brokerCommands } from './broker-commands.ts'
import type { BrokerCommandsHost, ShownListener } from './broker-commands.ts'
import { HttpApi } from './http-api.ts'
import { passwordsOf } from './passwords.ts'
import type { PasswordCheck } from './passwords.ts'
import { RunningBridges } from './running-bridges.ts'

/** Rights of everybody who gets in where nothing is said about access. */
const everybody = { allowAnonymous: true } as const

interface OpenListener {
  readonly prepared: PreparedListener
  readonly listening: Listening
}

/** What the process lends to its broker. */
export interface RunningHost {
  readonly logger: Logger
  /** What the API may do with the process. */
  readonly control: AdminControl
  /** A plugin as this process attaches it: with the numbers of all workers, if it is one of them. */
  shown(plugin: Plugin): Plugin
  /** It serves the API from the beginning. Of several workers one at a time does, and a later one when it is told to. */
  readonly servesAdmin: boolean
  /** Of the process. */
  readonly plugins: readonly Plugin[]
}

/** A broker made of a configuration, which can be given another one while it runs. */
export class RunningBroker {
  readonly broker: Broker
  /** Undefined: no API is served. */
  readonly admin: Admin | undefined
  readonly #adminAddress: AdminAddress
  readonly #servesAdmin: boolean
  readonly #httpApi: HttpApi
  readonly #access: AccessControl
  readonly #bridges: RunningBridges
  readonly #logger: Logger
  #dynamicSecurity: DynamicSecurity | undefined
  /** Whether the password of a user is right. */
  #passwords: PasswordCheck
  /** Ends the reports of commands. */
  #endReports: () => void = () => undefined
  /** By name. */
  #listeners = new Map<string, OpenListener>()

  /** @throws BrokerError `OPTION_INVALID` */
  constructor(prepared: Prepared, host: RunningHost) {
    const { options, access, bridges } = prepared
    this.#logger = host.logger
    this.#servesAdmin = host.servesAdmin
    this.#access = new AccessControl(access ?? everybody)
    this.#passwords = passwordsOf(prepared)
    this.#bridges = new RunningBridges(bridges)
    const { listen = {} } = prepared.admin ?? {}
    this.#adminAddress = listen === false ? {} : listen
    this.admin = this.#makeAdmin(prepared, host)
    this.#httpApi = new HttpApi(prepared, this.#access, host.logger)
    const shown = this.admin ? [host.shown(this.admin)] : []
    const plugins = [...(options.plugins ?? []), ...host.plugins, this.#bridges, ...shown, this.#httpApi.plugin]
    const logger = this.admin?.logger(host.logger) ?? host.logger
    this.broker = createBroker({ ...options, plugins, logger, authenticate: this.#access.authenticate })
    this.#limitTopics(prepared)
  }

  /** Opens all listeners.
   * @throws what the store, the API, or the first listener that can't be opened, has thrown */
  async open(listeners: readonly PreparedListener[]): Promise<void> {
    await this.broker.ready
    if (this.#servesAdmin) await this.serveAdmin()
    await this.#dynamicSecurity?.begin()
    for (const prepared of listeners) await this.#open(prepared)
  }

  /** Connects the bridges. */
  async bridge(): Promise<void> {
    await this.#bridges.begin()
  }

  /** Serves what one worker at a time serves: the API, and Mosquitto's, if they are not served yet.
   * @throws AdminError */
  async serveAdmin(): Promise<void> {
    await this.broker.ready
    if (this.admin !== undefined && this.admin.url === undefined) {
      await this.admin.listen(this.#adminAddress)
      this.#tellAdmin()
    }
    await this.#httpApi.serve()
  }

  #makeAdmin({ admin: options }: Prepared, { logger, control }: RunningHost): Admin | undefined {
    if (options === undefined) return undefined
    return admin({
      ...options,
      listen: false,
      logger,
      control,
      verify: ({ username, password }) => this.#passwords(username, Buffer.from(password)),
    })
  }

  /** The key stands behind the `#`, which a browser sends nowhere. */
  #tellAdmin(): void {
    const { url, key } = this.admin ?? {}
    if (url === undefined) return
    const page = key === undefined ? url : `${url}/#key=${key}`
    this.#logger.info({ admin: url }, `dashboard and API on ${page}`)
  }

  /** Takes another configuration's users, rules, certificates, listeners and bridges. Clients that may not be connected any more are closed.
   * @returns how many were closed
   * @throws what a listener that can't be opened has thrown; nothing has changed then */
  async reload(next: Prepared): Promise<number> {
    const { added, changed, kept, removed } = this.#compare(next.listeners)
    const before = this.#listeners
    this.#listeners = new Map(before)
    try {
      await next.dynamicSecurity?.begin()
      for (const prepared of added) await this.#open(prepared)
    } catch (error) {
      for (const [name, { listening }] of this.#listeners) if (!before.has(name)) listening.close()
      this.#listeners = before
      throw error
    }
    for (const prepared of changed) await this.#reopen(prepared)
    for (const prepared of kept) this.#renew(prepared)
    for (const name of removed) {
      this.#listeners.get(name)?.listening.close()
      this.#listeners.delete(name)
    }
    const lost = this.#changeAccess(next)
    await this.#bridges.replace(next.bridges)
    this.broker.maximumLogRate = next.options.maximumLogRate ?? defaultLogRate
    return lost
  }

  #changeAccess(next: Prepared): number {
    this.#passwords = passwordsOf(next)
    this.#httpApi.accessChanged(next)
    const lost = this.#access.replace(next.access ?? everybody, Object.values(this.broker.clients))
    this.#limitTopics(next)
    for (const client of lost) client.close()
    for (const client of Object.values(this.broker.clients)) this.#subscribeAgain(client)
    return lost.length
  }

  /** Subscriptions that the rules allow no longer are ended. */
  #subscribeAgain(client: Client): void {
    if (client.trusted || client.closed) return
    const forbidden = Object.keys(client.subscriptions).filter(filter => !this.#access.maySubscribe(client, filter))
    if (forbidden.length === 0) return
    client.unsubscribe(forbidden).catch((error: unknown) => this.#failed(`client ${shownIdentifier(client.id)}`, error))
  }

  /** Without rules nobody asks about deliveries. Topics below `$CONTROL/` are for commands, whether or not there are any. */
  #limitTopics({ access, dynamicSecurity, controlApi }: Prepared): void {
    const { authorizePublish = null, authorizeSubscribe = null } = this.#access.authorityHooks
    Object.assign(this.broker, { authorizePublish, authorizeSubscribe })
    this.broker.topicAccess = access === undefined ? reservedTopics : this.#access
    const own = controlApi ? brokerCommands(this.#shown(), error => this.#failed('command', error)) : []
    this.broker.controlEndpoints = new Map<string, ControlEndpoint>([...this.#access.controlEndpoints, ...own])
    if (dynamicSecurity === this.#dynamicSecurity) return
    this.#endReports()
    this.#dynamicSecurity = dynamicSecurity
    this.#endReports = dynamicSecurity === undefined ? () => undefined : this.#report(dynamicSecurity)
  }

  #shown(): BrokerCommandsHost {
    const listeners = this.#listenersNow.bind(this)
    const dynamicSecurity = (): DynamicSecurity | undefined => this.#dynamicSecurity
    return {
      get shownListeners() {
        return listeners()
      },
      get dynamicSecurity() {
        return dynamicSecurity()
      },
      version: this.broker.version,
    }
  }

  #listenersNow(): ShownListener[] {
    return [...this.#listeners.values()].flatMap(({ prepared: { options }, listening }) =>
      listening.addresses.map(({ host, port }) => ({
        protocols: options.protocols ?? ['mqtt'],
        port,
        address: options.host === undefined ? undefined : host,
        socketPath: options.socketPath,
      })),
    )
  }

  /** As Mosquitto's plugin logs its commands; their names are a client's. */
  #report(dynamicSecurity: DynamicSecurity): () => void {
    return dynamicSecurity.observe({
      executed: ({ clientId, username = '', command, error }) => {
        const [client, name, what] = [clientId, username, command].map(shownIdentifier)
        this.#logger.info(
          { client: clientId },
          `dynsec: ${client}/${name} | ${what}${error === undefined ? '' : ` | ${error}`}`,
        )
      },
      failed: error => this.#failed(dynamicSecurity.file, error),
    })
  }

  #failed(what: string, error: unknown): void {
    this.#logger.error({ err: error }, `${what}: ${error instanceof Error ? error.message : String(error)}`)
  }

  async #open(prepared: PreparedListener): Promise<void> {
    const listening = await listenAt(this.broker, prepared.options)
    this.#listeners.set(prepared.options.name, { prepared, listening })
  }

  /** Its address is taken by itself, so it is closed first; connections stay. When the new one can't be opened, the old one is again. */
  async #reopen(prepared: PreparedListener): Promise<void> {
    const old = this.#listeners.get(prepared.options.name)
    old?.listening.close()
    try {
      await this.#open(prepared)
    } catch (error) {
      if (old !== undefined) await this.#open(old.prepared)
      throw error
    }
  }

  #renew(prepared: PreparedListener): void {
    const { name, tls } = prepared.options
    const open = this.#listeners.get(name)
    if (open === undefined) return
    if (tls !== undefined) open.listening.reloadTls(tls)
    this.#listeners.set(name, { ...open, prepared })
  }

  #compare(listeners: readonly PreparedListener[]): Record<'added' | 'changed' | 'kept', PreparedListener[]> & {
    removed: string[]
  } {
    const names = new Set(listeners.map(({ options }) => options.name))
    const result = {
      added: [] as PreparedListener[],
      changed: [] as PreparedListener[],
      kept: [] as PreparedListener[],
      removed: [...this.#listeners.keys()].filter(name => !names.has(name)),
    }
    for (const prepared of listeners) {
      const open = this.#listeners.get(prepared.options.name)
      if (open === undefined) result.added.push(prepared)
      else if (shape(open.prepared) === shape(prepared)) result.kept.push(prepared)
      else result.changed.push(prepared)
    }
    return result
  }
}

/** All that can't be changed while it listens: everything but the contents of the files, and who may come in. */
function shape({ config }: PreparedListener): string {
  const { access: _access, ...rest } = config
  return JSON.stringify(rest)
}

/** This machine may have one kind of address alone, which is enough for itself. */
async function listenAt(broker: Broker, options: ListenOptions): Promise<Listening> {
  try {
    return await broker.listen(options)
  } catch (error) {
    const isLoopback = Array.isArray(options.host) && options.host.join() === '127.0.0.1,::1'
    if (!isLoopback || !(error instanceof ListenError) || error.code !== 'ADDRESS_NOT_AVAILABLE') throw error
    return broker.listen({ ...options, host: '127.0.0.1' })
  }
}

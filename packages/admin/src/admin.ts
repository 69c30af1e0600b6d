import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { optionProblem, Slices } from '@x/contract'
import type { Logger, PluggableBroker, Plugin } from '@x/contract'
import { AdminError } from './admin-error.ts'
import { adminOptions } from './admin-options.ts'
import type { AdminAddress, AdminOptions } from './admin-options.ts'
import { Cursors } from './cursors.ts'
import type { AdminHost } from './host.ts'
import type { AuditEntry, HttpServer, HttpServerParts } from './http-server.ts'
import { KeyRing } from './key-ring.ts'
import type { AdminKey } from './key-ring.ts'
import { LogTail } from './log-tail.ts'
import { listenAt, urlOf } from './place.ts'
import { printable } from './printable.ts'
import { answerAboutClients } from './local-clients.ts'
import { RequestLimits } from './request-limits.ts'
import { Traces } from './traces.ts'

const defaultHost = '127.0.0.1'
const defaultPort = 9465

/** A plugin for one broker. */
export interface Admin extends Plugin {
  /** `http://HOST:PORT` where API and dashboard are served; undefined while they are not. */
  readonly url: string | undefined
  /** The key that was made for this run, since the options have none. */
  readonly key: string | undefined
  /** A logger whose lines dashboards show. They go on to the one that is given. */
  logger(next?: Logger): Logger
  /** Serves API and dashboard; for those that were made with `listen: false`.
   * @throws AdminError `ADMIN_LISTEN_FAILED` */
  listen(address?: AdminAddress): Promise<void>
}

/** An HTTP API to look at a broker and to change what it does, and a dashboard.
 * @throws RangeError naming the option, its value and what it may be */
export function admin(options: AdminOptions = {}): Admin {
  const problem = optionProblem(options, adminOptions, 'admin')
  if (problem !== undefined) throw new RangeError(problem)
  return new BrokerAdmin(options)
}

class BrokerAdmin implements Admin, AdminHost {
  readonly name = 'admin'
  readonly key: string | undefined
  readonly control: NonNullable<AdminOptions['control']>
  readonly tail = new LogTail()
  readonly traces: Traces
  readonly cursors: Cursors
  readonly #options: AdminOptions
  readonly #logger: Logger
  #broker: PluggableBroker | undefined
  #openedAt = 0
  #server: HttpServer | undefined
  #url: string | undefined

  constructor(options: AdminOptions) {
    const { keys = [], users = {}, control = {}, logger } = options
    this.#options = options
    this.control = control
    this.key = keys.length === 0 && Object.keys(users).length === 0 ? randomBytes(24).toString('base64url') : undefined
    this.#logger = this.tail.before(logger)
    this.traces = new Traces(this.#logger)
    const without = new Slices()
    this.cursors = new Cursors(() => this.#broker?.inspection?.slices ?? without)
  }

  get broker(): PluggableBroker | undefined {
    return this.#broker
  }

  get url(): string | undefined {
    return this.#url
  }

  get uptime(): number {
    return performance.now() - this.#openedAt
  }

  logger(next?: Logger): Logger {
    return this.tail.before(next)
  }

  async attach(broker: PluggableBroker): Promise<() => Promise<void>> {
    if (this.#broker !== undefined) {
      throw new AdminError('ADMIN_ATTACHED', `this one is of broker ${this.#broker.id} already`)
    }
    this.#broker = broker
    this.#openedAt = performance.now()
    broker.peers?.serve(async question => answerAboutClients(this, question))
    const { listen = {} } = this.#options
    try {
      if (listen !== false) await this.listen(listen)
    } catch (error) {
      this.#broker = undefined
      throw error
    }
    return async () => {
      this.traces.close()
      this.#url = undefined
      await this.#server?.close()
      this.#server = undefined
      this.#broker = undefined
    }
  }

  async listen({ host = defaultHost, port = defaultPort }: AdminAddress = {}): Promise<void> {
    if (this.#server !== undefined) return
    // Fastify is loaded here: a program that has this switched off does not pay for it.
    const { HttpServer: OfFastify } = await import('./http-server.ts')
    const server = new OfFastify(this.#parts())
    try {
      await listenAt(host, async address => server.app.listen({ port, host: address }))
    } catch (cause) {
      await server.close()
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new AdminError('ADMIN_LISTEN_FAILED', `the API can't be served on ${host}:${port}: ${why}`, { cause })
    }
    this.#server = server
    const address = server.app.server.address() as AddressInfo
    this.#url = urlOf(host, address.port, this.#options.tls === undefined ? 'plain' : 'tls')
  }

  #parts(): HttpServerParts {
    const { keys = [], users = {}, verify, tls, dashboard = true } = this.#options
    const { maximumRequestRate = 100, maximumFailures = 10 } = this.#options
    const own: AdminKey[] = this.key === undefined ? [] : [{ name: 'first', role: 'admin', key: this.key }]
    return {
      host: this,
      keys: new KeyRing({ keys: [...keys, ...own], users, verify }),
      limits: new RequestLimits({ maximumRequestRate, maximumFailures }),
      tls,
      dashboard,
      version: this.#broker?.version ?? '',
      audit: entry => this.#audit(entry),
      failed: error => {
        const message = `a request of the API failed: ${error.message}`
        this.#broker?.reportError(new AdminError('ADMIN_REQUEST_FAILED', message, { cause: error }))
      },
    }
  }

  #audit({ by, address, text, refused }: AuditEntry): void {
    const fields = { admin: by.name, role: by.role, address, ...(refused !== undefined && { code: refused }) }
    const outcome = refused === undefined ? '' : `: refused (${refused})`
    this.#logger[refused === undefined ? 'info' : 'warn'](fields, `${by.name} ${printable(text)}${outcome}`)
  }
}

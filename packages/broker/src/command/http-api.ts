import { mosquittoApi } from '@x/admin'
import type { MosquittoApi } from '@x/admin'
import type { AccessControl } from '@x/auth'
import type { Logger, Plugin } from '@x/contract'
import type { Prepared } from '../config/prepare.ts'

/** As Mosquitto names who asks to checks and rules. */
const clientId = 'http-api'

/** Mosquitto's HTTP API of a configuration. A user who may connect as a client, and subscribe to the path of the URL as a topic, may use it. */
export class HttpApi {
  readonly #api: MosquittoApi
  readonly #logger: Logger
  /** Listeners, those of the API among them, that let in clients without user name; undefined: all do. */
  #anonymous: ReadonlySet<string> | undefined

  constructor(prepared: Prepared, access: AccessControl, logger: Logger) {
    this.#logger = logger
    this.#api = mosquittoApi({
      listeners: prepared.httpApis,
      allowsAnonymous: listener => this.#anonymous?.has(listener) !== false,
      mayAsk: async ({ listener, username, password, topic }) => {
        const client = { id: clientId, listener }
        return (await access.authenticate(client, username, password)) && access.mayReceive(client, topic)
      },
    })
    this.accessChanged(prepared)
  }

  get plugin(): Plugin {
    return this.#api
  }

  /** Without effect where it is served already.
   * @throws AdminError `ADMIN_LISTEN_FAILED` */
  async serve(): Promise<void> {
    if (this.#api.urls.length > 0) return
    await this.#api.listen()
    for (const url of this.#api.urls) this.#logger.info({ httpApi: url }, `HTTP API of Mosquitto on ${url}`)
  }

  /** There is another configuration; where it is served stays. */
  accessChanged({ access }: Pick<Prepared, 'access'>): void {
    const listeners = access !== undefined && 'listeners' in access ? access.listeners : undefined
    const open = Object.entries(listeners ?? {}).filter(([, { allowAnonymous }]) => allowAnonymous === true)
    this.#anonymous = listeners === undefined ? undefined : new Set(open.map(([name]) => name))
  }
}

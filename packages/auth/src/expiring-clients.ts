const interval = 1000

/** What is needed of a client. */
interface ExpiringClient {
  readonly closed?: boolean
}

/** Clients whose right to be connected ends at a certain time. They are looked at each second, as long as there are some: one timer for all,
 * and who has left is forgotten. */
export class ExpiringClients<Client extends ExpiringClient> {
  /** With when it ends, in ms since 1970. */
  readonly #clients = new Map<Client, number>()
  readonly #end: (client: Client) => void
  #timer: NodeJS.Timeout | undefined

  constructor(end: (client: Client) => void) {
    this.#end = end
  }

  add(client: Client, expiresAt: number): void {
    this.#clients.set(client, expiresAt)
    this.#timer ??= setInterval(() => this.#look(), interval).unref()
  }

  #look(): void {
    const now = Date.now()
    for (const [client, expiresAt] of this.#clients) {
      if (client.closed !== true && now < expiresAt) continue
      this.#clients.delete(client)
      if (client.closed !== true) this.#end(client)
    }
    if (this.#clients.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

/** Messages of stored sessions that are still on their way to other brokers when their connection has ended: the next one may not
 * acknowledge them before. */
export class UnfinishedPublishes {
  readonly #byClient = new Map<string, Promise<unknown>>()

  /** @param finished settles when all of one connection are */
  add(clientId: string, finished: Promise<void>): void {
    const all = Promise.all([this.#byClient.get(clientId), finished]).then(() => {
      if (this.#byClient.get(clientId) === all) this.#byClient.delete(clientId)
    })
    this.#byClient.set(clientId, all)
  }

  /** Settles when all of the client's are; undefined: there are none. */
  of(clientId: string): Promise<unknown> | undefined {
    return this.#byClient.get(clientId)
  }
}

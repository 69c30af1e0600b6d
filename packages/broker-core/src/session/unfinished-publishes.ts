/** Publishes of stored sessions that are still on their way when their connection has ended. The next connection of the client must not
 * acknowledge them earlier. */
export class UnfinishedPublishes {
  readonly #byClient = new Map<string, Promise<unknown>>()

  /** @param finished settles when all of one connection are */
  add(clientId: string, finished: Promise<void>): void {
    const all = Promise.all([this.#byClient.get(clientId), finished]).then(() => {
      if (this.#byClient.get(clientId) === all) this.#byClient.delete(clientId)
    })
    this.#byClient.set(clientId, all)
  }

  /** Returns a promise that settles when all of the client's publishes are done; undefined: there are none. */
  of(clientId: string): Promise<unknown> | undefined {
    return this.#byClient.get(clientId)
  }
}

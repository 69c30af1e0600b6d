/** Which clients have connected here and have not been heard to do so.
 *
 * All brokers hear all announcements in one order, their own ones among them: one of another broker that comes before our own is
 * older, and the client is ours. */
export class Announcements {
  readonly #open = new Map<string, number>()

  announced(clientId: string): void {
    this.#open.set(clientId, (this.#open.get(clientId) ?? 0) + 1)
  }

  /** An own one was heard, or is lost. */
  heard(clientId: string): void {
    const count = (this.#open.get(clientId) ?? 0) - 1
    if (count > 0) this.#open.set(clientId, count)
    else this.#open.delete(clientId)
  }

  isOurs(clientId: string): boolean {
    return this.#open.has(clientId)
  }

  /** Some were not heard. */
  clear(): void {
    this.#open.clear()
  }
}

import { leaseDuration } from './broker-lease.ts'

/** Where clients have connected lately, for as long as a broker that they have left may still have something of theirs: what still comes of them from elsewhere is older than what they publish now. */
export class RecentConnections {
  #recent = new Map<string, string>()
  #older = new Map<string, string>()
  #since = 0

  connected(clientId: string, broker: string): void {
    const now = performance.now()
    if (now - this.#since >= leaseDuration) {
      this.#older = now - this.#since >= 2 * leaseDuration ? new Map() : this.#recent
      this.#recent = new Map()
      this.#since = now
    }
    this.#recent.set(clientId, broker)
  }

  /** Whether the client has connected, between one and two leases ago at most, to another broker than this one. */
  isElsewhere(clientId: string, broker: string): boolean {
    const found = this.#recent.get(clientId) ?? this.#older.get(clientId)
    return found !== undefined && found !== broker
  }
}

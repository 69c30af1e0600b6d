import type { Announcements } from './announcements.ts'
import { leaseDuration } from './presence.ts'

/** ms by which brokers may differ over the time of Redis when the machine is busy. */
const tolerance = 200

/** Where a client is connected, and since when by the time of Redis. */
interface RecentConnection {
  readonly broker: string
  /** Milliseconds. */
  readonly since: number
}

/** Where clients have connected lately, for as long as a broker that they have left may still have something of theirs: what still comes
 * of them from elsewhere is older than what they publish now, and an announcement that comes late is not followed. */
export class RecentConnections {
  #recent = new Map<string, RecentConnection>()
  #older = new Map<string, RecentConnection>()
  #since = 0

  /** The client has connected to this broker, now: after all that was heard of it. Returns since when that counts. */
  connectedHere(clientId: string, broker: string, now: number): number {
    const since = Math.max(now, (this.#find(clientId)?.since ?? 0) + 1)
    this.#set(clientId, { broker, since })
    return since
  }

  /** The client has connected to another broker, as was heard now. False: before it has connected where it is known to be. Where the two
   * are close together, the order in which all brokers hear of them counts: what comes before our own announcement is older. */
  connectedElsewhere(clientId: string, connection: RecentConnection, own: Pick<Announcements, 'isOurs'>): boolean {
    const known = this.#find(clientId)
    const later = known === undefined ? Infinity : connection.since - known.since
    if (later < -tolerance || (later <= tolerance && own.isOurs(clientId))) return false
    this.#set(clientId, connection)
    return true
  }

  /** Whether the client has connected, between one and two leases ago at most, to another broker than this one. */
  isElsewhere(clientId: string, broker: string): boolean {
    const found = this.#find(clientId)
    return found !== undefined && found.broker !== broker
  }

  #find(clientId: string): RecentConnection | undefined {
    return this.#recent.get(clientId) ?? this.#older.get(clientId)
  }

  #set(clientId: string, connection: RecentConnection): void {
    const now = performance.now()
    if (now - this.#since >= leaseDuration) {
      this.#older = now - this.#since >= 2 * leaseDuration ? new Map() : this.#recent
      this.#recent = new Map()
      this.#since = now
    }
    this.#recent.set(clientId, connection)
  }
}

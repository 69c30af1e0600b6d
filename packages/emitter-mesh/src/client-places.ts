/** Where a client is connected, and since when by {@link MeshTime}. */
interface Place {
  readonly instance: string
  readonly since: number
}

/** Times that all brokers agree on as far as they have heard of each other: never before what was heard, and otherwise the machine's. */
export class MeshTime {
  #last = 0

  /** Later than all that was said and heard. */
  next(): number {
    this.#last = Math.max(Date.now(), this.#last + 1)
    return this.#last
  }

  heard(time: number): void {
    this.#last = Math.max(this.#last, time)
  }
}

/** Where clients have connected lately: what comes late of the broker that they have left is older than what they publish now, and an
 * announcement that comes late is not followed. Kept for one to two leases. */
export class ClientPlaces {
  readonly #lease: number
  #recent = new Map<string, Place>()
  #older = new Map<string, Place>()
  #since = 0

  constructor(lease: number) {
    this.#lease = lease
  }

  set(clientId: string, place: Place): void {
    const now = performance.now()
    if (now - this.#since >= this.#lease) {
      this.#older = now - this.#since >= 2 * this.#lease ? new Map() : this.#recent
      this.#recent = new Map()
      this.#since = now
    }
    this.#recent.set(clientId, place)
  }

  /** The client has connected there, as was heard. False: it has connected later where it is known to be. Two brokers that take a client at
   * the same time agree on one of them. */
  heard(clientId: string, place: Place): boolean {
    const known = this.#find(clientId)
    if (known !== undefined && (known.since - place.since || (known.instance > place.instance ? 1 : -1)) > 0)
      return false
    this.set(clientId, place)
    return true
  }

  /** Whether the client has connected to another broker than this one lately. */
  isElsewhere(clientId: string, instance: string): boolean {
    const found = this.#find(clientId)
    return found !== undefined && found.instance !== instance
  }

  #find(clientId: string): Place | undefined {
    return this.#recent.get(clientId) ?? this.#older.get(clientId)
  }
}

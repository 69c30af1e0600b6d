import type { Emitter, MaybePromise } from '@x/contract'
import { after, all, isPromise, recover } from '../ground/maybe-promise.ts'

interface Route {
  count: number
  /** The emitter has added it. */
  added: boolean
  /** Settles when the emitter has added it; undefined otherwise. */
  adding: Promise<void> | undefined
}

/** What {@link AdvertisedFilters} needs of the engine. */
export interface AdvertisedFiltersHost {
  readonly emitter: Emitter | undefined
  /** The store delivers QoS 1 and 2 messages to stored sessions and shared groups, from any broker. */
  readonly storeIsShared: boolean
  /** The emitter failed to remove a route. */
  failed(error: unknown): void
}

/** The filters that other brokers must know: those with a subscriber here, each added to the emitter once. */
export class AdvertisedFilters {
  readonly #host: AdvertisedFiltersHost
  readonly #routes = new Map<string, Route>()
  #opened = false

  constructor(host: AdvertisedFiltersHost) {
    this.#host = host
  }

  /** The emitter is open: adds the filters that were subscribed before. */
  async open(): Promise<void> {
    this.#opened = true
    const adding = [...this.#routes].map(async ([name, route]) => this.#tell(name, route))
    await Promise.all(adding)
  }

  /** Returns when other brokers know the filter; rejects when they could not be told.
   * @param isStored a store brings QoS 1 and 2 */
  addSession(filter: string, isStored: boolean): MaybePromise<void> {
    return this.#add(nameOf(filter, this.#maximumQoS(isStored)))
  }

  removeSession(filter: string, isStored: boolean): void {
    this.#remove(nameOf(filter, this.#maximumQoS(isStored)))
  }

  /** At QoS 0 a group takes turns with those of other brokers. Where the store is not shared, each broker deals out all messages. */
  addGroup(filter: string, group: string): MaybePromise<void> {
    const turns = nameOf(group, 0)
    if (this.#host.storeIsShared) return this.#add(turns)
    return after(
      all([turns, nameOf(filter, 2)], name => this.#add(name)),
      () => undefined,
    )
  }

  removeGroup(filter: string, group: string): void {
    this.#remove(nameOf(group, 0))
    if (!this.#host.storeIsShared) this.#remove(nameOf(filter, 2))
  }

  addProgramSubscriber(filter: string): MaybePromise<void> {
    return this.#add(nameOf(filter, 2))
  }

  removeProgramSubscriber(filter: string): void {
    this.#remove(nameOf(filter, 2))
  }

  #maximumQoS(isStored: boolean): 0 | 2 {
    return isStored && this.#host.storeIsShared ? 0 : 2
  }

  #add(name: string): MaybePromise<void> {
    if (this.#host.emitter === undefined) return undefined
    let route = this.#routes.get(name)
    if (route === undefined) {
      route = { count: 0, added: false, adding: undefined }
      this.#routes.set(name, route)
    }
    route.count += 1
    if (!this.#opened) return undefined
    if (!route.added) return route.adding ?? this.#tell(name, route)
    // The others may have forgotten a broker that was away.
    return this.#host.emitter.routesStand?.()
  }

  #tell(name: string, route: Route): MaybePromise<void> {
    const telling = this.#host.emitter?.addRoute(name.slice(1), name.startsWith('0') ? 0 : 2)
    if (!isPromise(telling)) {
      route.added = true
      return undefined
    }
    route.adding = telling.then(
      () => {
        route.adding = undefined
        route.added = true
        if (route.count === 0) this.#withdraw(name)
      },
      (error: unknown) => {
        route.adding = undefined
        if (this.#routes.get(name) === route && route.count === 0) this.#routes.delete(name)
        throw error
      },
    )
    return route.adding
  }

  #remove(name: string): void {
    const route = this.#routes.get(name)
    if (route === undefined) return
    route.count -= 1
    if (route.count > 0) return
    if (route.added) this.#withdraw(name)
    else if (route.adding === undefined) this.#routes.delete(name)
  }

  #withdraw(name: string): void {
    this.#routes.delete(name)
    void recover(
      () => this.#host.emitter?.removeRoute(name.slice(1), name.startsWith('0') ? 0 : 2),
      error => this.#host.failed(error),
    )
  }
}

function nameOf(filter: string, maximumQoS: 0 | 2): string {
  return `${maximumQoS}${filter}`
}

import { deferred } from './deferred.ts'
import type { Deferred } from './deferred.ts'
import type { RouteName } from './route-table.ts'

/** What the routes of this broker need, and whom they tell. */
export interface OwnRoutesHost {
  /** Tells the others of changes (`+` or `-` with a route each); settles when they have applied them. */
  change(changes: readonly string[]): Promise<void>
  /** Calls `flush` at the end of this turn. */
  turnHasChanges(): void
}

interface OwnRoute {
  count: number
  /** Not all others have it yet. */
  adding: Promise<void> | undefined
}

/** Routes of this broker, counted. Changes of one turn are told together. */
export class OwnRoutes {
  readonly #host: OwnRoutesHost
  readonly #routes = new Map<RouteName, OwnRoute>()
  #changes: string[] = []
  #told: Deferred | undefined

  constructor(host: OwnRoutesHost) {
    this.#host = host
  }

  has(name: RouteName): boolean {
    return this.#routes.has(name)
  }

  get names(): readonly RouteName[] {
    return [...this.#routes.keys()]
  }

  /** Whether these are all, and all of these. */
  equal(names: readonly RouteName[]): boolean {
    return names.length === this.#routes.size && names.every(name => this.#routes.has(name))
  }

  /** What has to be changed (`+` or `-` with a route each) for those to be these. */
  changesSince(names: readonly RouteName[]): string[] {
    const before = new Set(names)
    const added = [...this.#routes.keys()].filter(name => !before.has(name)).map(name => `+${name}`)
    return [...added, ...names.filter(name => !this.#routes.has(name)).map(name => `-${name}`)]
  }

  /** Settles when the others have it. When they could not be told, it was not added. */
  add(name: RouteName): Promise<void> | undefined {
    const known = this.#routes.get(name)
    if (known !== undefined) {
      known.count += 1
      return known.adding
    }
    const route: OwnRoute = { count: 1, adding: undefined }
    this.#routes.set(name, route)
    const adding = this.#change(`+${name}`)
    route.adding = adding
    adding.then(
      () => void (route.adding = undefined),
      () => {
        if (this.#routes.get(name) === route) this.#routes.delete(name)
      },
    )
    return adding
  }

  /** Returns whether it was the last one. */
  remove(name: RouteName): { readonly isLast: boolean; readonly told: Promise<void> | undefined } {
    const route = this.#routes.get(name)
    if (route === undefined) return { isLast: false, told: undefined }
    route.count -= 1
    if (route.count > 0) return { isLast: false, told: undefined }
    this.#routes.delete(name)
    return { isLast: true, told: this.#change(`-${name}`) }
  }

  flush(): void {
    const [changes, told] = [this.#changes, this.#told]
    this.#changes = []
    this.#told = undefined
    told?.resolve(this.#host.change(changes))
  }

  #change(change: string): Promise<void> {
    this.#changes.push(change)
    if (this.#told === undefined) {
      this.#told = deferred()
      this.#host.turnHasChanges()
    }
    return this.#told.promise
  }
}

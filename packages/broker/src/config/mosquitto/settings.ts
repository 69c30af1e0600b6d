import type { ConfigPlace } from '../config-problem.ts'
import type { Value } from './values.ts'

/** A directive's value, and where it stands. */
export interface Setting {
  readonly value: Value
  readonly place: ConfigPlace
}

/** Directives of one scope, by the name that is no alias. */
export class Settings {
  /** Where the section begins; undefined: it was not begun by a directive. */
  readonly place: ConfigPlace | undefined
  readonly #values = new Map<string, Setting[]>()

  constructor(place?: ConfigPlace) {
    this.place = place
  }

  add(name: string, setting: Setting): void {
    const settings = this.#values.get(name)
    if (settings === undefined) this.#values.set(name, [setting])
    else settings.push(setting)
  }

  /** The last one. */
  get(name: string): Setting | undefined {
    return this.#values.get(name)?.at(-1)
  }

  all(name: string): readonly Setting[] {
    return this.#values.get(name) ?? []
  }

  text(name: string): string | undefined {
    const value = this.get(name)?.value
    return typeof value === 'string' ? value : undefined
  }

  whole(name: string): number | undefined {
    const value = this.get(name)?.value
    return typeof value === 'number' ? value : undefined
  }

  flag(name: string): boolean | undefined {
    const value = this.get(name)?.value
    return typeof value === 'boolean' ? value : undefined
  }
}

/** A plugin that Mosquitto would load, with its options. */
export interface PluginSettings {
  readonly place: ConfigPlace
  readonly path: string
  readonly options: Map<string, string>
  /** Whose clients it holds for. Empty: it is loaded, and not used. */
  readonly listeners: 'all' | Settings[]
}

/** A file of Mosquitto's, read, before anything is made of it. */
export interface MosquittoFile {
  readonly global: Settings
  /** In their order. `port` and `bind_address` have made the one that is `isDefault`. */
  readonly listeners: readonly Settings[]
  readonly plugins: readonly PluginSettings[]
  readonly bridges: readonly Settings[]
  /** What the user is told. */
  readonly notices: string[]
  /** What is wrong. */
  readonly problems: string[]
}

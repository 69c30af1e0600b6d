import { basename, dirname, join, parse } from 'node:path'
import { ConfigProblem, placed } from '../config-problem.ts'
import type { AccessConfig } from '../access-schema.ts'
import type { StoreConfig } from '../schema.ts'
import type { PluginSettings, Settings } from './settings.ts'

const instead =
  'plugins of Mosquitto are machine code for Mosquitto alone; known are mosquitto_password_file, mosquitto_acl_file, mosquitto_dynamic_security and mosquitto_persist_sqlite; tokens and questions by HTTP are access.tokens and access.http of a configuration in YAML'

/** Plugins of Mosquitto that are built in here, with the option that names their file, and others that they know. */
const builtIn = {
  password_file: { needed: 'password_file', known: [] },
  acl_file: { needed: 'acl_file', known: [] },
  dynamic_security: { needed: 'config_file', known: ['password_init_file'] },
  persist_sqlite: { needed: 'db_file', known: ['sync', 'flush_period', 'page_size'] },
} as const satisfies Readonly<Record<string, { needed: string; known: readonly string[] }>>

type BuiltIn = keyof typeof builtIn

const none: ReadonlyMap<string, string> = new Map()

/** Mosquitto's names for its data base, unless its user names it. */
const usualFiles = { database: 'mosquitto.db', sqlite: 'mosquitto.sqlite3' } as const

/** The plugins of a file, by what each does here. */
export class Plugins {
  readonly #known: readonly { readonly kind: BuiltIn; readonly settings: PluginSettings }[]
  readonly #global: Settings

  /** @throws ConfigProblem for a plugin that is not built in here, and for options that it does not know */
  constructor(plugins: readonly PluginSettings[], global: Settings) {
    this.#global = global
    this.#known = plugins.map(settings => ({ kind: this.#kindOf(settings), settings }))
  }

  /** Users and rules by the plugins that hold for a listener, or for all.
   * @throws ConfigProblem where two plugins of one kind hold for it */
  accessOf(listener: Settings | undefined): AccessConfig {
    const dynamic = this.#optionsOf('dynamic_security', listener)
    return {
      passwordFile: this.#optionsOf('password_file', listener).get('password_file'),
      aclFile: this.#optionsOf('acl_file', listener).get('acl_file'),
      dynamicSecurityFile: dynamic.get('config_file'),
      dynamicSecurityPasswordFile: dynamic.get('password_init_file'),
    }
  }

  /** Whether a plugin holds for this listener alone. */
  areOf(listener: Settings): boolean {
    return this.#known.some(({ settings: { listeners } }) => listeners !== 'all' && listeners.includes(listener))
  }

  /** Where sessions and messages are kept.
   * @param notices what the user is told is added */
  storeOf(notices: string[]): StoreConfig {
    const sqlite = this.#known.find(({ kind }) => kind === 'persist_sqlite')?.settings
    if (sqlite === undefined && this.#global.flag('persistence') !== true) return { memory: true }
    const data = this.#directoryOf(sqlite)
    if (sqlite !== undefined) {
      const sentence = `sessions and messages are kept in the directory ${data}, each on the disk when it is acknowledged; Mosquitto's data base is not read`
      notices.push(placed(sqlite.place, `plugin ${sqlite.path}: ${sentence}`))
    }
    return { data }
  }

  /** The directory in place of Mosquitto's data base: brokers that share its place differ by the name of its file. */
  #directoryOf(sqlite: PluginSettings | undefined): string {
    const location = this.#global.text('persistence_location')
    // The plugin has a name of its own for the file there.
    const given = location === undefined ? sqlite?.options.get('db_file') : usualFiles.sqlite
    const file = sqlite === undefined ? (this.#global.text('persistence_file') ?? usualFiles.database) : (given ?? '')
    const { name, base } = parse(file)
    const isUsual = base === usualFiles[sqlite === undefined ? 'database' : 'sqlite']
    const place = location ?? (sqlite === undefined ? '.' : dirname(file))
    return join(place, isUsual ? 'x-broker' : `x-broker-${name}`)
  }

  #kindOf({ path, place, options }: PluginSettings): BuiltIn {
    const name = basename(path).replace(/\.\w+$/, '')
    const kind = (Object.keys(builtIn) as BuiltIn[]).find(one => `mosquitto_${one}` === name)
    if (kind === undefined) throw new ConfigProblem([placed(place, `plugin ${path}: ${instead}`)])
    const { needed, known }: { needed: string; known: readonly string[] } = builtIn[kind]
    const unknown = [...options.keys()].find(one => one !== needed && !known.includes(one))
    // The data base stands in persistence_location, where that is given.
    const isPlaced = kind === 'persist_sqlite' && this.#global.get('persistence_location') !== undefined
    if (unknown === undefined && (options.has(needed) || isPlaced)) return kind
    const others =
      known.length === 0 ? 'no other option' : `beside it ${known.map(one => `plugin_opt_${one}`).join(', ')}`
    throw new ConfigProblem([placed(place, `plugin ${path} needs plugin_opt_${needed}, and knows ${others}`)])
  }

  /** None where it is not loaded. */
  #optionsOf(kind: BuiltIn, listener: Settings | undefined): ReadonlyMap<string, string> {
    const holding = this.#known.filter(
      ({ kind: one, settings: { listeners } }) =>
        one === kind && (listeners === 'all' || (listener !== undefined && listeners.includes(listener))),
    )
    const [first, second] = holding.map(one => one.settings)
    if (first === undefined) return none
    if (second === undefined || second.options.get(builtIn[kind].needed) === first.options.get(builtIn[kind].needed))
      return first.options
    const sentence = `plugin ${second.path}: ${first.path} holds for the same clients, and they can have one of the kind`
    throw new ConfigProblem([placed(second.place, sentence)])
  }
}

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigProblem, placed } from '../config-problem.ts'
import type { ConfigPlace } from '../config-problem.ts'
import { readText } from '../config-file.ts'
import { directives } from './directives.ts'
import type { Directive } from './directives.ts'
import { Settings } from './settings.ts'
import type { MosquittoFile, PluginSettings } from './settings.ts'
import { readValue } from './values.ts'
import type { Value } from './values.ts'

/** Begin the default listener, where they stand before any `listener`. */
const ofDefaultListener: ReadonlySet<string> = new Set(['port', 'bind_address'])

const plugins: ReadonlySet<string> = new Set(['plugin', 'global_plugin', 'plugin_load', 'plugin_use'])

/** One directive on its line. */
interface Line {
  readonly name: string
  readonly rest: string
  readonly place: ConfigPlace
}

/** Reads Mosquitto's format: a directive on each line, in sections that begin with `listener`, `connection` and `plugin`. All faults are
 * collected, not the first alone. */
export class MosquittoReader {
  readonly #global = new Settings()
  readonly #listeners: Settings[] = []
  readonly #plugins: PluginSettings[] = []
  readonly #problems: string[] = []
  readonly #notices: string[] = []
  #defaultListener: Settings | undefined
  #listener: Settings | undefined
  #plugin: PluginSettings | undefined
  /** Those that `plugin_load` has named. */
  readonly #loaded = new Map<string, PluginSettings>()
  readonly #bridges: Settings[] = []
  #bridge: Settings | undefined

  read(file: string): MosquittoFile {
    this.#readFile(file, 'main')
    return {
      global: this.#global,
      listeners: this.#listeners,
      plugins: this.#plugins,
      bridges: this.#bridges,
      notices: this.#notices,
      problems: this.#problems,
    }
  }

  #readFile(file: string, role: 'main' | 'included'): void {
    const scopes = { listener: this.#listener, plugin: this.#plugin, bridge: this.#bridge }
    if (role === 'included') this.#enter({ listener: undefined, plugin: undefined, bridge: undefined })
    for (const [index, raw] of readText(file).split('\n').entries()) {
      const line = raw.replace(/\r$/, '')
      if (line.startsWith('#') || line.replaceAll(' ', '') === '') continue
      const [, name = '', rest = ''] = /^ *([^ ]*) ?(.*)$/s.exec(line) ?? []
      const place = { file, line: index + 1 }
      try {
        if (name === 'include_dir') this.#include({ name, rest, place }, role)
        else this.#take({ name, rest, place })
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        this.#problems.push(placed(place, `${name} ${error.message}`))
      }
    }
    if (role === 'included') this.#enter(scopes)
  }

  #enter(scopes: {
    listener: Settings | undefined
    plugin: PluginSettings | undefined
    bridge: Settings | undefined
  }): void {
    this.#listener = scopes.listener
    this.#plugin = scopes.plugin
    this.#bridge = scopes.bridge
  }

  #include({ rest, place }: Line, role: 'main' | 'included'): void {
    if (role === 'included') throw new RangeError('may stand in the main file alone')
    const directory = rest.trim()
    let names: string[]
    try {
      names = readdirSync(directory)
    } catch (error) {
      throw new RangeError(`is '${directory}', which can't be read: ${(error as Error).message}`, { cause: error })
    }
    for (const name of names.filter(one => one.length > 5 && one.endsWith('.conf')).toSorted(inMosquittosOrder)) {
      try {
        this.#readFile(join(directory, name), 'included')
      } catch (error) {
        if (!(error instanceof ConfigProblem)) throw error
        this.#problems.push(placed(place, error.message))
      }
    }
  }

  #take(line: Line): void {
    const { name, rest, place } = line
    const found = directiveOf(name)
    if (found === undefined) throw new RangeError('is no directive of Mosquitto')
    const { directive, known } = found
    const value = readValue(directive.value, rest)
    const refusal = directive.refused?.(value)
    if (refusal !== undefined) throw new RangeError(`${shown(directive, value)}${refusal}`)
    const notice = directive.notice?.(value)
    if (notice !== undefined) this.#notices.push(placed(place, `${name}: ${notice}`))
    this.#keep({ directive, name, known, value, place })
  }

  #keep(given: {
    readonly directive: Directive
    readonly name: string
    readonly known: string
    readonly value: Value
    readonly place: ConfigPlace
  }): void {
    const { directive, name, known, value, place } = given
    if (known === 'listener') {
      this.#listener = new Settings(place)
      this.#listeners.push(this.#listener)
      this.#listener.add('listener', { value, place })
    } else if (known === 'connection') this.#beginBridge(value, place)
    else if (ofDefaultListener.has(known)) {
      this.#listener = this.#openDefault(place)
      this.#listener.add(known, { value, place })
    } else if (plugins.has(known)) this.#takePlugin(known, String(value), place)
    else if (directive.scope === 'plugin') this.#addToPlugin(name, String(value))
    else {
      const settings = this.#scopeOf(directive, place)
      const isTwice =
        directive.value.kind === 'text' && directive.lastWins !== true && settings.get(known) !== undefined
      if (isTwice) throw new RangeError('stands there twice')
      if (known === 'per_listener_settings') this.#checkPerListener(value)
      settings.add(known, { value, place })
    }
  }

  #beginBridge(value: Value, place: ConfigPlace): void {
    const isTwice = this.#bridges.some(bridge => bridge.text('connection') === value)
    this.#bridge = new Settings(place)
    // What belongs to a second one of the same name is read all the same: no fault in it hides behind the first.
    this.#bridges.push(this.#bridge)
    this.#bridge.add('connection', { value, place })
    if (isTwice) throw new RangeError(`${String(value)} stands there twice`)
  }

  #openDefault(place: ConfigPlace): Settings {
    this.#defaultListener ??= new Settings(place)
    if (!this.#listeners.includes(this.#defaultListener)) this.#listeners.unshift(this.#defaultListener)
    return this.#defaultListener
  }

  get #isPerListener(): boolean {
    return this.#global.flag('per_listener_settings') === true
  }

  #scopeOf(directive: Directive, place: ConfigPlace): Settings {
    if (directive.scope === 'bridge') {
      if (this.#bridge === undefined) throw new RangeError('needs a connection before it')
      return this.#bridge
    }
    const isOwn = directive.scope === 'listener' || (directive.perListener === true && this.#isPerListener)
    if (!isOwn) return this.#global
    if (this.#listener !== undefined) return this.#listener
    if (directive.needsListener === true || directive.perListener === true) {
      throw new RangeError('needs a listener before it')
    }
    // Its port is opened only where something else has opened it, as with Mosquitto.
    this.#defaultListener ??= new Settings(place)
    return this.#defaultListener
  }

  #checkPerListener(value: Value): void {
    if (value === false && this.#isPerListener) throw new RangeError('is false, but it was true before')
    const earlier = Object.entries(directives).find(
      ([name, { perListener }]) => perListener === true && this.#global.get(name) !== undefined,
    )
    if (value === true && earlier !== undefined) throw new RangeError(`must stand before ${earlier[0]}`)
  }

  #takePlugin(directive: string, value: string, place: ConfigPlace): void {
    if (directive === 'plugin_use') this.#usePlugin(value)
    else if (directive === 'plugin_load') this.#loadPlugin(value, place)
    else if (directive === 'global_plugin' || !this.#isPerListener) this.#beginPlugin(value, place, 'all')
    else if (this.#listener === undefined) throw new RangeError('needs a listener before it')
    else this.#beginPlugin(value, place, [this.#listener])
  }

  #beginPlugin(path: string, place: ConfigPlace, listeners: PluginSettings['listeners']): PluginSettings {
    this.#plugin = { path, place, options: new Map(), listeners }
    this.#plugins.push(this.#plugin)
    return this.#plugin
  }

  #loadPlugin(text: string, place: ConfigPlace): void {
    const [, name = '', path = ''] = /^(\S+) +(.+)$/.exec(text) ?? []
    if (path === '') throw new RangeError(`is '${text}', it must be a name and the path of a plugin`)
    if (this.#loaded.has(name)) throw new RangeError(`${name} stands there twice`)
    this.#loaded.set(name, this.#beginPlugin(path, place, []))
  }

  #usePlugin(name: string): void {
    if (this.#listener === undefined) throw new RangeError('needs a listener before it')
    const plugin = this.#loaded.get(name)
    if (plugin === undefined) throw new RangeError(`is '${name}', which no plugin_load before it has named`)
    this.#plugin = plugin
    if (plugin.listeners !== 'all') plugin.listeners.push(this.#listener)
  }

  #addToPlugin(name: string, value: string): void {
    if (this.#plugin === undefined) throw new RangeError('needs a plugin before it')
    this.#plugin.options.set(name.replace(/^(plugin|auth)_opt_/, ''), value)
  }
}

function directiveOf(name: string): { directive: Directive; known: string } | undefined {
  const [, family] = /^(plugin_opt_|auth_opt_).{3,}/.exec(name) ?? []
  const key = family === undefined ? name : `${family}*`
  const directive = Object.hasOwn(directives, key) && !name.endsWith('*') ? directives[key] : undefined
  return directive && { directive, known: directive.alias ?? key }
}

function shown(directive: Directive, value: Value): string {
  return directive.value.kind === 'text' ? `${String(value)}: ` : `is ${String(value)}: `
}

/** Character by character, letters in upper case first, and of two that differ in their case alone the upper one. */
function inMosquittosOrder(first: string, second: string): number {
  const [one, other] = [first.toUpperCase(), second.toUpperCase()]
  if (one === other) return first < second ? -1 : 1
  return one < other ? -1 : 1
}

import { problemsOfBridges } from './bridges.ts'
import { ConfigProblem } from './config-problem.ts'
import { readConfigFile } from './config-file.ts'
import { configOfEnvironment } from './environment.ts'
import { merged } from './merge.ts'
import { readMosquittoFile } from './mosquitto/convert.ts'
import type { Converted } from './mosquitto/convert.ts'
import type { Config } from './schema.ts'

/** Where a configuration comes from; what stands later outweighs what stands before. */
export interface ConfigSources {
  readonly file: string | undefined
  readonly environment: NodeJS.ProcessEnv
  readonly flags: Config
}

/** A configuration that was read and checked. */
export interface LoadedConfig {
  readonly config: Config
  /** What the user is told: directives that mean nothing here, or something slightly else. */
  readonly notices: readonly string[]
}

/** The file, the environment and the command line as one configuration.
 * @throws ConfigProblem */
export function loadConfig({ file, environment, flags }: ConfigSources): LoadedConfig {
  const isMosquittos = file?.endsWith('.conf') === true
  const read: Converted = isMosquittos ? readMosquittoFile(file) : { config: ownConfig(file), notices: [], rules: {} }
  const { listeners: given, ...others } = flags
  const kept = isMosquittos && read.config.listeners !== undefined && given !== undefined
  const sources = [read.config, configOfEnvironment(environment), others, kept ? {} : { listeners: given }]
  const config = withRules(merged<Config>(...onePlace(sources)), read.config.listeners === undefined ? read.rules : {})
  const notice = `${file}: --port is ignored, since there are listeners, as with Mosquitto`
  checkTogether(config)
  return { config, notices: kept ? [...read.notices, notice] : read.notices }
}

function ownConfig(file: string | undefined): Config {
  return file === undefined ? {} : readConfigFile(file)
}

/** What a file without listeners says of all clients holds for those of the command line, or for the one that is there by default. */
function withRules(config: Config, rules: Converted['rules']): Config {
  if (Object.keys(rules).length === 0) return config
  const { listeners = [{ protocols: ['mqtt'], port: 1883 }] } = config
  return { ...config, listeners: listeners.map(listener => Object.assign({}, rules, listener)) }
}

const places = ['data', 'memory', 'redis'] as const

/** A later source that names a place for the store, or a mesh, leaves nothing of an earlier one's. */
function onePlace(sources: readonly Config[]): Config[] {
  const store = sources.findLastIndex(one => places.some(place => one.store?.[place] !== undefined))
  const mesh = sources.findLastIndex(one => one.mesh !== undefined)
  return sources.map((source, index) =>
    Object.assign({}, source, index < store && { store: undefined }, index < mesh && { mesh: undefined }),
  )
}

/** What each key alone does not show. */
function checkTogether(config: Config): void {
  const { store = {}, mesh, bridges = [], listeners = [] } = config
  const problems: string[] = []
  const named = places.filter(place => store[place] !== undefined && store[place] !== false)
  if (named.length > 1)
    problems.push(`${named.map(place => `store.${place}`).join(' and ')} are two places for one store`)
  if (store.durability !== undefined && named.some(place => place !== 'data')) {
    problems.push(`store.durability needs a directory, but store.${named[0]} is given`)
  }
  if (store.redisDurability !== undefined && store.redis === undefined) {
    problems.push('store.redisDurability needs store.redis')
  }
  if (mesh !== undefined && (mesh.directory === undefined) === (mesh.listen === undefined)) {
    problems.push('mesh needs either directory or listen')
  }
  problems.push(...problemsOfBridges(bridges), ...problemsOfWorkers(config), ...problemsOfDynamicSecurity(config))
  problems.push(...problemsOfTokens(config))
  for (const [index, { tls, protocols: spoken = [], socketPath, port, host }] of listeners.entries()) {
    const name = `listeners[${index}]`
    const isSecure = spoken.some(one => one === 'mqtts' || one === 'wss')
    if (isSecure && tls === undefined)
      problems.push(`${name}.tls is missing: ${spoken.join(', ')} need a certificate and a key`)
    if (!isSecure && tls !== undefined && spoken.length > 0)
      problems.push(`${name}.tls is given, but protocols has neither mqtts nor wss`)
    if (tls !== undefined && (tls.cert === undefined) !== (tls.key === undefined))
      problems.push(`${name}.tls.cert and ${name}.tls.key must be given together`)
    if (tls !== undefined && tls.cert === undefined && tls.psk === undefined)
      problems.push(`${name}.tls needs cert and key, or psk`)
    if (socketPath !== undefined && (port !== undefined || host !== undefined))
      problems.push(`${name}.socketPath takes the place of port and host`)
  }
  if (problems.length > 0) throw new ConfigProblem(problems)
}

function problemsOfDynamicSecurity({ access, listeners = [] }: Config): string[] {
  const files = [access, ...listeners.map(listener => listener.access)].flatMap(one => one?.dynamicSecurityFile ?? [])
  const [first, other] = new Set(files)
  return other === undefined
    ? []
    : [`dynamicSecurityFile is '${other}', it must be '${first}' as elsewhere: there is one`]
}

const keySources = ['secretFile', 'publicKeyFile', 'keysFile', 'keysUrl'] as const

function problemsOfTokens({ access, listeners = [] }: Config): string[] {
  const accesses: readonly (readonly [string, Config['access']])[] = [
    ['access', access],
    ...listeners.map((listener, index) => [`listeners[${index}].access`, listener.access] as const),
  ]
  return accesses.flatMap(([place, one]) => {
    if (one?.tokens === undefined) return []
    const given = keySources.filter(name => one.tokens?.[name] !== undefined)
    return given.length === 1
      ? []
      : [`${place}.tokens needs one of ${keySources.join(', ')}, it has ${given.join(' and ') || 'none'}`]
  })
}

/** What one process alone can have. */
function problemsOfWorkers(config: Config): string[] {
  const { workers = 1, mesh, id, access, listeners = [] } = config
  if (workers === 1) return []
  const isDynamic = [access, ...listeners.map(listener => listener.access)].some(
    one => one?.dynamicSecurityFile !== undefined,
  )
  return [
    ...(mesh === undefined ? [] : ['mesh is given, but workers are connected by a mesh of their own']),
    ...(id === undefined ? [] : ['id is given, but each of the workers has one of its own']),
    ...(isDynamic ? ['dynamicSecurityFile is given, but each of the workers would change it'] : []),
    ...(config.controlApi === true ? ['controlApi is given, but each of the workers would answer'] : []),
  ]
}

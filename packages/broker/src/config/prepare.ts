import { homedir } from 'node:os'
import type { AccessOptions, AccessPolicy, DynamicSecurity } from '@x/auth'
import type { AdminOptions, MosquittoApiListener } from '@x/admin'
import type { BridgeOptions } from '@x/bridge'
import { metrics } from '@x/metrics'
import type { Metrics } from '@x/metrics'
import { sysTopics } from '@x/sys-topics'
import { readMesh } from '../command/mesh-line.ts'
import { stateDirectory } from '../command/state-directory.ts'
import { readTlsFiles } from '../command/tls-files.ts'
import type { BrokerOptions } from '../broker-options.ts'
import type { ListenOptions } from '../listener/listen-options.ts'
import { speaksTls } from '../listener/protocols.ts'
import { httpApiName, preparedAdmin, preparedHttpApis } from './admin.ts'
import { preparedBridges } from './bridges.ts'
import type { AccessConfig } from './access-schema.ts'
import { PolicyFiles, hasLogins, loginsOf } from './policy-files.ts'
import type { Config, ListenerConfig, MetricsConfig, StoreConfig } from './schema.ts'

/** A configuration with all its files read: what a broker is made of. */
export interface Prepared {
  readonly options: BrokerOptions
  /** Of the API and the dashboard; undefined: there are none. */
  readonly admin: AdminOptions | undefined
  /** Places of Mosquitto's HTTP API. */
  readonly httpApis: readonly MosquittoApiListener[]
  /** The one of the plugins that serves metrics; undefined: none does. */
  readonly metrics: Metrics | undefined
  readonly listeners: readonly PreparedListener[]
  /** Beside the options, since they can be changed while the broker runs. */
  readonly bridges: readonly BridgeOptions[]
  /** Undefined: everybody may do everything. */
  readonly access: AccessOptions | undefined
  /** Users and rights that commands change; part of `access`. */
  readonly dynamicSecurity: DynamicSecurity | undefined
  /** Whether `$CONTROL/broker/v1` executes commands. */
  readonly controlApi: boolean
  /** Listeners that let in nobody who has no password, although the configuration doesn't say so. */
  readonly closed: readonly string[]
}

/** A listener of a configuration, ready to listen. */
export interface PreparedListener {
  readonly config: ListenerConfig
  readonly options: ListenOptions & { readonly name: string }
}

const defaultPort = 1883
const loopback: readonly string[] = ['127.0.0.1', '::1']

/** How a configuration is prepared. */
export interface PrepareOptions {
  /** Of the names of TLS options, for errors; undefined: they are keys of their listener. */
  readonly tlsPrefix?: string | undefined
  /** Of the running broker. It goes on where the configuration still names its file, since it alone knows and changes its users. */
  readonly dynamicSecurity?: DynamicSecurity | undefined
}

/** @throws TlsFileError, AuthError */
export function prepare(config: Config, { tlsPrefix, dynamicSecurity }: PrepareOptions = {}): Prepared {
  const { id, responseInformation, limits = {}, mesh, statistics = {}, store = {}, workers = 1 } = config
  const { interval = 10 } = statistics
  const listeners = preparedListeners(config.listeners ?? [{ protocols: ['mqtt'], port: defaultPort }], tlsPrefix)
  const loginsAtATime = loginsOf([config.access, ...listeners.map(one => one.config.access)])
  const metricsPlugin = config.metrics === undefined ? undefined : metricsOf(config.metrics, workers)
  return {
    admin: preparedAdmin(config.admin),
    httpApis: preparedHttpApis(config.httpApi ?? []),
    metrics: metricsPlugin,
    options: {
      ...(loginsAtATime > 0 && { maximumConcurrentAuthentications: loginsAtATime }),
      ...limits,
      ...(id !== undefined && { id }),
      ...(responseInformation !== undefined && { responseInformation }),
      ...storeOptions(store),
      ...(mesh !== undefined && { mesh: readMesh(mesh) }),
      ...(config.log?.maximumRate !== undefined && { maximumLogRate: config.log.maximumRate }),
      ...(config.tracing !== undefined && { tracing: withoutUndefined(config.tracing) }),
      plugins: [
        ...(interval === 0 ? [] : [sysTopics({ interval: interval * 1000 })]),
        ...(metricsPlugin === undefined ? [] : [metricsPlugin]),
      ],
    },
    listeners,
    bridges: preparedBridges(config.bridges ?? []),
    ...preparedAccess(config, [...listeners, ...asListeners(config)], dynamicSecurity),
    controlApi: config.controlApi === true,
  }
}

/** With workers, `process_…` would be of the worker that is asked; `mqtt_worker_…` has all of them. */
function metricsOf({ port, host, storeTimeout }: MetricsConfig, workers: number | 'auto'): Metrics {
  return metrics({
    listen: { ...(port !== undefined && { port }), ...(host !== undefined && { host }) },
    process: workers === 1,
    ...(storeTimeout !== undefined && { storeTimeout }),
  })
}

/** Brokers share a directory when each of them is told its name; nobody shares the platform's by accident. */
function storeOptions(store: StoreConfig): Pick<BrokerOptions, 'data' | 'redis'> {
  const { data, memory, durability = 'disk', redis, redisDurability = 'redis' } = store
  if (redis !== undefined) return { redis: { redis, durability: redisDurability } }
  if (data !== undefined) return { data: { directory: data, durability } }
  if (memory === true) return {}
  const directory = stateDirectory({ platform: process.platform, environment: process.env, home: homedir() })
  return { data: { directory, durability, exclusive: true } }
}

function preparedListeners(configs: readonly ListenerConfig[], tlsPrefix: string | undefined): PreparedListener[] {
  const names = new Set<string>()
  return configs.map((config, index) => {
    const { access: _access, tls, host: _host, name, ...rest } = config
    const spoken = config.protocols ?? [tls === undefined ? ('mqtt' as const) : ('mqtts' as const)]
    const options = {
      ...rest,
      protocols: spoken,
      ...hostOption(config),
      ...(tls !== undefined &&
        speaksTls(spoken) && { tls: readTlsFiles(tls, tlsPrefix ?? `listeners[${index}].tls.`) }),
      name: freeName(name ?? `${spoken.join(',')}:${config.socketPath ?? config.port ?? defaultPort}`, names),
    }
    return { config, options: withoutUndefined(options) }
  })
}

/** Rights go by the listener's name. */
function freeName(wanted: string, names: Set<string>): string {
  let name = wanted
  for (let count = 2; names.has(name); count += 1) name = `${wanted}.${count}`
  names.add(name)
  return name
}

function hostOption({ host, socketPath }: ListenerConfig): { host?: string | readonly string[] } {
  if (socketPath !== undefined || host === '*') return {}
  return { host: host ?? loopback }
}

/** Values that are given. */
type Given<Value> = { [Name in keyof Value]: Exclude<Value[Name], undefined> }

function withoutUndefined<Value extends object>(value: Value): Given<Value> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Given<Value>
}

/** Whether only this machine, or who has shown a certificate or a key, can come in. */
function isSheltered({ host, socketPath, tls, protocols: spoken = [] }: ListenerConfig): boolean {
  const isLocal = socketPath !== undefined || host === undefined || [host].flat().every(isLoopback)
  const isTlsAlone = !spoken.includes('mqtt') && !spoken.includes('ws')
  const showsKey =
    tls !== undefined && (tls.clientCertificates === 'required' || (tls.psk !== undefined && tls.cert === undefined))
  return isLocal || (isTlsAlone && showsKey)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** Who may ask the HTTP API is decided as who may come in by a listener. */
function asListeners({ httpApi = [] }: Config): readonly PreparedListener[] {
  return httpApi.map(({ host, access }, index) => ({
    config: { host, access },
    options: { name: httpApiName(index) },
  }))
}

function preparedAccess(
  config: Config,
  listeners: readonly PreparedListener[],
  running: DynamicSecurity | undefined,
): Pick<Prepared, 'access' | 'closed' | 'dynamicSecurity'> {
  const general = config.access ?? {}
  const files = new PolicyFiles(general.maximumConcurrentHashes, running)
  const closed: string[] = []
  const policies: Record<string, AccessPolicy> = Object.create(null) as Record<string, AccessPolicy>
  for (const { config: listener, options } of listeners) {
    const own = { ...general, ...withoutUndefined(listener.access ?? {}) } as AccessConfig
    const isOpen = !hasLogins(own) && isSheltered(listener)
    const allowAnonymous = own.allowAnonymous ?? isOpen
    if (!allowAnonymous && !hasLogins(own) && own.allowAnonymous === undefined) closed.push(options.name)
    policies[options.name] = {
      ...files.policyOf(own),
      allowAnonymous,
    }
  }
  const isFree = Object.values(policies).every(
    ({ logins = [], rules = [], dynamicSecurity, authority, allowAnonymous }) =>
      logins.length + rules.length === 0 &&
      dynamicSecurity === undefined &&
      authority === undefined &&
      allowAnonymous === true,
  )
  const access = isFree ? undefined : { listeners: policies }
  return { access, closed, dynamicSecurity: files.dynamicSecurity }
}

import { parseArgs } from 'node:util'
import type { Durability } from '@x/persistence-lmdb'
import { merged } from '../config/merge.ts'
import type { Config, ListenerConfig } from '../config/schema.ts'
import type { TlsConfig } from '../config/tls-schema.ts'
import { parseDataCommandLine } from './data-command-line.ts'
import type { DataCommand } from './data-command-line.ts'
import { lineOptions } from './line-options.ts'
import { ListenUrlError, parseListenUrl } from './listen-url.ts'
import { meshLineOptions, meshOf } from './mesh-line.ts'
import { Refusal } from './refusal.ts'

/** Values of `--log-level`, from the most lines to none. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const redisDurabilities = ['redis', 'replicated'] as const

const greatestPort = 65_535
const greatestWorkers = 256
/** Seconds, as with Mosquitto. */
const greatestSysInterval = 65_535
/** ms. */
const greatestInterval = 60_000
/** Bytes. */
const greatestLogBuffer = 1_073_741_824

/** What a command line asks for. */
export type Command =
  | {
      readonly kind: 'run'
      /** - `run`: the broker
       * - `check`: reads all files and says whether they are well
       * - `print`: prints the configuration
       * - `printSecrets`: the same with its passwords and keys */
      readonly task: 'run' | 'check' | 'print' | 'printSecrets'
      /** The file of the configuration. */
      readonly file: string | undefined
      /** What the options say: it outweighs the file and the environment. */
      readonly flags: Config
    }
  | DataCommand
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

const options = { ...lineOptions, ...meshLineOptions } as const

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

/** Understands a command line; never throws. */
export function parseCommandLine(parameters: readonly string[]): Command {
  if (parameters[0] === 'data') return parseDataCommandLine(parameters.slice(1))
  try {
    const { values } = parseArgs({
      args: joinNegative(parameters),
      strict: true,
      allowPositionals: false,
      options,
    })
    if (values.help === true) return { kind: 'help' }
    if (values.version === true) return { kind: 'version' }
    return commandOf(values)
  } catch (error) {
    // Node's further lines are advice on its parser, not on this command.
    const [message = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    return { kind: 'refuse', message }
  }
}

/** Node takes what begins with a dash for an option, and asks whether a value was meant. A number is a value. */
function joinNegative(parameters: readonly string[]): string[] {
  const joined: string[] = []
  for (const parameter of parameters) {
    const last = joined.at(-1)
    const isValue = /^-[\d.]/.test(parameter) && last !== undefined && takesValue(last)
    if (isValue) joined[joined.length - 1] = last.startsWith('--') ? `${last}=${parameter}` : `${last}${parameter}`
    else joined.push(parameter)
  }
  return joined
}

function takesValue(parameter: string): boolean {
  return Object.entries(options).some(
    ([name, option]) =>
      option.type === 'string' &&
      (parameter === `--${name}` || ('short' in option && parameter === `-${option.short}`)),
  )
}

function commandOf(values: Values): Command {
  const { config: file, 'print-config': print } = values
  const isChecked = values['check-config'] === true || values['test-config'] === true
  if (file === '') throw new Refusal("--config is '', it must be the path of a file")
  if (isChecked && file === undefined) throw new Refusal('--check-config needs --config')
  const printed = values['show-secrets'] === true ? 'printSecrets' : 'print'
  if (printed === 'printSecrets' && print !== true) throw new Refusal('--show-secrets needs --print-config')
  return {
    kind: 'run',
    task: isChecked ? 'check' : print === true ? printed : 'run',
    file,
    flags: merged<Config>(storeOf(values), logOf(values), accessOf(values), {
      listeners: listenersOf(values),
      mesh: meshOf(values),
      workers: workersOf(values.workers),
      metrics: portOf(values, 'metrics'),
      admin: portOf(values, 'admin'),
      statistics:
        values['sys-interval'] === undefined
          ? undefined
          : { interval: whole('sys-interval', values['sys-interval'], greatestSysInterval) },
    }),
  }
}

function storeOf(values: Values): Config {
  const { data, memory, redis, 'data-durability': durability, 'redis-durability': redisDurability } = values
  if (data === '') throw new Refusal("--data is '', it must be the path of a directory")
  const given = Object.entries({ data, memory, redis }).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  const [place = '', other] = given
  if (other !== undefined) throw new Refusal(`--${place} and --${other} are two places for one store`)
  if (durability !== undefined && given.length > 0 && data === undefined) {
    throw new Refusal(`--data-durability needs a directory, but --${place} is given`)
  }
  if (redis === undefined && redisDurability !== undefined) throw new Refusal('--redis-durability needs --redis')
  if (given.length === 0 && durability === undefined) return {}
  return {
    store: {
      data,
      memory,
      redis,
      ...(durability !== undefined && { durability: dataDurabilityOf(durability) }),
      ...(redisDurability !== undefined && {
        redisDurability: oneOf('redis-durability', redisDurabilities, redisDurability),
      }),
    },
  }
}

function workersOf(text: string | undefined): Config['workers'] {
  if (text === undefined || text === 'auto') return text
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= greatestWorkers) return Number(text)
  throw new Refusal(`--workers is '${text}', it must be a whole number from 1 to ${greatestWorkers}, or auto`)
}

/** Where something is served beside MQTT. */
function portOf(
  values: Values,
  name: 'metrics' | 'admin',
): { host: string | undefined; port: number | undefined } | undefined {
  const { [`${name}-port` as const]: port, [`${name}-host` as const]: host } = values
  if (port === undefined && host === undefined) return undefined
  if (host === '') throw new Refusal(`--${name}-host is '', it must be an address or a host name`)
  return { host, port: port === undefined ? undefined : whole(`${name}-port`, port, greatestPort) }
}

function dataDurabilityOf(text: string): Durability {
  if (text === 'disk' || text === 'process') return text
  const [, interval = '0'] = /^interval:(\d{1,5})$/.exec(text) ?? []
  const milliseconds = Number(interval)
  if (milliseconds > 0 && milliseconds <= greatestInterval) return `interval:${milliseconds}`
  throw new Refusal(
    `--data-durability is '${text}', it must be one of disk, process, interval:MS (1 to ${greatestInterval} ms)`,
  )
}

function logOf(values: Values): Config {
  const { 'log-level': level, 'log-buffer': buffer, verbose, quiet } = values
  const wanted =
    quiet === true
      ? 'silent'
      : verbose === true
        ? 'debug'
        : level === undefined
          ? undefined
          : oneOf('log-level', logLevels, level)
  if (wanted === undefined && buffer === undefined) return {}
  return {
    log: { level: wanted, ...(buffer !== undefined && { buffer: whole('log-buffer', buffer, greatestLogBuffer) }) },
  }
}

function accessOf(values: Values): Config {
  const { 'password-file': passwordFile, 'acl-file': aclFile, 'allow-anonymous': allowAnonymous } = values
  if (passwordFile === undefined && aclFile === undefined && allowAnonymous === undefined) return {}
  if (passwordFile === '' || aclFile === '') throw new Refusal('--password-file and --acl-file must name a file')
  return { access: { passwordFile, aclFile, allowAnonymous } }
}

/** Undefined: the options say nothing of them. */
function listenersOf(values: Values): ListenerConfig[] | undefined {
  const { port, host, listen } = values
  const tls = tlsOf(values)
  const proxies = trustedOf(values['trust-proxy'])
  const more = proxies === undefined ? {} : { trustProxy: true, trustedProxies: proxies }
  if (listen === undefined) {
    if (host === '') throw new Refusal("--host is '', it must be an address or a host name")
    if (port === undefined && host === undefined && tls === undefined && proxies === undefined) return undefined
    const number = whole('port', port ?? (tls === undefined ? '1883' : '8883'), greatestPort)
    const spoken = tls === undefined ? ('mqtt' as const) : ('mqtts' as const)
    return [{ protocols: [spoken], port: number, ...(host !== undefined && { host }), ...(tls && { tls }), ...more }]
  }
  if (port !== undefined || host !== undefined) throw new Refusal('--listen takes the place of --port and --host')
  const listeners = listen.map(listenerAt)
  const secured = listeners.some(isSecure)
  if (secured && tls === undefined)
    throw new Refusal('--listen with mqtts or wss needs --tls-cert and --tls-key, or --tls-psk')
  if (!secured && tls !== undefined) throw new Refusal('--tls-… is given, but --listen has neither mqtts nor wss')
  return listeners.map(listener => Object.assign(listener, isSecure(listener) && tls && { tls }, more))
}

function isSecure({ protocols: spoken = [] }: ListenerConfig): boolean {
  return spoken.includes('mqtts') || spoken.includes('wss')
}

/** A URL says where it listens: without a host at all addresses. */
function listenerAt(url: string): ListenerConfig {
  try {
    const { socketPath, host = '*', ...rest } = parseListenUrl(url)
    return socketPath === undefined ? { ...rest, host } : { ...rest, socketPath }
  } catch (error) {
    if (!(error instanceof ListenUrlError)) throw error
    throw new Refusal(`--listen ${error.message}`, { cause: error })
  }
}

function tlsOf(values: Values): TlsConfig | undefined {
  const { 'tls-cert': cert, 'tls-key': key, 'tls-ca': ca, 'tls-psk': psk } = values
  const clientCertificates = values['tls-client-cert'] ?? (ca === undefined ? 'none' : 'required')
  if (clientCertificates !== 'none' && clientCertificates !== 'optional' && clientCertificates !== 'required') {
    throw new Refusal(`--tls-client-cert is '${clientCertificates}', it must be none, optional or required`)
  }
  if ((cert === undefined) !== (key === undefined)) throw new Refusal('--tls-cert and --tls-key must be given together')
  const identityAsUsername = values['tls-identity-as-username'] === true
  if (cert === undefined && psk === undefined) {
    const others =
      ca !== undefined || identityAsUsername || clientCertificates !== 'none' || values['tls-server'] !== undefined
    if (others) throw new Refusal('--tls-… needs --tls-cert and --tls-key, or --tls-psk')
    return undefined
  }
  const servers = values['tls-server']?.map(serverOf)
  return merged<TlsConfig>({
    cert,
    key,
    ca,
    clientCertificates,
    identityAsUsername: identityAsUsername || undefined,
    psk,
    servers,
  })
}

function serverOf(text: string): { name: string; cert: string; key: string } {
  const [name = '', files = ''] = text.split('=')
  const [cert = '', key = '', ...rest] = files.split(',')
  if (name === '' || cert === '' || key === '' || rest.length > 0) {
    throw new Refusal(`--tls-server is '${text}', it must be NAME=CERT,KEY`)
  }
  return { name, cert, key }
}

function trustedOf(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined
  if (text === '') throw new Refusal("--trust-proxy is '', it must be addresses, networks, or 'all'")
  return text === 'all' ? [] : text.split(',')
}

function oneOf<Word extends string>(name: string, words: readonly Word[], text: string): Word {
  const found = words.find(word => word === text)
  if (found !== undefined) return found
  throw new Refusal(`--${name} is '${text}', it must be one of ${words.join(', ')}`)
}

function whole(name: string, text: string, greatest: number): number {
  const number = Number(text)
  if (/^\d{1,10}$/.test(text) && number <= greatest) return number
  throw new Refusal(`--${name} is '${text}', it must be a whole number from 0 to ${greatest}`)
}

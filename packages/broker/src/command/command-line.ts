import { parseArgs } from 'node:util'
import type { Durability } from '@x/persistence-lmdb'
import type { ListenOptions } from '../listener/listen-options.ts'
import { parseDataCommandLine } from './data-command-line.ts'
import type { DataCommand } from './data-command-line.ts'
import { ListenUrlError, parseListenUrl } from './listen-url.ts'
import { meshLineOptions, meshOf } from './mesh-line.ts'
import type { MeshLine } from './mesh-line.ts'
import { Refusal } from './refusal.ts'
import type { TlsFiles } from './tls-files.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

const redisDurabilities = ['redis', 'replicated'] as const
export type RedisDurability = (typeof redisDurabilities)[number]

const greatestPort = 65_535
/** Seconds: an hour. */
const greatestSysInterval = 3600

/** ms. */
const greatestInterval = 60_000

/** Bytes. */
const defaultLogBuffer = 1_048_576
const greatestLogBuffer = 1_073_741_824

/** What a command line asks for. */
export type Command =
  | {
      readonly kind: 'run'
      /** Without `tls`, which comes from the files. At least one. */
      readonly listeners: readonly ListenOptions[]
      readonly tls: TlsFiles | undefined
      /** Undefined: no proxy is trusted; empty: all are. */
      readonly trustedProxies: readonly string[] | undefined
      /** The directory of the store; undefined: the platform's state directory, unless `memory` or `redis` is set. */
      readonly data: string | undefined
      /** Nothing is kept over a restart. */
      readonly memory: boolean
      /** When what is stored in the directory counts as stored. */
      readonly dataDurability: Durability
      /** The Redis that has the store; undefined: a directory or the memory has it. */
      readonly redis: string | undefined
      /** What Redis must have done before an answer counts. */
      readonly redisDurability: RedisDurability
      /** How it is connected to other brokers, other than by Redis; undefined: not at all. */
      readonly mesh: MeshLine | undefined
      readonly logLevel: LogLevel
      /** Bytes of the log that wait for an output which takes none; then lines are dropped. */
      readonly logBuffer: number
      /** Seconds; 0: no statistics. */
      readonly sysInterval: number
    }
  | DataCommand
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

export const usage: string = `x-broker: an MQTT broker (3.1, 3.1.1, 5.0)

  x-broker [options]
  x-broker data …        looks at a directory that it keeps, exports, imports, backs up: see x-broker data --help

  -p, --port NUMBER      port for MQTT; 0: any free one (default 1883, with TLS 8883)
  -H, --host ADDRESS     address to bind (default: all)
  -L, --listen URL       instead of the two, and as often as you like: mqtt, mqtts, ws, wss, or several of them on one
                         port, at an address or a file
                           mqtt://127.0.0.1:1883       wss://:8084/mqtt?origins=https://example.org
                           mqtt+mqtts+ws+wss://:1883   mqtt+unix:/run/mqtt.sock
                         ?name= ?allow=10.0.0.0/8,::1 ?deny= ?origins= ?max-connections= ?max-rate= (a second)
                         ?connect-timeout= (ms)   ws, wss: ?max-payload= (bytes) ?packets-per-frame=one|many
                         ?strict-subprotocol=true|false
      --tls-cert FILE, --tls-key FILE      certificate and key (PEM) for mqtts and wss; read again on SIGHUP
      --tls-server NAME=CERT,KEY           files for a further server name (SNI); may be repeated
      --tls-ca FILE                        who signs the clients' certificates
      --tls-client-cert WHEN               none, optional or required (default: required with --tls-ca)
      --tls-identity-as-username           the certificate's Common Name, or the PSK identity, is the user name
      --tls-psk FILE                       pre-shared keys, lines identity:hexadecimal
      --trust-proxy LIST                   believe PROXY headers and X-Forwarded-For of these addresses, or 'all'
  -d, --data DIR         keeps sessions, retained messages and wills in this directory (default: x-broker in the platform's
                         state directory: $XDG_STATE_HOME or ~/.local/state, ~/Library/Application Support, %LOCALAPPDATA%)
      --data-durability WHEN               disk: acknowledged when it is on the disk (default); process: when it survives
                                           the end of the process; interval:MS: at once, on the disk MS ms later
  -m, --memory           keeps them in memory: a restart forgets them
  -r, --redis URL        one broker of many: sessions, retained messages and messages shared by all that name it:
                         redis://user:password@host:6379/0, redis-sentinel://host,host/master, redis-cluster://host,host
      --redis-durability WHEN              redis: acknowledged when Redis has it (default); replicated: when a replica has
      --mesh DIR         connects brokers of this machine that name the same directory, without a server
      --mesh-listen ADDRESS                or of several machines: where the others reach this one, HOST:PORT
      --mesh-peers LIST                    addresses of the others, or dns:NAME:PORT for all addresses of a name
      --mesh-advertise ADDRESS             what the others connect to, where that differs
      --mesh-secret FILE                   a file with what all of them know, 16 bytes or more
      --mesh-cert FILE, --mesh-key FILE, --mesh-ca FILE   or certificates (PEM) of both sides, by an authority of their own
  -l, --log-level LEVEL  ${logLevels.join(', ')} (default info)
      --log-buffer BYTES                   of the log that wait when nobody reads it, or the disk is full; further lines
                                           are dropped and counted (default 1048576)
  -s, --sys-interval S   seconds between two looks at the $SYS statistics; 0: none (default 10)
  -h, --help             this text
  -v, --version          the version

Logs go to standard output: readable in a terminal, JSON lines otherwise. SIGINT and SIGTERM close gracefully; a second
one ends at once. Exit codes: 0 closed, 1 could not start or closed by an error, 2 wrong command line.
`

const options = {
  port: { type: 'string', short: 'p' },
  host: { type: 'string', short: 'H' },
  listen: { type: 'string', short: 'L', multiple: true },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-ca': { type: 'string' },
  'tls-client-cert': { type: 'string' },
  'tls-identity-as-username': { type: 'boolean' },
  'tls-psk': { type: 'string' },
  'tls-server': { type: 'string', multiple: true },
  'trust-proxy': { type: 'string' },
  data: { type: 'string', short: 'd' },
  'data-durability': { type: 'string' },
  memory: { type: 'boolean', short: 'm' },
  redis: { type: 'string', short: 'r' },
  'redis-durability': { type: 'string' },
  ...meshLineOptions,
  'log-level': { type: 'string', short: 'l' },
  'log-buffer': { type: 'string' },
  'sys-interval': { type: 'string', short: 's' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

/** Understands a command line; never throws. */
export function parseCommandLine(parameters: readonly string[]): Command {
  if (parameters[0] === 'data') return parseDataCommandLine(parameters.slice(1))
  try {
    const { values } = parseArgs({ args: joinNegative(parameters), strict: true, allowPositionals: false, options })
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
  const tls = tlsOf(values)
  return {
    kind: 'run',
    listeners: listenersOf(values, tls !== undefined),
    tls,
    trustedProxies: trustedOf(values['trust-proxy']),
    data: dataOf(values),
    memory: values.memory === true,
    dataDurability: dataDurabilityOf(values['data-durability'] ?? 'disk'),
    redis: values.redis,
    redisDurability: durabilityOf(values),
    mesh: meshOf(values),
    logLevel: oneOf('log-level', logLevels, values['log-level'] ?? 'info'),
    logBuffer: whole('log-buffer', values['log-buffer'] ?? `${defaultLogBuffer}`, greatestLogBuffer),
    sysInterval: whole('sys-interval', values['sys-interval'] ?? '10', greatestSysInterval),
  }
}

function listenersOf({ port, host, listen }: Values, hasTls: boolean): ListenOptions[] {
  if (listen === undefined) {
    if (host === '') throw new Refusal("--host is '', it must be an address or a host name")
    const number = whole('port', port ?? (hasTls ? '8883' : '1883'), greatestPort)
    return [{ protocols: [hasTls ? 'mqtts' : 'mqtt'], port: number, ...(host !== undefined && { host }) }]
  }
  if (port !== undefined || host !== undefined) throw new Refusal('--listen takes the place of --port and --host')
  const listeners = listen.map(url => {
    try {
      return parseListenUrl(url)
    } catch (error) {
      if (!(error instanceof ListenUrlError)) throw error
      throw new Refusal(`--listen ${error.message}`, { cause: error })
    }
  })
  const secured = listeners.some(({ protocols }) => protocols?.some(one => one === 'mqtts' || one === 'wss'))
  if (secured && !hasTls) throw new Refusal('--listen with mqtts or wss needs --tls-cert and --tls-key, or --tls-psk')
  if (!secured && hasTls) throw new Refusal('--tls-… is given, but --listen has neither mqtts nor wss')
  return listeners
}

function tlsOf(values: Values): TlsFiles | undefined {
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
  const servers = (values['tls-server'] ?? []).map(serverOf)
  return { cert, key, ca, clientCertificates, identityAsUsername, psk, servers }
}

function serverOf(text: string): TlsFiles['servers'][number] {
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

function dataOf({ data, memory, redis, 'data-durability': durability }: Values): string | undefined {
  if (data === '') throw new Refusal("--data is '', it must be the path of a directory")
  const given = Object.entries({ data, memory, redis }).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  const [place = '', other] = given
  if (other !== undefined) throw new Refusal(`--${place} and --${other} are two places for one store`)
  if (durability !== undefined && given.length > 0 && data === undefined) {
    throw new Refusal(`--data-durability needs a directory, but --${place} is given`)
  }
  return data
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

function durabilityOf({ redis, 'redis-durability': text }: Values): RedisDurability {
  if (text !== undefined && redis === undefined) throw new Refusal('--redis-durability needs --redis')
  return oneOf('redis-durability', redisDurabilities, text ?? 'redis')
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

import type { ListenerConfig } from '../config/schema.ts'
import { protocols as knownProtocols } from '../listener/protocols.ts'
import type { Protocol } from '../listener/protocols.ts'

/** What is wrong with a URL of `--listen`, in words. */
export class ListenUrlError extends Error {}

const unix = 'unix'

/** Parameters of the URL and the option each sets. */
const parameters = {
  name: 'name',
  'max-connections': 'maximumConnections',
  'max-rate': 'maximumConnectionRate',
  'max-payload': 'maximumPayload',
  'packets-per-frame': 'packetsPerFrame',
  'strict-subprotocol': 'strictSubprotocol',
  'connect-timeout': 'connectTimeout',
  'system-topics': 'systemTopics',
  allow: 'allow',
  deny: 'deny',
  origins: 'origins',
} as const satisfies Record<string, keyof ListenerConfig>

const numeric: ReadonlySet<string> = new Set(['max-connections', 'max-rate', 'max-payload', 'connect-timeout'])
const choices: Readonly<Record<string, readonly string[]>> = {
  'packets-per-frame': ['one', 'many'],
  'strict-subprotocol': ['true', 'false'],
  'system-topics': ['true', 'false'],
}
const flags: ReadonlySet<string> = new Set(['strict-subprotocol', 'system-topics'])
const lists: ReadonlySet<string> = new Set(['allow', 'deny', 'origins'])

/** `PROTOCOL[+PROTOCOL…]://HOST:PORT[/PATH][?PARAMETER=VALUE…]`, or `PROTOCOL+unix:/FILE`, as a listener.
 * @throws ListenUrlError */
export function parseListenUrl(text: string): ListenerConfig {
  const [scheme = ''] = text.split(':')
  const words = scheme.split('+')
  const isFile = words.at(-1) === unix
  const spoken = (isFile ? words.slice(0, -1) : words) as Protocol[]
  const unknown = spoken.find(word => !knownProtocols.includes(word))
  if (unknown !== undefined || spoken.length === 0) {
    throw new ListenUrlError(
      `'${text}' begins with '${scheme}', it must begin with one or more of ${knownProtocols.join('+')}`,
    )
  }
  // A scheme that is not registered has no default port, which would be left out; and an empty host is nothing to the parser.
  const rest = text.slice(scheme.length).replace(/^:\/\/:/, '://*:')
  if (!URL.canParse(`x-mqtt${rest}`)) throw new ListenUrlError(`'${text}' is no URL such as mqtt://0.0.0.0:1883`)
  const url = new URL(`x-mqtt${rest}`)
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new ListenUrlError(`'${text}' has a user or a fragment, which mean nothing here`)
  }
  return { protocols: spoken, ...(isFile ? fileOf(url, text) : addressOf(url, spoken, text)), ...optionsOf(url, text) }
}

function fileOf(url: URL, text: string): ListenerConfig {
  if (url.host !== '' || url.pathname.length < 2)
    throw new ListenUrlError(`'${text}' is no file such as mqtt+unix:/run/mqtt.sock`)
  return { socketPath: decodeURIComponent(url.pathname) }
}

function addressOf(url: URL, spoken: readonly Protocol[], text: string): ListenerConfig {
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : decodeURIComponent(url.hostname)
  const hasPath = url.pathname !== '' && url.pathname !== '/'
  if (hasPath && !spoken.some(one => one.startsWith('ws'))) {
    throw new ListenUrlError(`'${text}' has a path, which is for ws and wss`)
  }
  return {
    ...(host !== '*' && host !== '' && { host }),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(hasPath && { path: url.pathname }),
  }
}

function optionsOf(url: URL, text: string): ListenerConfig {
  const options: Record<string, unknown> = {}
  for (const [name, value] of url.searchParams) {
    if (!Object.hasOwn(parameters, name)) {
      throw new ListenUrlError(`'${text}' has the parameter '${name}'; known: ${Object.keys(parameters).join(', ')}`)
    }
    const option = parameters[name as keyof typeof parameters]
    if (numeric.has(name)) {
      if (!/^\d{1,10}$/.test(value))
        throw new ListenUrlError(`'${text}' has ${name} '${value}', it must be a whole number`)
      options[option] = Number(value)
    } else if (choices[name]?.includes(value) === false) {
      throw new ListenUrlError(`'${text}' has ${name} '${value}', it must be ${choices[name].join(' or ')}`)
    } else if (flags.has(name)) options[option] = value === 'true'
    else options[option] = lists.has(name) ? value.split(',') : value
  }
  return options
}

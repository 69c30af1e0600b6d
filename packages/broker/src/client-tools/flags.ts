import { wrongUsage } from './tool-error.ts'

/** The tools that speak MQTT as a client. */
export type Tool = 'pub' | 'sub' | 'rr' | 'top' | 'bench'

interface Flag {
  /** As Mosquitto's tools have them. */
  readonly names: readonly string[]
  readonly tools: readonly Tool[]
  /** What the value is; undefined: there is none. */
  readonly takes?: string
}

/** The name of a flag. */
export type FlagName =
  | 'help'
  | 'version'
  | 'host'
  | 'port'
  | 'unix'
  | 'url'
  | 'bind'
  | 'nodelay'
  | 'username'
  | 'password'
  | 'id'
  | 'idPrefix'
  | 'keepAlive'
  | 'protocol'
  | 'keepSession'
  | 'sessionExpiry'
  | 'qos'
  | 'topic'
  | 'debug'
  | 'quiet'
  | 'property'
  | 'willTopic'
  | 'willPayload'
  | 'willQos'
  | 'willRetain'
  | 'cafile'
  | 'capath'
  | 'cert'
  | 'key'
  | 'ciphers'
  | 'tlsVersion'
  | 'alpn'
  | 'insecure'
  | 'osCerts'
  | 'psk'
  | 'pskIdentity'
  | 'message'
  | 'file'
  | 'nullMessage'
  | 'stdinFile'
  | 'stdinLines'
  | 'retain'
  | 'maximumInflight'
  | 'repeat'
  | 'repeatDelay'
  | 'format'
  | 'pretty'
  | 'verbose'
  | 'noEol'
  | 'noRetained'
  | 'timeout'
  | 'count'
  | 'exitAfterSubscribe'
  | 'filterOut'
  | 'unsubscribe'
  | 'retainedOnly'
  | 'removeRetained'
  | 'randomFilter'
  | 'responseTopic'
  | 'publishers'
  | 'subscribers'
  | 'size'
  | 'inFlight'
  | 'seconds'

const all: readonly Tool[] = ['pub', 'sub', 'rr', 'top', 'bench']
/** They connect in every way there is; the load connects by plain TCP. */
const clients: readonly Tool[] = ['pub', 'sub', 'rr', 'top']
const messengers: readonly Tool[] = ['pub', 'sub', 'rr']
const publishers: readonly Tool[] = ['pub', 'rr']
const receivers: readonly Tool[] = ['sub', 'rr']

const table: Readonly<Record<FlagName, Flag>> = {
  help: { names: ['--help'], tools: all },
  version: { names: ['--version'], tools: all },
  host: { names: ['-h', '--host'], tools: all, takes: 'host' },
  port: { names: ['-p', '--port'], tools: all, takes: 'port' },
  unix: { names: ['--unix'], tools: clients, takes: 'path' },
  url: { names: ['-L', '--url'], tools: all, takes: 'URL' },
  bind: { names: ['-A'], tools: clients, takes: 'bind address' },
  nodelay: { names: ['--nodelay'], tools: clients },
  username: { names: ['-u', '--username'], tools: all, takes: 'username' },
  password: { names: ['-P', '--pw'], tools: all, takes: 'password' },
  id: { names: ['-i', '--id'], tools: all, takes: 'id' },
  idPrefix: { names: ['-I', '--id-prefix'], tools: clients, takes: 'id prefix' },
  keepAlive: { names: ['-k', '--keepalive'], tools: clients, takes: 'keepalive' },
  protocol: { names: ['-V', '--protocol-version'], tools: all, takes: 'version' },
  keepSession: { names: ['-c', '--disable-clean-session'], tools: messengers },
  sessionExpiry: { names: ['-x'], tools: messengers, takes: 'session expiry interval' },
  qos: { names: ['-q', '--qos'], tools: [...messengers, 'bench'], takes: 'QoS' },
  topic: { names: ['-t', '--topic'], tools: [...messengers, 'bench'], takes: 'topic' },
  debug: { names: ['-d', '--debug'], tools: clients },
  quiet: { names: ['--quiet'], tools: clients },
  property: { names: ['-D', '--property'], tools: messengers, takes: 'property' },
  willTopic: { names: ['--will-topic'], tools: messengers, takes: 'will topic' },
  willPayload: { names: ['--will-payload'], tools: messengers, takes: 'will payload' },
  willQos: { names: ['--will-qos'], tools: messengers, takes: 'will QoS' },
  willRetain: { names: ['--will-retain'], tools: messengers },
  cafile: { names: ['--cafile'], tools: clients, takes: 'file' },
  capath: { names: ['--capath'], tools: clients, takes: 'directory' },
  cert: { names: ['--cert'], tools: clients, takes: 'file' },
  key: { names: ['--key'], tools: clients, takes: 'file' },
  ciphers: { names: ['--ciphers'], tools: clients, takes: 'ciphers' },
  tlsVersion: { names: ['--tls-version'], tools: clients, takes: 'version' },
  alpn: { names: ['--tls-alpn'], tools: clients, takes: 'protocol' },
  insecure: { names: ['--insecure'], tools: clients },
  osCerts: { names: ['--tls-use-os-certs'], tools: clients },
  psk: { names: ['--psk'], tools: clients, takes: 'key' },
  pskIdentity: { names: ['--psk-identity'], tools: clients, takes: 'identity' },
  message: { names: ['-m', '--message'], tools: publishers, takes: 'message' },
  file: { names: ['-f', '--file'], tools: publishers, takes: 'file' },
  nullMessage: { names: ['-n', '--null-message'], tools: publishers },
  stdinFile: { names: ['-s', '--stdin-file'], tools: publishers },
  stdinLines: { names: ['-l', '--stdin-line'], tools: ['pub'] },
  retain: { names: ['-r', '--retain'], tools: ['pub'] },
  maximumInflight: { names: ['-M', '--max-inflight'], tools: ['pub'], takes: 'number' },
  repeat: { names: ['--repeat'], tools: ['pub'], takes: 'number' },
  repeatDelay: { names: ['--repeat-delay'], tools: ['pub'], takes: 'seconds' },
  format: { names: ['-F'], tools: receivers, takes: 'format' },
  pretty: { names: ['--pretty'], tools: receivers },
  verbose: { names: ['-v', '--verbose'], tools: receivers },
  noEol: { names: ['-N'], tools: receivers },
  noRetained: { names: ['-R'], tools: receivers },
  timeout: { names: ['-W'], tools: receivers, takes: 'timeout' },
  count: { names: ['-C'], tools: ['sub', 'top'], takes: 'count' },
  exitAfterSubscribe: { names: ['-E'], tools: ['sub'] },
  filterOut: { names: ['-T', '--filter-out'], tools: ['sub'], takes: 'topic' },
  unsubscribe: { names: ['-U', '--unsubscribe'], tools: ['sub'], takes: 'topic' },
  retainedOnly: { names: ['--retained-only'], tools: ['sub'] },
  removeRetained: { names: ['--remove-retained'], tools: ['sub'] },
  randomFilter: { names: ['--random-filter'], tools: ['sub'], takes: 'percentage' },
  responseTopic: { names: ['-e'], tools: ['rr'], takes: 'response topic' },
  publishers: { names: ['--publishers'], tools: ['bench'], takes: 'number' },
  subscribers: { names: ['--subscribers'], tools: ['bench'], takes: 'number' },
  size: { names: ['--size'], tools: ['bench'], takes: 'bytes' },
  inFlight: { names: ['--inflight'], tools: ['bench'], takes: 'number' },
  seconds: { names: ['--seconds'], tools: ['bench'], takes: 'seconds' },
}

/** The names of each option of a tool. */
export function namesOf(tool: Tool): readonly (readonly string[])[] {
  return Object.values(table).flatMap(({ names, tools }) => (tools.includes(tool) ? [names] : []))
}

/** COMMAND IDENTIFIER VALUE of `-D`; a user property has NAME and VALUE. */
export interface PropertyArgument {
  readonly command: string
  readonly identifier: string
  readonly values: readonly string[]
}

/** A command line of one of the tools. */
export class Flags {
  readonly tool: Tool
  readonly properties: readonly PropertyArgument[]
  readonly #values: ReadonlyMap<FlagName, readonly string[]>

  /** @throws ToolError that names the option */
  constructor(tool: Tool, words: readonly string[]) {
    this.tool = tool
    const values = new Map<FlagName, string[]>()
    const properties: PropertyArgument[] = []
    for (let index = 0; index < words.length; index += 1) {
      const word = words[index] ?? ''
      const [name, flag] = found(tool, word)
      const list = values.get(name) ?? []
      values.set(name, list)
      if (name === 'property') {
        const property = propertyAt(words, index + 1)
        properties.push(property)
        index += 2 + property.values.length
      } else if (flag.takes === undefined) list.push('')
      else {
        index += 1
        const value = words[index]
        if (value === undefined) throw wrongUsage(`${word} argument given but no ${flag.takes} specified.`)
        list.push(value)
      }
    }
    this.#values = values
    this.properties = properties
  }

  has(name: FlagName): boolean {
    return this.#values.has(name)
  }

  all(name: FlagName): readonly string[] {
    return this.#values.get(name) ?? []
  }

  /** The last value that is given counts. */
  text(name: FlagName): string | undefined {
    return this.#values.get(name)?.at(-1)
  }

  /** @throws ToolError with this sentence when it is no whole number of the range */
  whole(
    name: FlagName,
    [least, greatest]: readonly [number, number],
    sentence: (text: string) => string,
  ): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const number = Number(text)
    if (/^-?\d{1,10}$/.test(text) && number >= least && number <= greatest) return number
    throw wrongUsage(sentence(text))
  }
}

function found(tool: Tool, word: string): readonly [FlagName, Flag] {
  for (const [name, flag] of Object.entries(table) as [FlagName, Flag][]) {
    if (flag.names.includes(word) && flag.tools.includes(tool)) return [name, flag]
  }
  throw wrongUsage(`Unknown option '${word}'.`)
}

function propertyAt(words: readonly string[], start: number): PropertyArgument {
  const [command = '', identifier = ''] = words.slice(start, start + 2)
  const count = identifier === 'user-property' ? 2 : 1
  const values = words.slice(start + 2, start + 2 + count)
  if (values.length < count) throw wrongUsage('--property argument given but not enough arguments specified.')
  return { command, identifier, values }
}

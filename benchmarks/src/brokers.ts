import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeCertificate } from './certificate.ts'
import { scenarioNames, scenarios } from './scenarios.ts'
import type { Scenario, ScenarioName } from './scenarios.ts'

/** A name that `--brokers` takes. */
export type BrokerName = 'x' | 'x-metrics' | 'x-tracing' | 'aedes' | 'mosquitto'

/** What a scenario asks of the broker beside MQTT on TCP. */
export interface Served extends Pick<Scenario, 'access' | 'hook' | 'transport' | 'packetsPerFrame'> {
  /** Port of the broker that a bridge leads to. */
  readonly bridgeTo?: number
  /** Our command's parameters that say where it keeps its state; by default in memory. */
  readonly store?: readonly string[]
}

/** How to run one broker. */
export interface Broker {
  /** Version, or undefined when it cannot be run here. */
  readonly version: () => string | undefined
  /** What to do to be able to run it. */
  readonly whenMissing: string
  /** Command line that serves MQTT on 127.0.0.1 at `port`; files it needs go to `directory`. */
  readonly command: (port: number, directory: string, served: Served) => readonly [string, ...string[]]
  /** Scenarios it cannot take part in, because it lacks the feature. */
  readonly lacks: readonly ScenarioName[]
  /** It takes part when it is asked for alone. */
  readonly onlyWhenAsked?: true
  /** `/metrics` is on the port behind that of MQTT, and is read once a second. */
  readonly hasMetrics?: true
}

const here = fileURLToPath(new URL('.', import.meta.url))
const ourPackage = join(here, '../../packages/broker')
const ourCommand = join(ourPackage, 'dist/command.js')
/** Statistics are off, as the others have them. */
const ourOptions = ['--log-level', 'silent', '--sys-interval', '0']

function manifestVersion(file: string): string {
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** Lossless and unlimited, without persistence and logs: the same work as the others do. */
function mosquittoConfiguration(port: number, directory: string, { access, transport, bridgeTo }: Served): string {
  return [
    // By itself a listener for WebSockets is none to it, and then it ends.
    ...(transport === 'ws' ? [`listener ${port + 1} 127.0.0.1`] : []),
    `listener ${port} ${transport === 'ws' ? 'lo' : '127.0.0.1'}`,
    ...(transport === 'ws' ? ['protocol websockets'] : []),
    ...(transport === 'tls' ? tlsConfiguration(directory) : []),
    'allow_anonymous true',
    ...(access === undefined ? [] : Object.entries(makeAccessFiles(directory)).map(line => line.join(' '))),
    'persistence false',
    'log_dest none',
    'sys_interval 0',
    'max_queued_messages 0', // unlimited; the default drops from 1000 on
    // Unlimited; the default of 20 would stall the scenarios with 100 in flight. A bridge has as many in flight.
    `max_inflight_messages ${bridgeTo === undefined ? 0 : bridgedInFlight}`,
    'set_tcp_nodelay true',
    ...(bridgeTo === undefined ? [] : mosquittoBridge(bridgeTo)),
    '',
  ].join('\n')
}

/** Messages of QoS 1 under way from broker to broker. */
const bridgedInFlight = 100

function mosquittoBridge(port: number): string[] {
  return [
    'connection bench',
    `address 127.0.0.1:${port}`,
    'topic bench/# out 1',
    'bridge_protocol_version mqttv311',
    'notifications false',
    'restart_timeout 1',
  ]
}

/** Of our broker, with a bridge like Mosquitto's, and room for what its publisher is ahead of it. */
function makeBridge(port: number, directory: string, bridgeTo: number): string {
  const file = join(directory, 'x-broker.json')
  const bridge = {
    name: 'bench',
    addresses: `mqtt://127.0.0.1:${bridgeTo}`,
    topics: [{ filter: 'bench/#', direction: 'out', qos: 1 }],
    protocolVersion: 4,
    notifications: false,
    receiveMaximum: bridgedInFlight,
  }
  const configuration = {
    listeners: [{ port, host: '127.0.0.1' }],
    limits: { maximumQueuedMessages: Number.MAX_SAFE_INTEGER, maximumQueuedBytes: Number.MAX_SAFE_INTEGER },
    bridges: [bridge],
  }
  writeFileSync(file, JSON.stringify(configuration))
  return file
}

/** A user, and rules that let the load's clients, who have no name, do all they do. */
function makeAccessFiles(directory: string): { readonly password_file: string; readonly acl_file: string } {
  const files = { password_file: join(directory, 'users'), acl_file: join(directory, 'acl') }
  const hash =
    '$7$101$zTVlzORY6JVZczni$ggnmGJsiX+UCXqPYZD5ibM6vUQKnddz9EAUqz+fkrQiS2eln98nQidPJ3dwmBwvFmyzIpZC/AG6tMtgTLoiBAw=='
  writeFileSync(files.password_file, `ann:${hash}\n`)
  writeFileSync(files.acl_file, 'topic deny secret/#\ntopic readwrite bench/#\nuser ann\ntopic readwrite house/#\n')
  // Mosquitto gives its rights away before it reads them.
  chmodSync(directory, 0o755)
  return files
}

/** Of our broker, with limits on rates that no client reaches. */
function makeConfiguration(port: number, directory: string): string {
  const { password_file: passwordFile, acl_file: aclFile } = makeAccessFiles(directory)
  const file = join(directory, 'x-broker.json')
  const configuration = {
    listeners: [{ port, host: '127.0.0.1' }],
    access: { passwordFile, aclFile, allowAnonymous: true },
    limits: { maximumPacketRate: 1_000_000_000, maximumByteRate: 1e12, maximumConnectsPerAddress: 1_000_000 },
  }
  writeFileSync(file, JSON.stringify(configuration))
  return file
}

function tlsConfiguration(directory: string): string[] {
  const { cert, key } = makeCertificate(directory)
  // It gives its rights away before it reads them.
  chmodSync(directory, 0o755)
  chmodSync(key, 0o644)
  return [`certfile ${cert}`, `keyfile ${key}`]
}

/** Ours with something attached that looks at it, beside ours without. What differs is the configuration alone. */
function observed(configuration: (port: number) => object): Pick<Broker, 'command' | 'lacks' | 'onlyWhenAsked'> {
  return {
    command: (port, directory) => {
      const file = join(directory, 'x-broker.json')
      const listeners = [{ port, host: '127.0.0.1' }]
      writeFileSync(file, JSON.stringify({ listeners, ...configuration(port) }))
      return [process.execPath, ourCommand, ...ourOptions, '--memory', '--config', file]
    },
    lacks: scenarioNames.filter(name => {
      const { access, bridged, hook, transport }: Scenario = scenarios[name]
      return access !== undefined || bridged === true || hook !== undefined || transport !== undefined
    }),
    onlyWhenAsked: true,
  }
}

const ourVersion = (): string | undefined =>
  existsSync(ourCommand) ? manifestVersion(join(ourPackage, 'package.json')) : undefined
const whenNotBuilt = 'build it with `npx tsc -b`'

/** Every broker by the name that `--brokers` takes; the first is ours. */
export const brokers: Readonly<Record<BrokerName, Broker>> = {
  x: {
    version: ourVersion,
    whenMissing: whenNotBuilt,
    command: (port, directory, served) => {
      const { access, hook, transport, packetsPerFrame = 'one', store = ['--memory'], bridgeTo } = served
      if (hook !== undefined) return [process.execPath, join(here, 'brokers/hooked-server.js'), 'x', hook, `${port}`]
      const command = [process.execPath, ourCommand, ...ourOptions, ...store] as const
      if (access !== undefined) return [...command, '--config', makeConfiguration(port, directory)]
      if (bridgeTo !== undefined) return [...command, '--config', makeBridge(port, directory, bridgeTo)]
      if (transport === undefined) return [...command, '--listen', `mqtt://127.0.0.1:${port}`]
      if (transport === 'ws')
        return [...command, '--listen', `ws://127.0.0.1:${port}?packets-per-frame=${packetsPerFrame}`]
      const { cert, key } = makeCertificate(directory)
      return [...command, '--listen', `mqtts://127.0.0.1:${port}`, '--tls-cert', cert, '--tls-key', key]
    },
    lacks: [],
  },
  'x-metrics': {
    version: ourVersion,
    whenMissing: whenNotBuilt,
    ...observed(port => ({ metrics: { port: port + 1 } })),
    hasMetrics: true,
  },
  'x-tracing': {
    version: ourVersion,
    whenMissing: whenNotBuilt,
    ...observed(() => ({ tracing: { ratio: 0.001 } })),
  },
  aedes: {
    version: () => manifestVersion(join(dirname(createRequire(import.meta.url).resolve('aedes')), 'package.json')),
    whenMissing: 'install the dependencies with `npm run setup`',
    command: (port, directory, { hook, transport = 'tcp' }) => {
      if (hook !== undefined)
        return [process.execPath, join(here, 'brokers/hooked-server.js'), 'aedes', hook, `${port}`]
      const files = transport === 'tls' ? Object.values(makeCertificate(directory)) : []
      return [process.execPath, join(here, 'brokers/aedes-server.js'), `${port}`, transport, ...files]
    },
    // Neither shared subscriptions, nor MQTT 5, nor files with users and rules, nor bridges.
    lacks: [
      'shared-fanin',
      'qos0-1-1-v5-properties',
      'access-1-1',
      'access-publishers-1000',
      'bridge-qos0',
      'bridge-qos1',
    ],
  },
  mosquitto: {
    version: () => /version ([\d.]+)/.exec(spawnSync('mosquitto', ['-h'], { encoding: 'utf8' }).stdout ?? '')?.[1],
    whenMissing: 'install it, for instance with `apt-get install mosquitto`',
    command: (port, directory, served) => {
      const file = join(directory, 'mosquitto.conf')
      writeFileSync(file, mosquittoConfiguration(port, directory, served))
      return ['mosquitto', '-c', file]
    },
    lacks: ['hook-sync', 'hook-callback', 'hook-async'],
  },
}

/** The broker that the others are compared with. */
export const ours: BrokerName = 'x'

/** All names; ours first. */
export const brokerNames: readonly BrokerName[] = Object.keys(brokers) as BrokerName[]

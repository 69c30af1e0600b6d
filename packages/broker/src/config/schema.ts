import type { BrokerLimits, ListenerRules } from '@x/broker-core'
import type { Durability } from '@x/persistence-lmdb'
import { logLineKinds } from '@x/sys-topics'
import type { LogLineKind } from '@x/sys-topics'
import { z } from 'zod'
import type { ProxyRequirement } from '../listener/proxy-requirement.ts'
import { protocols } from '../listener/protocols.ts'
import { adminSchema, httpApiSchema } from './admin-schema.ts'
import type { AdminConfig, HttpApiConfig } from './admin-schema.ts'
import { accessShape } from './access-schema.ts'
import type { AccessConfig } from './access-schema.ts'
import { bridgeSchema } from './bridge-schema.ts'
import type { BridgeConfig } from './bridge-schema.ts'
import { limitsSchema } from './limits-schema.ts'
import { tlsSchema } from './tls-schema.ts'
import type { TlsConfig } from './tls-schema.ts'
import { tracingSchema } from './tracing-schema.ts'
import type { TracingConfig } from './tracing-schema.ts'

const text = z.string().min(1)
const texts = z.array(text).min(1)
const whole = (least: number, greatest: number): z.ZodInt => z.int().min(least).max(greatest)

const listener = z.strictObject({
  name: text.optional().describe('shown in logs and statistics'),
  port: whole(0, 65_535).optional().describe('0: any free one; 1883, 8883, 8083 or 8084 by what is spoken'),
  host: z
    .union([text, texts])
    .optional()
    .describe("address, or list of addresses, to bind; '*': all; this machine alone unless given"),
  socketPath: text.optional().describe('file of a Unix socket, in place of port and host'),
  backlog: whole(1, 65_535).optional().describe('connections that wait to be accepted (4096)'),
  protocols: z
    .array(z.enum(protocols))
    .min(1)
    .optional()
    .describe('what is spoken; several on one port: by first bytes'),
  path: z.union([text, texts]).optional().describe('paths of the URL that are MQTT over WebSocket (all)'),
  origins: texts.optional().describe('origins of web pages that may connect (all)'),
  strictOrigins: z
    .boolean()
    .optional()
    .describe('these must be like those that browsers send, such as `https://example.org` (true)'),
  maximumPayload: whole(1, 268_435_460).optional().describe('bytes of a WebSocket message'),
  perMessageDeflate: z.boolean().optional().describe('compresses WebSocket messages'),
  packetsPerFrame: z.enum(['one', 'many']).optional().describe('MQTT packets in a WebSocket message to a client (one)'),
  strictSubprotocol: z.boolean().optional().describe('WebSocket clients must offer `mqtt` or `mqttv3.1` (true)'),
  trustProxy: z.boolean().optional().describe('believes PROXY headers and X-Forwarded-For'),
  trustedProxies: z.array(text).optional().describe('addresses and networks of these proxies; none: all'),
  proxyRequires: z
    .enum(['header', 'tls', 'certificate'])
    .optional()
    .describe('what each connection must bring: a PROXY header, or one that says TLS or a verified certificate'),
  proxyIdentityAsUsername: z
    .boolean()
    .optional()
    .describe('the Common Name of the certificate that the proxy has verified is the user name'),
  maximumConnections: whole(1, 100_000_000)
    .optional()
    .describe('open at a time; one more is closed when no place becomes free within 20 ms (1000000)'),
  maximumConnectionRate: whole(0, 1_000_000).optional().describe('new ones in a second; 0: no limit (0)'),
  connectTimeout: whole(1, 3_600_000).optional().describe('ms for each step until the client is known'),
  allow: texts.optional().describe('addresses and networks that may connect (all)'),
  deny: texts.optional().describe('addresses and networks that may not'),
  mountPoint: text
    .regex(/^[^+#\0]+$/)
    .optional()
    .describe('put in front of all topics and filters of its clients, and taken away from what they get'),
  acceptedVersions: z
    .array(z.literal([3, 4, 5]))
    .min(1)
    .optional()
    .describe('protocol levels: 3 (MQTT 3.1), 4 (3.1.1), 5 (all)'),
  usernameAsClientId: z
    .boolean()
    .optional()
    .describe('the user name takes the place of the client identifier; clients without one are refused (false)'),
  clientIdPrefix: text
    .optional()
    .describe('what client identifiers must begin with, also those that are generated; others are refused (0x87)'),
  allowEmptyClientId: z.boolean().optional().describe('generates an identifier for clients that have none (true)'),
  generatedClientIdPrefix: z
    .string()
    .max(50)
    .regex(/^[^\0]*$/)
    .optional()
    .describe('beginning of identifiers that are generated, up to 50 bytes (`aedes_`)'),
  systemTopics: z
    .boolean()
    .optional()
    .describe('its clients may have what is below `$SYS`; without, a SUBSCRIBE to it is refused (true)'),
  maximumQoS: z.literal([0, 1, 2]).optional().describe('in place of that in `limits`, for clients of this listener'),
  topicAliasMaximum: whole(0, 65_535).optional().describe('likewise'),
  maximumOutgoingTopicAliases: whole(0, 65_535).optional().describe('likewise'),
  tls: tlsSchema.optional(),
  access: z
    .strictObject(accessShape)
    .optional()
    .describe('in place of the top-level `access` for clients of this listener'),
})

const store = z
  .strictObject({
    data: text.optional().describe('directory that keeps sessions, retained messages and wills over restarts'),
    memory: z.boolean().optional().describe('keeps them in memory: a restart forgets them'),
    durability: z
      .union([z.enum(['disk', 'process']), z.templateLiteral(['interval:', z.int().min(1).max(60_000)])])
      .optional()
      .describe(
        'in a directory, when a message is acknowledged: `disk`, on the disk (default); `process`, survives the process; `interval:MS`, at once, on the disk MS later',
      ),
    redis: text.optional().describe('URL of a Redis that all brokers share, in place of `data`'),
    redisDurability: z.enum(['redis', 'replicated']).optional().describe('with `redis`, who must have a message'),
  })
  .describe("where sessions, retained messages and wills are; in the platform's state directory unless given")

const mesh = z
  .strictObject({
    directory: text.optional().describe('connects brokers of this machine that name the same directory'),
    listen: text.optional().describe('or of several machines: where the others reach this one, `HOST:PORT`'),
    peers: z.array(text).optional().describe('addresses of the others, or `dns:NAME:PORT`'),
    advertise: text.optional().describe('what the others connect to, where that differs'),
    secretFile: text.optional().describe('file with what all of them know, 16 bytes or more'),
    tlsFiles: z
      .strictObject({ cert: text, key: text, ca: text })
      .optional()
      .describe('or certificates (PEM) of both sides, by an authority of their own'),
  })
  .describe('connects brokers directly: `directory`, or `listen`')

const log = z.strictObject({
  level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional().describe('(info)'),
  destination: z
    .enum(['stdout', 'stderr', 'none'])
    .optional()
    .describe('where the log goes (stdout, or `file` alone where it is given)'),
  file: text.optional().describe('file that the log is appended to, mode 0600; opened again on SIGHUP and SIGUSR2'),
  buffer: whole(0, 1_073_741_824).optional().describe('bytes that wait for an output which takes none (1048576)'),
  maximumRate: whole(1, 100_000)
    .optional()
    .describe('lines in a second about clients that come, and about those that go; the others are one line (100)'),
  topics: z
    .array(z.enum(logLineKinds))
    .min(1)
    .optional()
    .describe('lines that are published on `$SYS/broker/log/…`, at most 100 in a second (none)'),
})

/** All that `x-broker` can be told, whatever it was written in. */
export const configSchema: z.ZodType<Config> = z.strictObject({
  listeners: z.array(listener).min(1).optional().describe('ways in; port 1883 of this machine alone unless given'),
  access: z
    .strictObject({
      ...accessShape,
      maximumConcurrentHashes: whole(1, 64).optional().describe('passwords compared at a time (2)'),
    })
    .optional()
    .describe('who may connect, publish and receive'),
  store: store.optional(),
  mesh: mesh.optional(),
  bridges: z.array(bridgeSchema).optional().describe('other brokers that messages are carried to and from'),
  workers: z
    .union([whole(1, 256), z.enum(['auto'])])
    .optional()
    .describe('processes that share the work (1); `auto`: one for each core: see [workers](WORKERS.md)'),
  limits: limitsSchema().optional().describe('limits of the engine'),
  log: log.optional(),
  statistics: z
    .strictObject({ interval: whole(0, 65_535).optional().describe('seconds between two looks; 0: none (10)') })
    .optional()
    .describe('the topics below `$SYS`'),
  metrics: z
    .strictObject({
      port: whole(0, 65_535)
        .optional()
        .describe('of `/metrics`, `/health/live` and `/health/ready`; 0: any free one (9464)'),
      host: text.optional().describe("address to bind; '*': all; this machine alone unless given (127.0.0.1)"),
      storeTimeout: whole(10, 60_000)
        .optional()
        .describe('ms that the store may take before the broker counts as not ready (1000)'),
    })
    .optional()
    .describe('numbers for Prometheus, and health checks; none unless given'),
  admin: adminSchema.optional(),
  httpApi: z
    .array(httpApiSchema)
    .optional()
    .describe("Mosquitto's HTTP API, which only looks: version, numbers and listeners; none unless given"),
  tracing: tracingSchema.optional(),
  id: z
    .string()
    .regex(/^[^+#/\0]+$/)
    .optional()
    .describe('names the broker in `$SYS` topics and to others (a random UUID)'),
  controlApi: z
    .boolean()
    .optional()
    .describe('executes the commands `listListeners` and `listPlugins` on `$CONTROL/broker/v1` (false)'),
  responseInformation: text.optional().describe('what MQTT 5 clients are told to build response topics from'),
  pidFile: text.optional().describe('file with the number of the process; removed at the end'),
  user: text.optional().describe('account to become when started as root, as soon as the files are read'),
  drainTimeout: whole(0, 600)
    .optional()
    .describe('seconds that an ordered end (SIGTERM) may take; then the process ends anyway (30)'),
})

type Text = string
type Texts = readonly string[]
type OptionalOf<Fields> = { [Name in keyof Fields]?: Fields[Name] | undefined }

/** A listener, as a configuration has it. */
export interface ListenerConfig extends OptionalOf<ListenerRules> {
  name?: Text | undefined
  port?: number | undefined
  host?: Text | Texts | undefined
  socketPath?: Text | undefined
  backlog?: number | undefined
  protocols?: readonly (typeof protocols)[number][] | undefined
  path?: Text | Texts | undefined
  origins?: Texts | undefined
  strictOrigins?: boolean | undefined
  maximumPayload?: number | undefined
  perMessageDeflate?: boolean | undefined
  packetsPerFrame?: 'one' | 'many' | undefined
  strictSubprotocol?: boolean | undefined
  trustProxy?: boolean | undefined
  trustedProxies?: Texts | undefined
  proxyRequires?: ProxyRequirement | undefined
  proxyIdentityAsUsername?: boolean | undefined
  maximumConnections?: number | undefined
  maximumConnectionRate?: number | undefined
  connectTimeout?: number | undefined
  allow?: Texts | undefined
  deny?: Texts | undefined
  tls?: TlsConfig | undefined
  access?: AccessConfig | undefined
}

/** Where the broker keeps what lasts, as a configuration has it. */
export interface StoreConfig {
  data?: Text | undefined
  memory?: boolean | undefined
  durability?: Durability | undefined
  redis?: Text | undefined
  redisDurability?: 'redis' | 'replicated' | undefined
}

/** Where metrics are served, as a configuration has it. */
export interface MetricsConfig {
  port?: number | undefined
  host?: Text | undefined
  storeTimeout?: number | undefined
}

/** A whole configuration, checked. */
export interface Config {
  listeners?: ListenerConfig[] | undefined
  access?: (AccessConfig & { maximumConcurrentHashes?: number | undefined }) | undefined
  store?: StoreConfig | undefined
  mesh?:
    | {
        directory?: Text | undefined
        listen?: Text | undefined
        peers?: Texts | undefined
        advertise?: Text | undefined
        secretFile?: Text | undefined
        tlsFiles?: { cert: Text; key: Text; ca: Text } | undefined
      }
    | undefined
  bridges?: readonly BridgeConfig[] | undefined
  workers?: number | 'auto' | undefined
  limits?: Partial<BrokerLimits> | undefined
  log?:
    | {
        level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent' | undefined
        destination?: 'stdout' | 'stderr' | 'none' | undefined
        file?: Text | undefined
        buffer?: number | undefined
        maximumRate?: number | undefined
        topics?: LogLineKind[] | undefined
      }
    | undefined
  statistics?: { interval?: number | undefined } | undefined
  metrics?: MetricsConfig | undefined
  admin?: AdminConfig | undefined
  httpApi?: readonly HttpApiConfig[] | undefined
  tracing?: TracingConfig | undefined
  id?: Text | undefined
  controlApi?: boolean | undefined
  responseInformation?: Text | undefined
  pidFile?: Text | undefined
  user?: Text | undefined
  drainTimeout?: number | undefined
}

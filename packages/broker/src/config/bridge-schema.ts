import type { BridgeOptions, BridgeTopic } from '@x/bridge'
import { z } from 'zod'

const text = z.string().min(1)
const whole = (least: number, greatest: number): z.ZodInt => z.int().min(least).max(greatest)

const topic = z.strictObject({
  filter: z.string().describe('what is carried; may be empty when both prefixes together name one topic each'),
  direction: z.enum(['out', 'in', 'both']).optional().describe('to the other broker, from it, or both (out)'),
  qos: z.literal([0, 1, 2]).optional().describe('greatest QoS (0)'),
  localPrefix: z.string().optional().describe('before the filter on this broker'),
  remotePrefix: z.string().optional().describe('before the filter on the other broker'),
})

const tls = z
  .strictObject({
    ca: text.optional().describe("file: who signs the other broker's certificate (PEM; those that Node.js knows)"),
    caDirectory: text
      .optional()
      .describe("directory: the same, in files with OpenSSL's names for them, such as `9d66eef0.0` (`openssl rehash`)"),
    cert: text.optional().describe("file: the bridge's certificate (PEM)"),
    key: text.optional().describe('file: its key (PEM, not encrypted)'),
    pskIdentity: text.optional().describe('name of a pre-shared key, in place of certificates'),
    pskKey: text.optional().meta({ description: 'the pre-shared key, in hexadecimal digits', writeOnly: true }),
    serverName: text.optional().describe('name asked for and looked for in the certificate (the host of the address)'),
    insecure: z
      .boolean()
      .optional()
      .describe('takes a certificate that is for another host, if it is signed by `ca` (false)'),
    alpn: text.optional().describe('protocol name offered in the handshake'),
    ciphers: text.optional().describe("OpenSSL's list of cipher suites; those of TLS 1.3 by their full names"),
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).optional().describe('lowest version of TLS'),
  })
  .describe('TLS for `mqtts` and `wss`')

const reconnectDelay = z.strictObject({
  least: whole(0, 3_600_000).optional().describe('ms before the next attempt, at least (1000)'),
  greatest: whole(0, 7_200_000).optional().describe('ms that the growing, random wait may reach (30000)'),
  stable: whole(0, 86_400_000)
    .optional()
    .describe('ms that a connection must have lasted for the next wait to be short again (0)'),
})

/** Another broker, and what is carried to and from it. */
export const bridgeSchema: z.ZodType<BridgeConfig> = z.strictObject({
  name: text.describe('names the bridge in logs and identifiers'),
  addresses: z
    .union([text, z.array(text).min(1)])
    .describe('URL, or list of them: `mqtt`, `mqtts`, `ws`, `wss`; of several the next is tried when one fails'),
  returnToFirst: z
    .boolean()
    .optional()
    .describe('goes back to the first address as soon as somebody listens there (false)'),
  connections: whole(1, 16).optional().describe('connections among which the topics that go out are divided (1)'),
  topics: z.array(topic).min(1).describe('what is carried'),
  protocolVersion: z.literal([3, 4, 5]).optional().describe('5, or 4 (3.1.1) or 3 (3.1); 4 when 5 is refused (5)'),
  clientId: text.optional().describe('at the other broker (HOSTNAME.NAME; NAME with Redis)'),
  localClientId: text.optional().describe('at this broker (local.CLIENTID)'),
  username: text.optional().describe('for the other broker'),
  password: z.string().optional().meta({ description: 'for the other broker', writeOnly: true }),
  clean: z.boolean().optional().describe('the other broker keeps nothing while the bridge is away (false)'),
  localClean: z.boolean().optional().describe('this broker keeps nothing while the other one is away (as `clean`)'),
  sessionExpiryInterval: whole(0, 4_294_967_295)
    .optional()
    .describe('seconds that the other broker keeps the session, with MQTT 5.0 (for ever)'),
  keepAlive: whole(5, 65_535).optional().describe('seconds (60)'),
  connectTimeout: whole(100, 600_000).optional().describe('ms until a connection stands (30000)'),
  reconnectDelay: reconnectDelay.optional(),
  startType: z.enum(['automatic', 'once']).optional().describe('`once` does not connect again (automatic)'),
  notifications: z
    .literal([true, false, 'local'])
    .optional()
    .describe('tells both brokers, this one only, or neither, whether the bridge is connected (true)'),
  notificationTopic: text.optional().describe('where ($SYS/broker/connection/CLIENTID/state)'),
  attemptUnsubscribe: z.boolean().optional().describe('sends UNSUBSCRIBE for topics that only go out (true)'),
  outgoingRetain: z.boolean().optional().describe('passes retain flags on (true)'),
  maximumPacketSize: whole(20, 268_435_460).optional().describe('bytes; larger messages are not sent (268435460)'),
  receiveMaximum: whole(1, 65_535).optional().describe('messages under way in each direction (1000)'),
  topicAliasMaximum: whole(0, 65_535).optional().describe('topic aliases that the other broker may use (10)'),
  tryPrivate: z.boolean().optional().describe('announces a bridge before MQTT 5.0 (true)'),
  bindAddress: text.optional().describe('local address to connect from'),
  detectLoops: z.boolean().optional().describe('marks messages so that they do not come back, with MQTT 5.0 (true)'),
  remoteId: text.optional().describe("the other broker's `id`, when it is bridged back"),
  tls: tls.optional(),
})

type Maybe<Options> = { -readonly [Key in keyof Options]: Options[Key] | undefined }

/** Files and settings of a bridge's TLS. */
export interface BridgeTlsConfig {
  ca?: string | undefined
  caDirectory?: string | undefined
  cert?: string | undefined
  key?: string | undefined
  pskIdentity?: string | undefined
  pskKey?: string | undefined
  serverName?: string | undefined
  insecure?: boolean | undefined
  alpn?: string | undefined
  ciphers?: string | undefined
  minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
}

/** The topics of a bridge, as a configuration has them. */
export interface BridgeTopicConfig extends Maybe<Omit<BridgeTopic, 'filter'>> {
  filter: string
}

/** All that a file can say of a bridge. */
export interface BridgeConfig extends Maybe<
  Omit<BridgeOptions, 'name' | 'addresses' | 'topics' | 'reconnectDelay' | 'tls' | 'clock'>
> {
  name: string
  addresses: string | readonly string[]
  topics: readonly BridgeTopicConfig[]
  reconnectDelay?: Maybe<NonNullable<BridgeOptions['reconnectDelay']>> | undefined
  tls?: BridgeTlsConfig | undefined
}

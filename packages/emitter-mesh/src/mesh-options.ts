import { createSecureContext } from 'node:tls'
import { optionProblem, optionRules, withDefaults } from '@x/contract'
import type { OptionRule, OptionTable } from '@x/contract'
import { isSocketPath, parseAddress, parsePeer } from './mesh-address.ts'
import type { MeshAddress, PeerPlace } from './mesh-address.ts'
import { MeshError } from './mesh-error.ts'

/** What both sides of a connection show each other. */
export interface MeshTls {
  /** PEM. */
  readonly key: string | Buffer
  /** PEM: the certificate of this broker, with those between it and `ca`. */
  readonly cert: string | Buffer
  /** PEM: who signs the certificates of brokers of this mesh, and of nobody else. Names in them are not compared. */
  readonly ca: string | Buffer
}

/** Options of `MeshEmitter`. */
export interface MeshEmitterOptions {
  /** A directory for the sockets of brokers on this machine, in place of `listen` and `peers`: all that name it find each other. It is made
   * with mode 0700; whoever may write there may join. */
  readonly directory?: string
  /** Where the others reach this broker: `HOST:PORT`, `[IPv6]:PORT`, `unix:PATH`. Port 0: any free one. */
  readonly listen?: string
  /** The others: addresses as in `listen`, or `dns:NAME:PORT` for all addresses of a name, looked up again every `refreshInterval`. This
   * broker may be among them. One of two that are to be connected has to name the other. */
  readonly peers?: string | readonly string[]
  /** What the others are told to connect to, where that is not the address they see this broker at with the port of `listen`:
   * `HOST:PORT`. */
  readonly advertise?: string
  /** For addresses of TCP: TLS, and certificates of both sides. */
  readonly tls?: MeshTls
  /** Known to all brokers of the mesh; 16 bytes or more. It is never sent: each side proves to the other that it knows it. */
  readonly secret?: string
  /** Milliseconds that `addRoute` waits for the peers to have applied the route. Default 1000; 0: not at all. */
  readonly routeTimeout?: number
  /** Milliseconds for which a peer may be silent, or confirm nothing that waits for it, before it counts as gone. Default 10 000. */
  readonly lease?: number
  /** Milliseconds that `open` waits for the peers that it finds. Default 2000. */
  readonly openTimeout?: number
  /** Milliseconds for a connection to be made and to say who it is. Default 5000. */
  readonly handshakeTimeout?: number
  /** Milliseconds after which names and the directory are looked at again. Default 1000. */
  readonly refreshInterval?: number
  /** Bytes that may wait for one peer. At the limit QoS 0 is dropped, and QoS 1 and 2 are refused with `QUOTA_EXCEEDED`. Default 64 MiB. */
  readonly maximumOutgoingBytes?: number
  /** Bytes of messages of one peer that may wait here for subscribers of the program. At the limit no more is read from it. Default
   * 16 MiB. */
  readonly maximumIncomingBytes?: number
  /** Peers; one more is refused with `PEER_LIMIT`. Default 256. */
  readonly maximumPeers?: number
  /** Connections that have not said who they are; one more is closed at once. Default 64. */
  readonly maximumStrangers?: number
  /** Told once of each trouble. */
  readonly onError?: ((error: MeshError) => void) | undefined
}

const mebibyte = 1024 * 1024

const defaults = {
  routeTimeout: 1000,
  lease: 10_000,
  openTimeout: 2000,
  handshakeTimeout: 5000,
  refreshInterval: 1000,
  maximumOutgoingBytes: 64 * mebibyte,
  maximumIncomingBytes: 16 * mebibyte,
  maximumPeers: 256,
  maximumStrangers: 64,
} as const

const leastSecret = 16
const addressForms = 'HOST:PORT, [IPv6]:PORT or unix:PATH with a path of at most 100 bytes'
const milliseconds = (least: number): OptionRule => optionRules.whole(least, 3_600_000)
const bytes = optionRules.whole(1, Number.MAX_SAFE_INTEGER)

/** The options, and what each may be. */
export const meshEmitterOptions: OptionTable<keyof MeshEmitterOptions> = {
  directory: {
    text: 'the path of a directory, short enough for sockets in it (73 bytes)',
    allows: value => typeof value === 'string' && isSocketPath(`${value}/${'x'.repeat(26)}`) && value !== '',
  },
  listen: { text: addressForms, allows: value => typeof value === 'string' && parseAddress(value) !== undefined },
  peers: {
    text: `${addressForms}, dns:NAME:PORT, or a list of such`,
    allows: value => [value].flat().every(one => typeof one === 'string' && parsePeer(one) !== undefined),
  },
  advertise: {
    text: 'HOST:PORT, or [IPv6]:PORT',
    allows: value => typeof value === 'string' && parseAddress(value)?.kind === 'tcp',
  },
  tls: {
    text: 'an object with key, cert and ca',
    allows: value =>
      typeof value === 'object' &&
      value !== null &&
      ['key', 'cert', 'ca'].every(name => isPem(Reflect.get(value, name))),
  },
  // The value is not for logs.
  secret: { text: 'a text', allows: value => typeof value === 'string' },
  routeTimeout: milliseconds(0),
  lease: milliseconds(100),
  openTimeout: milliseconds(0),
  handshakeTimeout: milliseconds(1),
  refreshInterval: milliseconds(10),
  maximumOutgoingBytes: bytes,
  maximumIncomingBytes: bytes,
  maximumPeers: optionRules.whole(1, 10_000),
  maximumStrangers: optionRules.whole(1, 1_000_000),
  onError: optionRules.function,
}

function isPem(value: unknown): boolean {
  return typeof value === 'string' || Buffer.isBuffer(value)
}

/** The options as they are used. */
export interface MeshSettings extends Required<
  Omit<MeshEmitterOptions, 'directory' | 'listen' | 'peers' | 'advertise' | 'tls' | 'secret' | 'onError'>
> {
  readonly directory: string | undefined
  /** Undefined: in the directory. */
  readonly listen: MeshAddress | undefined
  readonly peers: readonly PeerPlace[]
  readonly advertise: MeshAddress | undefined
  readonly tls: MeshTls | undefined
  readonly secret: string | undefined
}

/** @throws MeshError `OPTION_INVALID` */
export function settingsOf(options: MeshEmitterOptions): MeshSettings {
  const problem = optionProblem(options, meshEmitterOptions, 'MeshEmitter') ?? problemTogether(options)
  if (problem !== undefined) throw new MeshError('OPTION_INVALID', { message: problem })
  const { directory, listen, peers = [], advertise, tls, secret } = options
  if (tls !== undefined) checkTls(tls)
  return {
    ...withDefaults(options, defaults),
    directory,
    listen: listen === undefined ? undefined : parseAddress(listen),
    peers: [peers].flat().map(text => parsePeer(text) as PeerPlace),
    advertise: advertise === undefined ? undefined : parseAddress(advertise),
    tls,
    secret,
  }
}

/** What is wrong with options that may each be as they are. */
function problemTogether({ directory, listen, peers, advertise, tls, secret }: MeshEmitterOptions): string | undefined {
  if (secret !== undefined && Buffer.byteLength(secret) < leastSecret) {
    return `option secret has ${Buffer.byteLength(secret)} bytes, it must have ${leastSecret} or more`
  }
  if (directory !== undefined) {
    if (listen !== undefined || peers !== undefined) return 'option directory takes the place of listen and peers'
    return tls === undefined && advertise === undefined
      ? undefined
      : 'options tls and advertise are for listen with HOST:PORT'
  }
  if (listen === undefined) return 'option directory or listen must be given: each broker of a mesh connects to each'
  const address = parseAddress(listen)
  if (address?.kind === 'unix') {
    return tls === undefined && advertise === undefined
      ? undefined
      : 'options tls and advertise are for listen with HOST:PORT'
  }
  if (tls === undefined && secret === undefined) {
    return `option listen is '${listen}', which others can reach: tls or secret must be given`
  }
  return undefined
}

/** @throws MeshError `OPTION_INVALID` */
function checkTls({ key, cert, ca }: MeshTls): void {
  try {
    createSecureContext({ key, cert, ca })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MeshError('OPTION_INVALID', { message: `option tls is not usable: ${reason}`, cause })
  }
}

import { once } from 'node:events'
import { createServer } from 'node:net'
import type { ListenOptions as NodeListenOptions, Server, Socket } from 'node:net'
import type { IncomingMessage } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Client, ConnectionOrigin, ListenerProfile, ListenerProfileOptions } from '@x/broker-core'
import type { ListenerAddress } from '@x/contract'
import {
  AddressList,
  assertTrusted,
  detailsOfHeader,
  detailsOfRequest,
  detailsOfSocket,
  parseProxyHeader,
} from '@x/protocol-decoder'
import type { ConnectionDetails } from '@x/protocol-decoder'
import { Admission } from './admission.ts'
import { Handshakes } from './handshakes.ts'
import { HttpLayer } from './http-layer.ts'
import { bracketed, listenError } from './listen-error.ts'
import { removeStaleSocket } from './stale-socket.ts'
import { invalid, listenerRulesOf, webSocketOptionsOf } from './listen-options.ts'
import type { CheckedListenOptions } from './listen-options.ts'
import { peek } from './peek.ts'
import type { Verdict } from './peek.ts'
import { layerNames, layerOf } from './protocols.ts'
import type { Layer, Protocol } from './protocols.ts'
import { ConnectionRefused } from './refused.ts'
import { TlsLayer } from './tls-layer.ts'
import type { TlsOptions } from './tls-layer.ts'
import { checkTlsNames } from './tls-options.ts'

/** What a listener needs of the broker. */
export interface ListenerHost {
  readonly connectTimeout: number
  /** Why no further connection may come, whatever the listener; undefined: one may. */
  problemOfNumber(): ConnectionRefused | undefined
  /** Whether a client at this address may send another CONNECT now. */
  mayConnect(address: string): boolean
  /** A `decodeProtocol` hook reads what stands before the MQTT bytes itself. */
  readonly decodesProtocol: boolean
  handle(stream: Duplex, request: unknown, profile: ListenerProfile): Client
  listenerProfile(options: ListenerProfileOptions): ListenerProfile
  reportRefusal(error: Error, origin: ConnectionOrigin): void
  /** Told what goes wrong once the address is had: a connection the operating system could not hand over. */
  reportError(error: Error): void
}

/** A socket with what a proxy said of it. */
interface Described extends Duplex {
  connDetails?: ConnectionDetails
}

/** Streams of clients at one or several addresses, whatever is spoken there: each connection passes admission, a PROXY header, TLS
 * and HTTP, as far as it needs them, and what is left is handed to the broker. Plain MQTT alone is handed over at once. */
export class Listener {
  readonly name: string
  readonly #host: ListenerHost
  readonly #options: CheckedListenOptions
  readonly #admission: Admission
  readonly #handshakes: Handshakes
  readonly #trusted: AddressList | undefined
  readonly #tls: TlsLayer | undefined
  readonly #http: HttpLayer | undefined
  readonly #profile: ListenerProfile
  readonly #isPlain: boolean
  /** In a TLS handshake, for which the TLS layer has a deadline. */
  readonly #securing = new Set<Duplex>()
  /** What may be spoken without TLS, and within it. */
  readonly #layers: readonly Layer[]
  readonly #secureLayers: readonly Layer[]
  readonly #servers: Server[] = []
  readonly #left = (): void => {
    this.#admission.open -= 1
  }

  /** @throws BrokerError `OPTION_INVALID` */
  constructor(options: CheckedListenOptions, host: ListenerHost) {
    const { protocols, name = defaultName(options), connectTimeout = host.connectTimeout, tls } = options
    this.name = name
    this.#host = host
    this.#options = options
    const trusts = options.trustProxy && !host.decodesProtocol
    this.#admission = made(() => new Admission({ ...options, allow: options.allow }))
    this.#trusted = trusts ? made(() => new AddressList(options.trustedProxies)) : undefined
    this.#tls = tls && made(() => this.#makeTls(tls, connectTimeout))
    this.#http = speaks(protocols, 'ws', 'wss') ? made(() => this.#makeHttp()) : undefined
    this.#handshakes = new Handshakes(connectTimeout, socket => this.#expire(socket))
    this.#profile = host.listenerProfile({
      ...listenerRulesOf(options),
      name,
      connectTimeout,
      ...(options.authenticate !== undefined && { authenticate: options.authenticate }),
      ...(this.#tls?.usesIdentities === true && { username: client => this.#identityOf(client) }),
    })
    this.#layers = layersOf(protocols, false)
    this.#secureLayers = layersOf(protocols, true)
    this.#isPlain = protocols.length === 1 && protocols[0] === 'mqtt' && !trusts
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#admission.open
  }

  /** Begins to accept, at all addresses or none; answers where.
   * @throws ListenError */
  async listen(): Promise<readonly ListenerAddress[]> {
    const addresses: ListenerAddress[] = []
    try {
      for (const host of this.#options.hosts) {
        // The port that was found free for the first address serves all.
        addresses.push(await this.#listenAt(host, addresses[0]?.port ?? this.#options.port))
      }
    } catch (error) {
      this.close()
      throw error
    }
    return addresses
  }

  /** Takes new keys and certificates for connections to come; those that are open stay.
   * @throws BrokerError `OPTION_INVALID` for what cannot be read, and without `tls`; the old ones stay then */
  reloadTls(options: TlsOptions): void {
    const layer = this.#tls
    if (layer === undefined) throw invalid(`listener ${this.name} has no TLS`)
    checkTlsNames(options)
    made(() => layer.reload(options))
  }

  /** Accepts no more. Idempotent. Connections that were handed over stay open: they are the broker's to end. */
  close(): void {
    for (const server of this.#servers) server.close()
    this.#servers.length = 0
    this.#handshakes.close()
    for (const socket of this.#securing) socket.destroy()
    this.#http?.close()
  }

  async #listenAt(host: string | undefined, port: number): Promise<ListenerAddress> {
    const { socketPath, backlog } = this.#options
    // Half-open: a client may end its side and still be sent what it waits for; the broker ends connections itself.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket))
    this.#servers.push(server)
    const place: NodeListenOptions =
      socketPath === undefined
        ? // Without a host Node takes all addresses, also where there is no IPv6.
          { port, backlog, ...(host !== undefined && { host }) }
        : { path: socketPath, backlog }
    if (socketPath !== undefined) await removeStaleSocket(socketPath)
    server.listen(place)
    try {
      await once(server, 'listening')
    } catch (error) {
      throw listenError(error as Error, { host, port, socketPath })
    }
    server.on('error', error => this.#host.reportError(error))
    return this.#addressOf(server, host)
  }

  #addressOf(server: Server, host: string | undefined): ListenerAddress {
    const [scheme] = this.#options.protocols
    const address = server.address()
    if (typeof address === 'string' || address === null) {
      return { url: `${scheme}+unix://${this.#options.socketPath}`, host: undefined, port: undefined }
    }
    const { path } = this.#options
    const suffix = scheme === 'ws' || scheme === 'wss' ? ([path ?? '/mqtt'].flat()[0] ?? '') : ''
    return { url: `${scheme}://${shownHost(host)}:${address.port}${suffix}`, host, port: address.port }
  }

  #makeTls(options: TlsOptions, timeout: number): TlsLayer {
    const host = {
      secured: (socket: TLSSocket) => this.#secured(socket),
      refused: (error: Error, socket: Duplex) => this.#refuse(socket, error),
    }
    return new TlsLayer(host, options, timeout)
  }

  #makeHttp(): HttpLayer {
    const { path, protocols } = this.#options
    return new HttpLayer(
      {
        arrived: (socket, request) => this.#upgraded(socket, request),
        accept: (stream, request) => this.#host.handle(stream, request, this.#profile),
        refused: (error, socket) => this.#refuse(socket, error),
        about: `An MQTT broker listens here: ${protocols.join(', ')}${path === undefined ? '' : ` at ${[path].flat().join(', ')}`}.\n`,
      },
      webSocketOptionsOf(this.#options),
    )
  }

  #accept(socket: Socket): void {
    const problem =
      this.#problemOfPeer(socket) ?? this.#host.problemOfNumber() ?? this.#admission.problemOfNumber(performance.now())
    if (problem !== undefined) {
      this.#refuse(socket, problem)
      return
    }
    this.#admission.open += 1
    socket.on('close', this.#left)
    if (this.#isPlain) {
      this.#handOver(socket)
      return
    }
    this.#handshakes.begin(socket)
    socket.on('error', ignore)
    // Asked for now, it is still known when the connection has gone.
    void socket.remoteAddress
    this.#recognise(socket, this.#layers, this.#trusted)
  }

  /** Before a denied peer has cost a handshake. Behind a proxy the peer is not the client, whose address is known later. */
  #problemOfPeer(socket: Socket): ConnectionRefused | undefined {
    if (this.#trusted !== undefined || !this.#admission.filtersAddresses) return undefined
    return this.#admission.problemOfAddress(socket.remoteAddress)
  }

  /** What is spoken next, behind a PROXY header where one may stand. */
  #recognise(socket: Duplex, layers: readonly Layer[], trusted: AddressList | undefined): void {
    const [only] = layers
    if (layers.length === 1 && only !== undefined && trusted === undefined) {
      this.#proceed(socket, only)
      return
    }
    const look = (bytes: Buffer): Verdict => {
      const header = trusted && parseProxyHeader(bytes)
      if (header === 'incomplete') return 'more'
      if (trusted !== undefined && header !== undefined) {
        assertTrusted((socket as Socket).remoteAddress, trusted, 'PROXY header')
        ;(socket as Described).connDetails = detailsOfHeader(detailsOfSocket(socket as Socket), header)
      }
      const taken = header?.length ?? 0
      if (bytes.length === taken) return 'more'
      const layer = this.#layerIn(bytes, taken, layers)
      return { taken, proceed: () => this.#proceed(socket, layer) }
    }
    const message = 'the peer has left before it said what it wants'
    peek(socket, look, {
      ended: () => this.#refuse(socket, new ConnectionRefused('CONNECTION_LOST', message)),
      failed: error => this.#refuse(socket, error as Error),
    })
  }

  #layerIn(bytes: Buffer, position: number, layers: readonly Layer[]): Layer {
    const first = bytes[position] as number
    const [only] = layers
    const layer = layers.length === 1 ? only : layerOf(first)
    if (layer !== undefined && layers.includes(layer)) return layer
    const spoken = layerOf(first)
    const expected = this.#options.protocols.join(', ')
    const message =
      spoken === undefined
        ? `the first byte is 0x${first.toString(16)}, no beginning of ${expected}`
        : `${layerNames[spoken]} came where ${expected} is spoken`
    throw new ConnectionRefused('PROTOCOL_UNKNOWN', message)
  }

  #proceed(socket: Duplex, layer: Layer): void {
    if (layer === 'mqtt') {
      this.#handshakes.end(socket)
      this.#handOver(socket)
      return
    }
    const problem = this.#problemOfHandshake(socket)
    if (problem !== undefined) this.#refuse(socket, problem)
    else if (layer === 'tls') this.#beginTls(socket as Socket)
    else this.#http?.serve(socket)
  }

  /** Plain MQTT is refused by CONNACK, which says why; TLS and HTTP before they have cost a handshake. */
  #problemOfHandshake(socket: Described): ConnectionRefused | undefined {
    const address = socket.connDetails?.ipAddress ?? (socket as Socket).remoteAddress
    if (address === undefined || this.#host.mayConnect(address)) return undefined
    const message = `more CONNECTs from ${address} in a minute than maximumConnectsPerAddress`
    return new ConnectionRefused('CONNECTION_RATE_EXCEEDED', message)
  }

  #beginTls(socket: Socket): void {
    // The TLS layer has a deadline of its own.
    this.#handshakes.end(socket)
    this.#securing.add(socket)
    // Who ends its side within the handshake has gone.
    socket.allowHalfOpen = false
    this.#tls?.serve(socket)
  }

  #secured(socket: TLSSocket): void {
    socket.on('error', ignore)
    const raw: Described = beneath(socket)
    this.#securing.delete(raw)
    const { connDetails } = raw
    if (connDetails !== undefined) (socket as Described).connDetails = { ...connDetails, isTls: true }
    this.#handshakes.begin(socket)
    this.#recognise(socket, this.#secureLayers, undefined)
  }

  /** A WebSocket's request has come: from where is known now. */
  #upgraded(socket: Duplex, request: IncomingMessage): void {
    this.#handshakes.end(socket)
    const said = (socket as Described).connDetails ?? detailsOfSocket(socket as Socket)
    const peer = (socket as Socket).remoteAddress
    const details = this.#trusted === undefined ? said : detailsOfRequest(said, request.headers, this.#trusted, peer)
    const problem = this.#trusted && this.#admission.problemOfAddress(details.ipAddress)
    if (problem !== undefined) throw problem
    Object.assign(request, { connDetails: { ...details, isWebsocket: true } })
  }

  #handOver(socket: Described): void {
    const { connDetails } = socket
    if (this.#trusted !== undefined && this.#admission.filtersAddresses) {
      const problem = this.#admission.problemOfAddress(connDetails?.ipAddress ?? (socket as Socket).remoteAddress)
      if (problem !== undefined) {
        this.#refuse(socket, problem)
        return
      }
    }
    socket.off('error', ignore)
    this.#host.handle(socket, connDetails && { connDetails }, this.#profile)
  }

  #identityOf(client: Client): string | undefined {
    const { conn } = client
    return this.#tls?.identityOf(('socket' in conn ? conn.socket : conn) as TLSSocket)
  }

  #expire(socket: Duplex): void {
    const { connectTimeout } = this.#profile
    const message = `no client within connectTimeout of ${connectTimeout} ms`
    this.#refuse(socket, new ConnectionRefused('HANDSHAKE_TIMEOUT', message))
  }

  #refuse(socket: Duplex, error: Error): void {
    this.#handshakes.end(socket)
    const raw = beneath(socket) as Described & Partial<Socket>
    this.#securing.delete(raw)
    const { connDetails, remoteAddress, remotePort } = raw
    const origin = {
      listener: this.name,
      remoteAddress: connDetails?.ipAddress ?? remoteAddress,
      remotePort: connDetails?.port ?? remotePort,
    }
    // What is still to be written (an HTTP answer) goes out first.
    if (socket.writableEnded) socket.on('finish', () => socket.destroy())
    else socket.destroy()
    this.#host.reportRefusal(error, origin)
  }
}

function ignore(): void {}

/** What a constructor refuses as an invalid option. */
function made<Part>(make: () => Part): Part {
  try {
    return make()
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error)
  }
}

function speaks(spoken: readonly Protocol[], ...wanted: readonly Protocol[]): boolean {
  return wanted.some(one => spoken.includes(one))
}

function layersOf(spoken: readonly Protocol[], isSecure: boolean): readonly Layer[] {
  const layers: Layer[] = []
  if (speaks(spoken, isSecure ? 'mqtts' : 'mqtt')) layers.push('mqtt')
  if (speaks(spoken, isSecure ? 'wss' : 'ws')) layers.push('http')
  if (!isSecure && speaks(spoken, 'mqtts', 'wss')) layers.push('tls')
  return layers
}

function defaultName({ protocols, port, socketPath }: CheckedListenOptions): string {
  return `${protocols.join(',')}:${socketPath ?? port}`
}

/** The socket that a TLSSocket stands on, which outlives it. Node has it under this name and no public one. */
function beneath(socket: Duplex): Duplex {
  return (socket as { _parent?: Duplex })._parent ?? socket
}

/** How a client on this machine would write the host. */
function shownHost(host: string | undefined): string {
  return host === undefined || host === '::' || host === '0.0.0.0' ? 'localhost' : bracketed(host)
}

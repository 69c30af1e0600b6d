import type { Socket } from 'node:net'
import type { IncomingMessage } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Client, ConnectionOrigin, ListenerProfile, ListenerProfileOptions } from '@x/broker-core'
import type { ListenerAddress } from '@x/contract'
import { AddressList, detailsOfRequest, detailsOfSocket } from '@x/protocol-decoder'
import { BoundServers } from './bound-servers.ts'
import { Admission } from './admission.ts'
import { Handshakes } from './handshakes.ts'
import { HttpLayer } from './http-layer.ts'
import { invalid, listenerRulesOf, webSocketOptionsOf } from './listen-options.ts'
import type { CheckedListenOptions } from './listen-options.ts'
import { speaks } from './protocols.ts'
import type { Layer } from './protocols.ts'
import { Recognition } from './recognition.ts'
import type { DescribedSocket } from './recognition.ts'
import { ConnectionRefused } from './refused.ts'
import { TlsLayer, beneath } from './tls-layer.ts'
import type { TlsOptions } from './tls-layer.ts'
import { checkTlsNames } from './tls-options.ts'
import { WaitingRoom } from './waiting-room.ts'

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
  readonly #recognition: Recognition
  readonly #servers: BoundServers
  readonly #waiting: WaitingRoom
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
    const usesIdentities = this.#tls?.usesIdentities === true || options.proxyIdentityAsUsername === true
    this.#profile = host.listenerProfile({
      ...listenerRulesOf(options),
      name,
      connectTimeout,
      ...(options.authenticate !== undefined && { authenticate: options.authenticate }),
      ...(usesIdentities && { username: client => this.#identityOf(client) }),
    })
    if (options.proxyRequires !== undefined && !trusts)
      throw invalid('option proxyRequires excludes a decodeProtocol hook')
    const proxies = this.#trusted && { trusted: this.#trusted, requirement: options.proxyRequires }
    this.#recognition = new Recognition(protocols, proxies, {
      recognised: (socket, layer) => this.#proceed(socket, layer),
      refused: (socket, error) => this.#refuse(socket, error),
    })
    this.#waiting = new WaitingRoom({
      problemOfNumber: () => this.#problemOfNumber(),
      admit: socket => this.#admit(socket),
      refuse: (socket, problem) => this.#refuse(socket, problem),
    })
    this.#servers = new BoundServers(options, {
      accept: socket => this.#accept(socket),
      failed: error => host.reportError(error),
    })
    this.#isPlain = protocols.length === 1 && protocols[0] === 'mqtt' && !trusts
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#admission.open
  }

  /** Begins to accept, at all addresses or none. Returns the addresses.
   * @throws ListenError */
  async listen(): Promise<readonly ListenerAddress[]> {
    try {
      return await this.#servers.listen()
    } catch (error) {
      this.close()
      throw error
    }
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
    this.#servers.close()
    this.#waiting.close()
    this.#handshakes.close()
    for (const socket of this.#securing) socket.destroy()
    this.#http?.close()
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
    const problem = this.#problemOfPeer(socket) ?? this.#problemOfNumber()
    if (problem === undefined) this.#admit(socket)
    else if (problem.code === 'TOO_MANY_CONNECTIONS') this.#waiting.take(socket, problem)
    else this.#refuse(socket, problem)
  }

  #problemOfNumber(): ConnectionRefused | undefined {
    return this.#host.problemOfNumber() ?? this.#admission.problemOfNumber(performance.now())
  }

  #admit(socket: Socket): void {
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
    this.#recognition.begin(socket)
  }

  /** Before a denied peer has cost a handshake. Behind a proxy the peer is not the client, whose address is known later. */
  #problemOfPeer(socket: Socket): ConnectionRefused | undefined {
    if (this.#trusted !== undefined || !this.#admission.filtersAddresses) return undefined
    return this.#admission.problemOfAddress(socket.remoteAddress)
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
  #problemOfHandshake(socket: DescribedSocket): ConnectionRefused | undefined {
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
    const raw: DescribedSocket = beneath(socket)
    this.#securing.delete(raw)
    const { connDetails } = raw
    if (connDetails !== undefined) (socket as DescribedSocket).connDetails = { ...connDetails, isTls: true }
    this.#handshakes.begin(socket)
    this.#recognition.beginWithinTls(socket)
  }

  /** A WebSocket's request has come: from where is known now. */
  #upgraded(socket: Duplex, request: IncomingMessage): void {
    this.#handshakes.end(socket)
    const said = (socket as DescribedSocket).connDetails ?? detailsOfSocket(socket as Socket)
    const peer = (socket as Socket).remoteAddress
    const details = this.#trusted === undefined ? said : detailsOfRequest(said, request.headers, this.#trusted, peer)
    const problem = this.#trusted && this.#admission.problemOfAddress(details.ipAddress)
    if (problem !== undefined) throw problem
    Object.assign(request, { connDetails: { ...details, isWebsocket: true } })
  }

  #handOver(socket: DescribedSocket): void {
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
    const { conn, connDetails } = client
    if (this.#options.proxyIdentityAsUsername === true) {
      const name = connDetails?.['certificateCommonName']
      return typeof name === 'string' ? name : undefined
    }
    return this.#tls?.identityOf(('socket' in conn ? conn.socket : conn) as TLSSocket)
  }

  #expire(socket: Duplex): void {
    const { connectTimeout } = this.#profile
    const message = `no client within connectTimeout of ${connectTimeout} ms`
    this.#refuse(socket, new ConnectionRefused('HANDSHAKE_TIMEOUT', message))
  }

  #refuse(socket: Duplex, error: Error): void {
    this.#handshakes.end(socket)
    const raw = beneath(socket) as DescribedSocket & Partial<Socket>
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

function defaultName({ protocols, port, socketPath }: CheckedListenOptions): string {
  return `${protocols.join(',')}:${socketPath ?? port}`
}

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { assertTrusted, detailsOfHeader, detailsOfSocket, parseProxyHeader } from '@x/protocol-decoder'
import type { AddressList, ConnectionDetails, ProxyHeader } from '@x/protocol-decoder'
import { peek } from './peek.ts'
import type { Verdict } from './peek.ts'
import { layerNames, layerOf, layersOf } from './protocols.ts'
import type { Layer, Protocol } from './protocols.ts'
import { assertProxySaid } from './proxy-requirement.ts'
import type { ProxyRequirement } from './proxy-requirement.ts'
import { ConnectionRefused } from './refused.ts'

/** A socket with what a proxy said of it. */
export interface DescribedSocket extends Duplex {
  connDetails?: ConnectionDetails
}

/** Whose PROXY headers count, and what they must say. */
interface Proxies {
  readonly trusted: AddressList
  /** Undefined: a header may be missing. */
  readonly requirement: ProxyRequirement | undefined
}

/** What becomes of a connection. */
interface RecognitionEvents {
  /** The next layer is known, and the PROXY header, if there was one, is in `connDetails`. */
  recognised(socket: Duplex, layer: Layer): void
  refused(socket: Duplex, error: Error): void
}

/** Finds out by its first bytes what a connection speaks: behind a PROXY header, and again within TLS. */
export class Recognition {
  readonly #protocols: readonly Protocol[]
  /** Undefined: there are no PROXY headers. */
  readonly #proxies: Proxies | undefined
  readonly #events: RecognitionEvents
  /** What may be spoken without TLS, and within it. */
  readonly #layers: readonly Layer[]
  readonly #secureLayers: readonly Layer[]

  constructor(protocols: readonly Protocol[], proxies: Proxies | undefined, events: RecognitionEvents) {
    this.#protocols = protocols
    this.#proxies = proxies
    this.#events = events
    this.#layers = layersOf(protocols, 'plain')
    this.#secureLayers = layersOf(protocols, 'secure')
  }

  /** For a connection that has just been accepted. */
  begin(socket: Duplex): void {
    this.#recognise(socket, this.#layers, this.#proxies)
  }

  /** For a connection whose TLS handshake is done. */
  beginWithinTls(socket: Duplex): void {
    this.#recognise(socket, this.#secureLayers, undefined)
  }

  #recognise(socket: Duplex, layers: readonly Layer[], proxies: Proxies | undefined): void {
    const [only] = layers
    if (layers.length === 1 && only !== undefined && proxies === undefined) {
      this.#events.recognised(socket, only)
      return
    }
    const look = (bytes: Buffer): Verdict => {
      const header = proxies && parseProxyHeader(bytes)
      if (header === 'incomplete') return 'more'
      if (proxies !== undefined) takeHeader(socket as Socket, header, proxies)
      const taken = header?.length ?? 0
      if (bytes.length === taken) return 'more'
      const layer = this.#layerIn(bytes, taken, layers)
      return { taken, proceed: () => this.#events.recognised(socket, layer) }
    }
    const message = 'the peer has left before it said what it wants'
    peek(socket, look, {
      ended: () => this.#events.refused(socket, new ConnectionRefused('CONNECTION_LOST', message)),
      failed: error => this.#events.refused(socket, error as Error),
    })
  }

  #layerIn(bytes: Buffer, position: number, layers: readonly Layer[]): Layer {
    const first = bytes[position] as number
    const [only] = layers
    const layer = layers.length === 1 ? only : layerOf(first)
    if (layer !== undefined && layers.includes(layer)) return layer
    const spoken = layerOf(first)
    const expected = this.#protocols.join(', ')
    const message =
      spoken === undefined
        ? `the first byte is 0x${first.toString(16)}, no beginning of ${expected}`
        : `${layerNames[spoken]} came where ${expected} is spoken`
    throw new ConnectionRefused('PROTOCOL_UNKNOWN', message)
  }
}

/** Keeps what the proxy says of the connection.
 * @throws DecodeError `PROXY_NOT_TRUSTED`; ConnectionRefused when the header lacks what is required, or is missing */
function takeHeader(socket: Socket, header: ProxyHeader | undefined, { trusted, requirement }: Proxies): void {
  if (header !== undefined) assertTrusted(socket.remoteAddress, trusted, 'PROXY header')
  const details = header && detailsOfHeader(detailsOfSocket(socket), header)
  if (requirement !== undefined) assertProxySaid(requirement, details)
  if (details !== undefined) (socket as DescribedSocket).connDetails = details
}

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { assertTrusted, detailsOfHeader, detailsOfSocket, parseProxyHeader } from '@x/protocol-decoder'
import type { AddressList, ConnectionDetails } from '@x/protocol-decoder'
import { peek } from './peek.ts'
import type { Verdict } from './peek.ts'
import { layerNames, layerOf, layersOf } from './protocols.ts'
import type { Layer, Protocol } from './protocols.ts'
import { ConnectionRefused } from './refused.ts'

/** A socket with what a proxy said of it. */
export interface DescribedSocket extends Duplex {
  connDetails?: ConnectionDetails
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
  /** Proxies whose PROXY headers count; undefined: there are no headers. */
  readonly #trusted: AddressList | undefined
  readonly #events: RecognitionEvents
  /** What may be spoken without TLS, and within it. */
  readonly #layers: readonly Layer[]
  readonly #secureLayers: readonly Layer[]

  constructor(protocols: readonly Protocol[], trusted: AddressList | undefined, events: RecognitionEvents) {
    this.#protocols = protocols
    this.#trusted = trusted
    this.#events = events
    this.#layers = layersOf(protocols, 'plain')
    this.#secureLayers = layersOf(protocols, 'secure')
  }

  /** For a connection that has just been accepted. */
  begin(socket: Duplex): void {
    this.#recognise(socket, this.#layers, this.#trusted)
  }

  /** For a connection whose TLS handshake is done. */
  beginWithinTls(socket: Duplex): void {
    this.#recognise(socket, this.#secureLayers, undefined)
  }

  #recognise(socket: Duplex, layers: readonly Layer[], trusted: AddressList | undefined): void {
    const [only] = layers
    if (layers.length === 1 && only !== undefined && trusted === undefined) {
      this.#events.recognised(socket, only)
      return
    }
    const look = (bytes: Buffer): Verdict => {
      const header = trusted && parseProxyHeader(bytes)
      if (header === 'incomplete') return 'more'
      if (trusted !== undefined && header !== undefined) {
        assertTrusted((socket as Socket).remoteAddress, trusted, 'PROXY header')
        ;(socket as DescribedSocket).connDetails = detailsOfHeader(detailsOfSocket(socket as Socket), header)
      }
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

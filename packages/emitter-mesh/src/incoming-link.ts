import { DeliveryLine, IncomingFrame } from '@x/emitter-parts'
import type { EmitterHost } from '@x/contract'
import { afterNumber, frameType, jsonOf, numberOf, writeFrame, writeNumber } from './mesh-frame.ts'
import type { Frame } from './mesh-frame.ts'
import type { ConnectionOwner, MeshConnection } from './mesh-connection.ts'
import type { MeshCounters } from './mesh-counters.ts'
import { invalid } from './mesh-error.ts'
import type { Welcome } from './mesh-handshake.ts'
import type { TurnEnd } from './turn-end.ts'

/** What the incoming side of a peer needs, and whom it tells. */
export interface IncomingHost {
  readonly counters: MeshCounters
  readonly turn: TurnEnd
  /** The peer. */
  readonly instance: string
  /** Bytes that may wait for delivery; beyond that no more is read. */
  readonly maximumIncomingBytes: number
  readonly deliver: EmitterHost['deliver']
  /** Whether the client has connected to another broker than the peer since. */
  isElsewhere(clientId: string): boolean
  /** Something has come. */
  heard(): void
  /** The peer has these routes and no others. */
  joined(routes: readonly string[]): void
  changed(changes: readonly string[]): void
  clientConnected(clientId: string, since: number): void
  left(): void
  /** The peer asks whether all is read. */
  asked(ping: Buffer): void
  /** The peer has answered what was asked at that time. */
  answered(askedAt: number): void
}

/** What comes from one peer: numbered frames each once and in their order, over however many connections. */
export class IncomingLink implements ConnectionOwner {
  readonly #host: IncomingHost
  /** Names the row of numbers. */
  #stream = ''
  readonly #line: DeliveryLine
  #connection: MeshConnection | undefined
  #received = 0
  #waitingBytes = 0

  constructor(host: IncomingHost) {
    this.#host = host
    this.#line = new DeliveryLine({
      deliver: (message, groups) => {
        const { qos, publisher } = message
        if (qos === 0 && publisher !== undefined && host.isElsewhere(publisher)) {
          host.counters.droppedLate += 1
          return undefined
        }
        host.counters.delivered += 1
        return host.deliver(message, groups)
      },
      done: ({ size }, _number, error) => {
        if (error instanceof Error) this.#connection?.destroy(invalid(`a message can't be read: ${error.message}`))
        this.#waitingBytes -= size
        if (this.#waitingBytes * 2 <= host.maximumIncomingBytes) this.#connection?.resume()
      },
    })
  }

  /** The peer has connected, perhaps before the end of its last connection was noticed. Returns where its row of numbers goes on; another
   * row begins. */
  connect(connection: MeshConnection, stream: string): Welcome {
    this.#connection?.destroy()
    this.#connection = connection
    connection.handOver(this)
    const isKnown = stream === this.#stream
    if (!isKnown) {
      this.#stream = stream
      this.#received = 0
    }
    return { isKnown, received: this.#received }
  }

  /** Says what has come, and reads no more. What has come is delivered. */
  end(): void {
    this.flush()
    this.#connection?.end()
    this.#connection = undefined
  }

  /** Delivers nothing any more. */
  close(): void {
    this.#line.close()
    this.#connection?.destroy()
    this.#connection = undefined
  }

  frame(frame: Frame): void {
    this.#host.heard()
    switch (frame.type) {
      case frameType.messages:
        this.#deliver(frame.body)
        return
      case frameType.ping:
        this.#host.asked(frame.body)
        return
      case frameType.pong:
        this.#host.answered(numberOf(frame))
        return
      default:
        this.#numbered(frame)
    }
  }

  /** The link is there for the next connection. */
  ended(): void {
    if (this.#connection?.isOpen === false) this.#connection = undefined
  }

  /** Confirms all that has come in this turn. */
  flush(): void {
    this.#connection?.send(writeFrame(frameType.confirm, [writeNumber(this.#received)]))
  }

  #numbered(frame: Frame): void {
    const number = numberOf(frame)
    if (number <= this.#received) return
    if (number !== this.#received + 1) throw invalid(`frame ${number} comes after ${this.#received}`)
    this.#received = number
    this.#host.turn.flushes(this)
    this.#take(frame.type, afterNumber(frame))
  }

  #take(type: number, body: Buffer): void {
    switch (type) {
      case frameType.numberedMessages:
        this.#deliver(body)
        return
      case frameType.join:
        this.#host.joined(textsOf(body))
        return
      case frameType.routes:
        this.#host.changed(textsOf(body))
        return
      case frameType.client: {
        const [clientId, since] = arrayOf(body)
        if (typeof clientId !== 'string' || typeof since !== 'number') throw invalid('a client has no id or time')
        this.#host.clientConnected(clientId, since)
        return
      }
      case frameType.leave:
        this.#host.left()
        return
      default:
        throw invalid(`a frame has the type ${type}, which is none`)
    }
  }

  #deliver(body: Buffer): void {
    const frame = new IncomingFrame(body, undefined)
    if (frame.sender !== this.#host.instance) throw invalid('a frame has the name of another broker')
    this.#waitingBytes += frame.size
    this.#line.push(frame)
    if (this.#waitingBytes > this.#host.maximumIncomingBytes) this.#connection?.pause()
  }
}

function arrayOf(body: Buffer): readonly unknown[] {
  const value = jsonOf(body)
  if (!Array.isArray(value)) throw invalid('a frame is no list')
  return value
}

function textsOf(body: Buffer): readonly string[] {
  const values = arrayOf(body)
  if (values.every(value => typeof value === 'string')) return values
  throw invalid('a route is no text')
}

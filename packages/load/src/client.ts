import { type ProtocolVersion, connectFrame, disconnectFrame, firstByte } from './frames.ts'
import { type FrameSink, FrameWalker } from './frame-walker.ts'
import { Replies } from './replies.ts'
import type { Tally } from './tally.ts'
import { type Place, type Wire, openWire } from './wire.ts'

/** Looks into messages; the buffer is valid during the call only. */
export interface MessageReader {
  message(buffer: Uint8Array, end: number): void
}

/** Takes acknowledgements of what a publisher sent and answers with the frames to send next. */
export interface AcknowledgedSource {
  acknowledged(packetId: number): void
  next(): Buffer | undefined
}

/** How to connect; `reader` switches counting by stride off, because it needs to see every message. */
export interface ClientOptions extends Place {
  readonly clientId: string
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly version?: ProtocolVersion
  readonly clean?: boolean
  /** Told of anything that is not expected; by default it is thrown. */
  readonly failed?: (error: Error) => void
  /** Counts the PUBLISH frames that arrive. */
  readonly deliveries?: Tally
  readonly reader?: MessageReader
}

const replies = new Replies()

/**
 * One MQTT connection of the load process. It counts what arrives, acknowledges QoS 1 and 2, and writes once per chunk
 * read. Anything unexpected (a refusal, a closed socket, an unknown packet) throws out of the event loop on purpose: the
 * run is then worthless.
 */
export class Client implements FrameSink {
  /** Set for publishers of QoS 1 and 2. */
  source: AcknowledgedSource | undefined
  readonly #wire: Wire
  readonly #walker: FrameWalker
  readonly #deliveries: Tally | undefined
  readonly #reader: MessageReader | undefined
  readonly #name: string
  readonly #failed: ((error: Error) => void) | undefined
  /** PUBLISH frames of QoS above 0, or seen by the reader, in the chunk at hand. */
  #seen = 0
  #closing = false
  /** Waits for CONNACK, SUBACK or UNSUBACK: one at a time. */
  #answered: (() => void) | undefined

  constructor(options: ClientOptions) {
    const { clientId, deliveries, reader } = options
    this.#name = clientId
    this.#failed = options.failed
    this.#deliveries = deliveries
    this.#reader = reader
    this.#walker = new FrameWalker(this, reader === undefined)
    this.#wire = openWire(options, {
      read: (bytes, length) => this.#read(bytes, length),
      failed: error => this.#fail(error.message),
      closed: () => {
        if (!this.#closing) this.#fail('the broker has closed the connection')
      },
    })
  }

  /** Connects and waits for a CONNACK that accepts. */
  static async open(options: ClientOptions): Promise<Client> {
    const { clientId, version = 4, clean = true, username, password } = options
    const client = new Client(options)
    await client.request(connectFrame({ version, clientId, clean, username, password }))
    return client
  }

  /** Sends a CONNECT, SUBSCRIBE or UNSUBSCRIBE frame and waits for its answer. */
  request(frame: Buffer): Promise<void> {
    return new Promise(resolve => {
      this.#answered = resolve
      this.#wire.write(frame)
    })
  }

  /** Writes whole frames; false asks the caller to wait for `drained`. */
  write(frames: Buffer): boolean {
    return this.#wire.write(frames)
  }

  /** Calls back once the kernel has taken what was written. */
  drained(callback: () => void): void {
    this.#wire.socket.once('drain', callback)
  }

  /** Sends DISCONNECT and waits until the broker has closed the connection. */
  async disconnect(): Promise<void> {
    this.#closing = true
    const closed = new Promise<void>(resolve => {
      this.#wire.socket.once('close', () => resolve())
    })
    this.#wire.write(disconnectFrame())
    this.#wire.socket.end()
    this.#wire.socket.resume()
    await closed
  }

  /** Ends the connection without a word. */
  drop(): void {
    this.#closing = true
    this.#wire.socket.destroy()
  }

  frame(buffer: Uint8Array, start: number, bodyStart: number, end: number): void {
    const first = buffer[start] ?? 0
    switch (first >> 4) {
      case 2: // CONNACK
        return this.#answer('CONNECT', buffer[bodyStart + 1] ?? 0xff)
      case 3:
        return this.#publish(buffer, first, bodyStart, end)
      case 4: // PUBACK
      case 7: // PUBCOMP
        return this.source?.acknowledged(packetIdAt(buffer, bodyStart))
      case 5: // PUBREC
        return replies.add(firstByte.pubrel, buffer[bodyStart] ?? 0, buffer[bodyStart + 1] ?? 0)
      case 6: // PUBREL
        return replies.add(firstByte.pubcomp, buffer[bodyStart] ?? 0, buffer[bodyStart + 1] ?? 0)
      case 9: // SUBACK: the codes are last, and those from 0x80 are refusals in both versions
        return this.#answer('SUBSCRIBE', (buffer[end - 1] ?? 0xff) & 0x80)
      case 11: // UNSUBACK
        return this.#answer('UNSUBSCRIBE', 0)
      default:
        return this.#fail(`unexpected packet with first byte 0x${first.toString(16)}`)
    }
  }

  #publish(buffer: Uint8Array, first: number, bodyStart: number, end: number): void {
    this.#seen++
    const qos = (first >> 1) & 3
    if (qos > 0) {
      const at = bodyStart + 2 + packetIdAt(buffer, bodyStart) // a topic's length is written like a packet identifier
      replies.add(qos === 1 ? firstByte.puback : firstByte.pubrec, buffer[at] ?? 0, buffer[at + 1] ?? 0)
    }
    this.#reader?.message(buffer, end)
  }

  #read(bytes: Uint8Array, length: number): void {
    this.#walker.feed(bytes, length)
    const delivered = this.#seen + this.#walker.counted
    this.#seen = 0
    this.#walker.counted = 0
    if (delivered > 0) this.#deliveries?.add(delivered)
    const answer = replies.take()
    const next = this.source?.next()
    if (answer !== undefined && next !== undefined) this.#wire.write(Buffer.concat([answer, next]))
    else if (answer !== undefined) this.#wire.write(answer)
    else if (next !== undefined) this.#wire.write(next)
  }

  #answer(request: string, code: number): void {
    if (code !== 0) return this.#fail(`${request} refused with code ${code}`)
    const answered = this.#answered
    this.#answered = undefined
    answered?.()
  }

  #fail(reason: string): void {
    const error = new Error(`${this.#name}: ${reason}`)
    if (this.#failed === undefined) throw error
    this.#closing = true
    this.#wire.socket.destroy()
    this.#failed(error)
  }
}

function packetIdAt(buffer: Uint8Array, at: number): number {
  return ((buffer[at] ?? 0) << 8) | (buffer[at + 1] ?? 0)
}

/** Opens `count` connections, at most `concurrency` of them being opened at a time, in the order of their index. */
export async function openClients(
  count: number,
  concurrency: number,
  options: (index: number) => ClientOptions,
): Promise<Client[]> {
  const clients: Client[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++
      clients[index] = await Client.open(options(index))
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, concurrency) }, worker))
  return clients
}

import type { AcknowledgedSource, Client } from './client.ts'
import type { Tally } from './tally.ts'

/** Sends a number of messages as fast as its flow control lets it. */
export interface Publisher {
  /** Begins to send `count` messages; the round before has to be over. */
  start(count: number): void
}

/** Supplies QoS 0 frames, encoded before the measurement. */
export interface FrameSupply {
  /** Frames in one block at most. */
  readonly blockSize: number
  /** The next `count` frames, at most `blockSize`. The bytes stay unchanged until written. */
  take(count: number): Buffer
}

/** Frames of one length, in turns, round and round. */
export class FrameRing implements FrameSupply {
  readonly blockSize: number
  /** Two rounds, so that any `blockSize` consecutive frames are consecutive bytes. */
  readonly #bytes: Buffer
  readonly #frames: number
  readonly #frameLength: number
  #cursor = 0

  /** Throws RangeError when the frames differ in length. */
  constructor(frames: readonly Buffer[], blockBytes: number) {
    this.#frames = frames.length
    this.#frameLength = frames[0]?.length ?? 0
    if (frames.some(frame => frame.length !== this.#frameLength)) throw new RangeError('frames differ in length')
    this.#bytes = Buffer.concat([...frames, ...frames])
    this.blockSize = Math.max(1, Math.min(frames.length, Math.floor(blockBytes / this.#frameLength)))
  }

  take(count: number): Buffer {
    const start = this.#cursor * this.#frameLength
    this.#cursor = (this.#cursor + count) % this.#frames
    return this.#bytes.subarray(start, start + count * this.#frameLength)
  }
}

/**
 * Publishes QoS 0: one block per turn of the event loop, and none while the kernel has not taken the last one. So the
 * broker's TCP back-pressure is the only limit, and at most one block waits in this process.
 */
export class FloodPublisher implements Publisher {
  readonly #client: Client
  readonly #supply: FrameSupply
  #remaining = 0

  constructor(client: Client, supply: FrameSupply) {
    this.#client = client
    this.#supply = supply
  }

  start(count: number): void {
    this.#remaining = count
    this.#send()
  }

  readonly #send = (): void => {
    const count = Math.min(this.#remaining, this.#supply.blockSize)
    if (count === 0) return
    this.#remaining -= count
    // 'drain' is followed by a turn of the event loop: writing on in its callback would starve reading.
    if (this.#client.write(this.#supply.take(count))) setImmediate(this.#send)
    else this.#client.drained(() => setImmediate(this.#send))
  }
}

/**
 * Publishes QoS 1 or 2 with a fixed number of messages in flight. Packet identifiers run from 1 to `inFlight` again and
 * again, so an acknowledgement frees the one that is used next and the frames can be cut from one encoded ring.
 */
export class WindowPublisher implements Publisher, AcknowledgedSource {
  readonly #client: Client
  readonly #acks: Tally
  /** The whole window: one frame per packet identifier. */
  readonly #ring: FrameRing
  readonly #inFlight: number
  #remaining = 0
  #freed = 0
  #expectedId = 1

  constructor(client: Client, acks: Tally, frames: readonly Buffer[]) {
    this.#client = client
    this.#acks = acks
    this.#inFlight = frames.length
    this.#ring = new FrameRing(frames, Number.POSITIVE_INFINITY)
    client.source = this
  }

  start(count: number): void {
    this.#remaining = count
    const frames = this.#cut(this.#inFlight)
    if (frames !== undefined) this.#client.write(frames)
  }

  /** Throws when the order is not the order of sending [MQTT5-4.6.0-2]: identifiers would be reused too early. */
  acknowledged(packetId: number): void {
    if (packetId !== this.#expectedId) throw new Error(`acknowledgement of ${packetId}, expected ${this.#expectedId}`)
    this.#expectedId = packetId === this.#inFlight ? 1 : packetId + 1
    this.#freed++
  }

  next(): Buffer | undefined {
    const freed = this.#freed
    if (freed === 0) return undefined
    this.#freed = 0
    this.#acks.add(freed)
    return this.#cut(freed)
  }

  #cut(most: number): Buffer | undefined {
    const count = Math.min(most, this.#remaining)
    if (count === 0) return undefined
    this.#remaining -= count
    return this.#ring.take(count)
  }
}

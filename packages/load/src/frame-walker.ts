/** Receives each complete frame; `buffer` is valid during the call only. */
export interface FrameSink {
  /** `start` is the fixed header's first byte, `bodyStart` the byte behind the remaining length, `end` is exclusive. */
  frame(buffer: Uint8Array, start: number, bodyStart: number, end: number): void
}

const publishQos0 = 0x30
/** PUBLISH at QoS 0, retained or not. DUP is 0 there [MQTT5-3.3.1-2]. */
const retainMask = 0xfe
/** Remaining lengths above this take three bytes, which the stride check does not look at. */
const longestStride = 16_384

/**
 * Finds the frames in a stream of chunks cut at any place. With `countQos0`, PUBLISH frames of QoS 0 are only counted,
 * others go to the sink.
 *
 * A run of frames that share their first three bytes with the frame before is counted by stride: type, flags and length
 * are still compared at every step, so that a broker which sends anything else is noticed.
 */
export class FrameWalker {
  /** PUBLISH frames of QoS 0 counted since the caller last set this to zero. */
  counted = 0
  readonly #sink: FrameSink
  readonly #countQos0: boolean
  /** The bytes of a frame whose end has not arrived yet: `#carry[0, #carried)`. */
  #carry = new Uint8Array(256)
  #carried = 0
  /** Length and first three bytes of the last counted frame; zero length before there is one. */
  #stride = 0
  #first = 0
  #second = 0
  #third = 0

  constructor(sink: FrameSink, countQos0: boolean) {
    this.#sink = sink
    this.#countQos0 = countQos0
  }

  /** Walks `chunk[0, length)`. Throws when a remaining length is malformed [MQTT5-1.5.5-1]. */
  feed(chunk: Uint8Array, length: number): void {
    let position = this.#carried > 0 ? this.#finishCarried(chunk, length) : 0
    while (position < length) {
      position = this.#stepOverUniform(chunk, position, length)
      const bodyStart = findBody(chunk, position, length)
      const end = bodyStart === -1 ? -1 : bodyStart + remainingLength(chunk, position + 1)
      if (end === -1 || end > length) {
        this.#keep(chunk, position, length)
        return
      }
      this.#pass(chunk, position, bodyStart, end)
      position = end
    }
  }

  #stepOverUniform(chunk: Uint8Array, start: number, length: number): number {
    const stride = this.#stride
    if (stride === 0) return start
    const first = this.#first
    const second = this.#second
    const third = this.#third
    const last = length - stride
    let position = start
    while (
      position <= last &&
      chunk[position] === first &&
      chunk[position + 1] === second &&
      chunk[position + 2] === third
    ) {
      position += stride
    }
    this.counted += (position - start) / stride
    return position
  }

  #pass(buffer: Uint8Array, start: number, bodyStart: number, end: number): void {
    const first = buffer[start] ?? 0
    if (!this.#countQos0 || (first & retainMask) !== publishQos0) {
      this.#sink.frame(buffer, start, bodyStart, end)
      return
    }
    this.counted++
    const length = end - start
    this.#stride = length <= longestStride && length >= 3 ? length : 0
    this.#first = first
    this.#second = buffer[start + 1] ?? 0
    this.#third = buffer[start + 2] ?? 0
  }

  #keep(chunk: Uint8Array, from: number, to: number): void {
    const needed = this.#carried + to - from
    if (needed > this.#carry.length) {
      const grown = new Uint8Array(needed * 2)
      grown.set(this.#carry.subarray(0, this.#carried))
      this.#carry = grown
    }
    this.#carry.set(chunk.subarray(from, to), this.#carried)
    this.#carried = needed
  }

  /** Completes the carried frame from the head of `chunk`; returns the position behind it. */
  #finishCarried(chunk: Uint8Array, length: number): number {
    let position = 0
    for (;;) {
      const bodyStart = findBody(this.#carry, 0, this.#carried)
      const end = bodyStart === -1 ? this.#carried + 1 : bodyStart + remainingLength(this.#carry, 1)
      if (bodyStart !== -1 && end === this.#carried) {
        this.#carried = 0
        this.#pass(this.#carry, 0, bodyStart, end)
        return position
      }
      if (position >= length) return position
      const taken = Math.min(end - this.#carried, length - position)
      this.#keep(chunk, position, position + taken)
      position += taken
    }
  }
}

/** Where the body of the frame at `start` begins, or -1 while its remaining length is incomplete. */
function findBody(buffer: Uint8Array, start: number, length: number): number {
  for (let at = start + 1; at < length; at++) {
    if ((buffer[at] ?? 0) < 0x80) return at + 1
    if (at - start === 4) throw new Error('malformed remaining length: more than four bytes')
  }
  return -1
}

function remainingLength(buffer: Uint8Array, at: number): number {
  let value = 0
  for (let shift = 0, index = at; ; shift += 7, index++) {
    const byte = buffer[index] ?? 0
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return value
  }
}

import { array, assert, constantFrom, nat, property, tuple } from 'fast-check'
import { expect, test } from 'vitest'
import { type FrameSink, FrameWalker } from '../src/frame-walker.ts'

/** Keeps what it is handed, as text. */
class Frames implements FrameSink {
  readonly seen: string[] = []

  frame(buffer: Uint8Array, start: number, bodyStart: number, end: number): void {
    const header = Buffer.from(buffer.subarray(start, bodyStart)).toString('hex')
    this.seen.push(`${header} ${Buffer.from(buffer.subarray(bodyStart, end)).toString('hex')}`.trim())
  }
}

function frame(first: number, bodyLength: number, fill: number): Buffer {
  const length = [bodyLength % 128, Math.floor(bodyLength / 128) % 128, Math.floor(bodyLength / 16_384)]
  while (length.length > 1 && length.at(-1) === 0) length.pop()
  const bytes = length.map((byte, index) => (index < length.length - 1 ? byte + 128 : byte))
  return Buffer.concat([Buffer.of(first, ...bytes), Buffer.alloc(bodyLength, fill)])
}

function isCounted(byte: number): boolean {
  return byte === 0x30 || byte === 0x31
}

/** Cuts at the given places, and hands every chunk over in one reused buffer, as sockets do. */
function feed(walker: FrameWalker, stream: Buffer, cuts: readonly number[]): void {
  const places = [0, ...cuts.map(cut => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length]
  const reused = Buffer.alloc(stream.length)
  for (const [index, from] of places.entries()) {
    const to = places[index + 1]
    if (to === undefined) return
    stream.copy(reused, 0, from, to)
    walker.feed(reused, to - from)
    reused.fill(0xff)
  }
}

test('counts QoS 0 publishes and hands every other frame over, wherever the stream is cut', () => {
  const first = constantFrom(0x30, 0x31, 0x32, 0x34, 0x40, 0x90, 0xd0)
  const frames = array(tuple(first, constantFrom(0, 1, 2, 70, 70, 70, 127, 128, 300, 20_000)), {
    maxLength: 30,
  })
  const cuts = array(nat({ max: 1_000_000 }), { maxLength: 20 })
  assert(
    property(frames, cuts, (rows, places) => {
      const sink = new Frames()
      const walker = new FrameWalker(sink, true)
      const stream = Buffer.concat(rows.map(([byte, length], index) => frame(byte, length, index)))
      feed(walker, stream, places)
      expect(walker.counted).toBe(rows.filter(([byte]) => isCounted(byte)).length)
      const handed = rows.flatMap(([byte, length], index) => {
        const bytes = frame(byte, length, index)
        const header = bytes.subarray(0, bytes.length - length).toString('hex')
        return isCounted(byte) ? [] : [`${header} ${bytes.subarray(bytes.length - length).toString('hex')}`.trim()]
      })
      expect(sink.seen).toEqual(handed)
    }),
    { seed: 20_240, numRuns: 300 },
  )
})

test('hands QoS 0 publishes over when it is not to count them', () => {
  const sink = new Frames()
  const walker = new FrameWalker(sink, false)
  walker.feed(Buffer.of(0x30, 3, 0, 1, 0x61), 5)
  expect(walker.counted).toBe(0)
  expect(sink.seen).toEqual(['3003 000161'])
})

test('counts a frame only when its last byte is there', () => {
  const walker = new FrameWalker(new Frames(), true)
  const bytes = Buffer.of(0x30, 3, 0, 1, 0x61)
  walker.feed(bytes, 4)
  expect(walker.counted).toBe(0)
  walker.feed(bytes.subarray(4), 1)
  expect(walker.counted).toBe(1)
})

test('notices another packet in a run of equal publishes', () => {
  const sink = new Frames()
  const walker = new FrameWalker(sink, true)
  const publish = Buffer.of(0x30, 3, 0, 1, 0x61)
  const stream = Buffer.concat([publish, publish, Buffer.of(0xe0, 0), publish])
  walker.feed(stream, stream.length)
  expect(walker.counted).toBe(3)
  expect(sink.seen).toEqual(['e000'])
})

test('refuses a remaining length of five bytes', { tags: ['MQTT5-1.5.5-1'] }, () => {
  const walker = new FrameWalker(new Frames(), true)
  expect(() => walker.feed(Buffer.of(0x30, 0x80, 0x80, 0x80, 0x80, 1), 6)).toThrow('malformed remaining length')
})

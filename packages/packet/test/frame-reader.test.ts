import { describe, expect, test } from 'vitest'
import { FrameReader } from '../src/index.ts'
import { bytes } from './bytes.ts'

const ping = bytes(0xc0, 0) // PINGREQ
const puback = bytes(0x40, 2, 0, 7) // PUBACK, packet identifier 7
const long = bytes(0x30, 0x81, 0x01, 0, 1, 'a', 'x'.repeat(126)) // PUBLISH of 129 + 3 bytes

function reader(maximumPacketSize = 1000): FrameReader {
  return new FrameReader({ maximumPacketSize })
}

/** The frames in a chunk, as hexadecimal. */
function framesOf(from: FrameReader, chunk: Buffer): string[] {
  const frames: string[] = []
  from.push(chunk)
  while (from.next()) frames.push(from.frame().toString('hex'))
  return frames
}

describe('a frame that lies whole in its chunk', () => {
  test('is described where it is, without a copy', () => {
    const chunk = Buffer.concat([ping, long, puback])
    const frames = reader()
    frames.push(chunk)
    expect(frames.next()).toBe(true)
    expect(frames.next()).toBe(true)
    expect(frames.source).toBe(chunk)
    expect(frames).toMatchObject({ header: 0x30, frameStart: 2, bodyStart: 5, frameEnd: 134 })
    expect(frames.frame().buffer).toBe(chunk.buffer)
    expect(frames.next()).toBe(true)
    expect(frames).toMatchObject({ header: 0x40, frameStart: 134, bodyStart: 136, frameEnd: 138 })
    expect(frames.next()).toBe(false)
  })

  test.each([1, 2, 3, 4])('may have a length field of %i bytes', size => {
    const remaining = [0, 128, 16_384, 2_097_152][size - 1] ?? 0
    const field = [[0], [0x80, 1], [0x80, 0x80, 1], [0x80, 0x80, 0x80, 1]][size - 1] ?? []
    const frames = reader(3_000_000)
    frames.push(Buffer.concat([bytes(0x30, ...field), Buffer.alloc(remaining)]))
    expect(frames.next()).toBe(true)
    expect(frames.frameEnd - frames.bodyStart).toBe(remaining)
    expect(frames.bodyStart).toBe(size + 1)
  })
})

describe('a frame that comes in pieces', () => {
  test('is whole again wherever it was cut', () => {
    for (let first = 1; first < long.length - 1; first++) {
      for (const second of [first + 1, long.length - 1]) {
        const frames = reader()
        const pieces = [long.subarray(0, first), long.subarray(first, second), long.subarray(second)]
        expect(pieces.flatMap(piece => framesOf(frames, piece))).toEqual([long.toString('hex')])
      }
    }
  })

  test('keeps its bytes when the chunk is used again and when the next frame is read', () => {
    const frames = reader()
    const chunk = Buffer.from(long.subarray(0, 50))
    expect(framesOf(frames, chunk)).toEqual([])
    chunk.fill(0)
    frames.push(Buffer.concat([long.subarray(50), long.subarray(0, 60)]))
    frames.next()
    const first = frames.frame()
    expect(frames.next()).toBe(false)
    expect(framesOf(frames, long.subarray(60))).toHaveLength(1)
    expect(first).toEqual(long)
  })

  test('is followed by the frames behind it in the same chunk', () => {
    const frames = reader()
    expect(framesOf(frames, Buffer.concat([ping, long.subarray(0, 1)]))).toEqual(['c000'])
    const rest = Buffer.concat([long.subarray(1), puback, ping])
    expect(framesOf(frames, rest)).toEqual([long.toString('hex'), '40020007', 'c000'])
  })
})

describe('memory', () => {
  test('an idle reader holds no bytes and does not pin the last chunk', () => {
    const frames = reader()
    framesOf(frames, Buffer.concat([ping, long]))
    expect({ buffered: frames.buffered, reserved: frames.reserved, source: frames.source.length }).toEqual({
      buffered: 0,
      reserved: 0,
      source: 0,
    })
  })

  test('what is reserved follows the bytes that arrived, not the declared length', () => {
    const frames = reader(268_435_460)
    framesOf(frames, bytes(0x30, 0xff, 0xff, 0xff, 0x7f)) // PUBLISH, 268435455 bytes remain
    for (let arrived = 5; arrived < 5000; arrived += 10) {
      expect(frames.buffered).toBe(arrived)
      expect(frames.reserved).toBeLessThanOrEqual(Math.max(64, 2 * arrived))
      framesOf(frames, Buffer.alloc(10))
    }
  })

  test('a drip of single bytes moves each byte a bounded number of times', () => {
    const size = 300_000
    const frames = reader(size + 10)
    framesOf(frames, bytes(0x30, 0xe0, 0xa7, 0x12)) // PUBLISH, 0x60 + 0x27 * 128 + 0x12 * 16384 = 300000 bytes remain
    const reservations = new Set<number>()
    const drop = Buffer.of(1)
    let mostUnused = 0
    for (let index = 1; index < size; index++) {
      framesOf(frames, drop)
      reservations.add(frames.reserved)
      mostUnused = Math.max(mostUnused, frames.reserved - frames.buffered)
    }
    expect(mostUnused).toBeLessThanOrEqual(65_536)
    // Growing copies what is there; sizes that at least double copy less than twice the total, and blocks nothing.
    const sizes = [...reservations]
    const doubled = sizes
      .slice(1)
      .filter(reserved => reserved <= 65_536)
      .every((reserved, index) => reserved >= 2 * (sizes[index] ?? 0))
    expect(doubled).toBe(true)
    expect(sizes.length).toBeLessThan(20)
    expect(framesOf(frames, drop)).toHaveLength(1)
  })

  test('large chunks of a large frame are not copied before it is complete', () => {
    const size = 1_000_000
    const frame = Buffer.alloc(size + 4, Buffer.from('0123456789'))
    frame.set([0x30, 0xc0, 0x84, 0x3d])
    const frames = reader(size + 10)
    const sizes = [65_536, 65_536, 100, 1, 65_536, 30_000, 200_000, 7]
    let position = 0
    for (const length of sizes) {
      framesOf(frames, Buffer.from(frame.subarray(position, position + length)))
      position += length
      expect(frames.buffered).toBe(position)
      expect(frames.reserved - position).toBeLessThan(2 * 65_536)
    }
    frames.push(Buffer.from(frame.subarray(position)))
    expect(frames.next()).toBe(true)
    expect(frames.frame().equals(frame)).toBe(true)
  })

  test('never reserves more than the frame when its length is known', () => {
    const frames = reader()
    framesOf(frames, long.subarray(0, 100))
    framesOf(frames, long.subarray(100, 131))
    expect(frames.reserved).toBe(132)
  })
})

describe('limits', () => {
  test('a packet of exactly the maximum passes, one byte more does not', () => {
    expect(framesOf(reader(132), long)).toHaveLength(1)
    expect(() => framesOf(reader(131), long)).toThrow('Packet of 132 bytes exceeds maximumPacketSize of 131 bytes')
    expect(framesOf(reader(4), puback)).toHaveLength(1)
    expect(() => framesOf(reader(3), puback)).toThrow('Packet of 4 bytes exceeds maximumPacketSize of 3 bytes')
  })

  test('the size is refused as soon as the length field is there, before anything of the body', () => {
    const frames = reader(100)
    expect(framesOf(frames, long.subarray(0, 2))).toEqual([])
    expect(() => framesOf(frames, long.subarray(2, 3))).toThrow('Packet of 132 bytes')
  })

  test('the maximum may change between packets', () => {
    const frames = reader(10)
    frames.push(Buffer.concat([ping, long]))
    expect(frames.next()).toBe(true)
    frames.maximumPacketSize = 1000
    expect(frames.next()).toBe(true)
  })
})

describe('misuse and errors', () => {
  test('push() before the previous chunk was read is refused', () => {
    const frames = reader()
    frames.push(Buffer.concat([ping, ping]))
    frames.next()
    expect(() => {
      frames.push(ping)
    }).toThrow(expect.objectContaining({ code: 'READER_NOT_DRAINED', message: expect.stringContaining('2 bytes') }))
  })

  test.each([
    ['whole', [bytes(0xc0, 0x80, 0)]],
    ['in pieces', [bytes(0xc0), bytes(0x80), bytes(0)]],
    ['an unknown type in pieces', [bytes(0x01)]],
  ])('an error stays: every further next() throws it again (%s)', (_, chunks) => {
    const frames = reader()
    expect(() => chunks.flatMap(chunk => framesOf(frames, chunk))).toThrow()
    expect(() => frames.next()).toThrow()
    expect(() => frames.next()).toThrow()
  })

  test('an empty chunk changes nothing', () => {
    const frames = reader()
    expect(framesOf(frames, Buffer.alloc(0))).toEqual([])
    framesOf(frames, ping.subarray(0, 1))
    expect(framesOf(frames, Buffer.alloc(0))).toEqual([])
    expect(framesOf(frames, ping.subarray(1))).toEqual(['c000'])
  })
})

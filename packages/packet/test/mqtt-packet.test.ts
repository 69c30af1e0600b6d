import * as fc from 'fast-check'
import { generate, type Packet as TheirPacket, parser as createParser } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { Decoder, encode, type Packet, type ProtocolVersion } from '../src/index.ts'
import { packets } from './arbitrary.ts'
import { essence } from './bytes.ts'

const seed = 20_240_917

function theirDecode(frame: Buffer, protocolVersion: ProtocolVersion): TheirPacket[] {
  const decoded: TheirPacket[] = []
  const parser = createParser({ protocolVersion })
  parser.on('packet', packet => decoded.push(packet))
  parser.on('error', error => {
    throw error
  })
  parser.parse(frame)
  return decoded
}

function ourDecode(frame: Buffer, protocolVersion: ProtocolVersion): Packet[] {
  return [...new Decoder({ protocolVersion, sender: 'server' }).push(frame)]
}

/** mqtt-packet names nothing in a packet "undefined" that is not there; neither do we, so plain equality will do. */
describe.each([3, 4, 5] as const)('packets of version %i', version => {
  const check = (property: (packet: Packet) => void): void => {
    fc.assert(fc.property(packets(version), property), { seed: seed + version, numRuns: 1500 })
  }

  test('what mqtt-packet encodes we decode to the same packet', () => {
    check(packet => {
      const frame = generate(packet as TheirPacket, { protocolVersion: version })
      expect(ourDecode(frame, version).map(essence)).toEqual([packet])
    })
  })

  test('what we encode mqtt-packet decodes to the same packet', () => {
    check(packet => {
      const decoded = theirDecode(encode(packet, version), version)
      expect(decoded.map(theirs => essence(theirs as Packet))).toEqual([packet])
    })
  })

  test('both decode the same bytes to objects with the same fields', () => {
    check(packet => {
      const frame = generate(packet as TheirPacket, { protocolVersion: version })
      expect(JSON.stringify(ourDecode(frame, version))).toBe(JSON.stringify(theirDecode(frame, version)))
    })
  })

  test('any bytes are either refused with a PacketError or decoded', () => {
    const mutated = fc.tuple(packets(version), fc.nat(), fc.integer({ min: 0, max: 255 }))
    const property = fc.property(mutated, ([packet, position, byte]) => {
      const frame = Buffer.from(encode(packet, version))
      frame[position % frame.length] = byte
      expect(refusalOf(frame, version)).toMatch(/^(?:decoded|PacketError (?!UNDECODABLE))/)
    })
    fc.assert(property, { seed, numRuns: 4000 })
  })
})

function refusalOf(frame: Buffer, version: ProtocolVersion): string {
  try {
    ourDecode(frame, version)
    return 'decoded'
  } catch (error) {
    return error instanceof Error && 'code' in error
      ? `${error.name} ${String(error.code)}`
      : `broke with ${String(error)}`
  }
}

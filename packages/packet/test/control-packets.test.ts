import { describe, expect, test } from 'vitest'
import { decodeControl, Decoder, FilterList, type ConnectPacket, willProperties } from '../src/index.ts'
import { ControlParser } from '../src/control-parser.ts'
import { bytes, type Part, userProperty } from './bytes.ts'
import { fixtures } from './fixtures.ts'

/** CONNECT of MQTT 5 with a will that has these properties. */
function connectWithWill(...properties: readonly (readonly Part[])[]): Buffer {
  const list = bytes(...properties)
  return bytes(
    [0x10, 20 + list.length], // CONNECT
    [0, 4, 'MQTT', 5, 0x06, 0, 0], // will, clean start, no keep alive
    0, // no properties
    [0, 1, 'c'], // client identifier
    [list.length], // length of the will properties
    list,
    [0, 1, 'w', 0, 0], // will topic, empty will payload
  )
}

describe('willProperties', () => {
  test('keeps the order of user properties and drops what is not for the PUBLISH', () => {
    const frame = connectWithWill(
      [0x26, 0, 1, 'a', 0, 1, '1'], // user property a = 1
      [0x18, 0, 0, 0, 5], // will delay interval 5 s
      [0x26, 0, 1, 'b', 0, 1, '2'], // user property b = 2
      [0x02, 0, 0, 0, 9], // message expiry interval 9 s
      [0x26, 0, 1, 'a', 0, 1, '3'], // user property a = 3
    )
    expect(willProperties(frame)).toEqual(bytes(userProperty('a', '1'), userProperty('b', '2'), userProperty('a', '3')))
  })

  test('is a copy', () => {
    const frame = connectWithWill([0x01, 1])
    const properties = willProperties(frame)
    frame.fill(0)
    expect(properties).toEqual(bytes(0x01, 1))
  })

  test.each([
    ['without will', bytes(0x10, 13, 0, 4, 'MQTT', 5, 2, 0, 0, 0, 0, 0)],
    ['whose will has no properties', connectWithWill()],
    ['whose will has only a delay and an expiry', connectWithWill([0x18, 0, 0, 0, 5], [0x02, 0, 0, 0, 9])],
    ['of MQTT 3.1.1', bytes(0x10, 17, 0, 4, 'MQTT', 4, 6, 0, 0, 0, 0, 0, 1, 'w', 0, 0)],
  ])('is undefined for a CONNECT %s', (_, frame) => {
    expect(willProperties(frame)).toBeUndefined()
  })
})

describe('user properties', () => {
  test('of a will may be called __proto__ and keep empty values', () => {
    const packet = decodeControl(
      connectWithWill(userProperty('__proto__', ''), userProperty('__proto__', 'x')),
      5,
    ) as ConnectPacket
    const userProperties = packet.will?.properties?.userProperties ?? {}
    expect(Object.entries(userProperties)).toEqual([['__proto__', ['', 'x']]])
    expect(Object.getPrototypeOf(userProperties)).toBeNull()
  })

  test('of a SUBSCRIBE keep an empty value when the name comes again', () => {
    const list = bytes(userProperty('k', ''), userProperty('k', 'x'))
    const frame = bytes(0x82, 7 + list.length, 0, 1, list.length, ...list, 0, 1, 'a', 0)
    expect(decodeControl(frame, 5)).toMatchObject({ properties: { userProperties: { k: ['', 'x'] } } })
  })
})

describe('ownership', () => {
  const withPassword = fixtures.find(({ title }) => title === 'CONNECT of MQTT 3.1.1 with everything')

  test('buffers of a CONNECT do not depend on the frame they came from', () => {
    const frame = Buffer.from(withPassword?.frame ?? [])
    const packet = decodeControl(frame, 4) as ConnectPacket
    frame.fill(0)
    expect(packet.password).toEqual(Buffer.of(0xff))
    expect(packet.will?.payload).toEqual(Buffer.from('x'))
    expect(packet.password?.buffer.byteLength).toBe(frame.length)
  })
})

describe('bridges', () => {
  const connect = bytes(0x10, 13, 0, 4, 'MQTT', 0x84, 2, 0, 0, 0, 1, 'b')
  const subscribe = bytes(0x82, 6, 0, 1, 0, 1, 'a', 1)

  test('get their subscriptions with no local and retain as published', () => {
    expect(decodeControl(subscribe, 4, { bridgeMode: true })).toMatchObject({
      subscriptions: [{ topic: 'a', qos: 1, nl: true, rap: true, rh: 0 }],
    })
  })

  test('are known to a Decoder from their CONNECT on', () => {
    const [, packet] = new Decoder().push(Buffer.concat([connect, subscribe]))
    expect(packet).toMatchObject({ subscriptions: [{ nl: true, rap: true }] })
  })

  test('do not change what the next connection of the process gets', () => {
    decodeControl(connect, 4)
    expect(decodeControl(subscribe, 4)).toMatchObject({ subscriptions: [{ topic: 'a', qos: 1 }] })
    expect(decodeControl(subscribe, 4)).not.toMatchObject({ subscriptions: [{ nl: true }] })
  })
})

describe('one connection after the other', () => {
  test('a refused packet leaves no trace', () => {
    const disconnect = bytes(0xe0, 2, 0x04, 0) // DISCONNECT with will message
    for (let round = 0; round < 3; round++) {
      expect(() => decodeControl(bytes(0xe0, 1, 0x01), 5)).toThrow('Invalid disconnect reason code 0x1')
      expect(() => decodeControl(bytes(0x10, 3, 0, 4, 0), 4)).toThrow()
      expect(decodeControl(disconnect, 5)).toMatchObject({ cmd: 'disconnect', reasonCode: 4 })
    }
  })

  test('each is read in its own version', () => {
    expect(decodeControl(bytes(0xb0, 5, 0, 1, 0, 0, 0x11), 5)).toMatchObject({ granted: [0, 0x11] })
    expect(decodeControl(bytes(0xb0, 2, 0, 1), 4)).toMatchObject({ cmd: 'unsuback', messageId: 1 })
    expect(decodeControl(bytes(0xe0, 0), 4)).not.toHaveProperty('reasonCode')
    expect(decodeControl(bytes(0xe0, 0), 5)).toHaveProperty('reasonCode', 0)
  })
})

describe('a frame that is not exactly one packet', () => {
  test.each([
    { title: 'nothing', frame: bytes(), code: 'PACKET_TOO_SHORT', offset: 0 },
    { title: 'a body that is too short', frame: bytes(0x20, 2, 0), code: 'PACKET_TOO_SHORT', offset: 2 },
    { title: 'bytes behind the packet', frame: bytes(0xc0, 0, 0xc0), code: 'TRAILING_BYTES', offset: 2 },
    { title: 'packet type 0', frame: bytes(0x00, 0), code: 'UNKNOWN_PACKET_TYPE', offset: 0 },
    { title: 'a PUBLISH', frame: bytes(0x30, 3, 0, 1, 'a'), code: 'UNDECODABLE', offset: 0 },
  ])('is refused: $title', ({ frame, code, offset }) => {
    expect(() => decodeControl(frame, 4)).toThrow(expect.objectContaining({ code, offset }))
  })
})

test('what mqtt-packet refuses by itself is a PacketError with its error as cause, and leaves no trace', () => {
  const parser = new ControlParser()
  const settings = { protocolVersion: 5 } as const
  const refused = expect.objectContaining({ code: 'UNDECODABLE', cause: expect.any(Error) })
  expect(() => parser.parse(bytes(0xf0, 0), settings)).toThrow(refused)
  expect(() => parser.parse(bytes(0xe0, 2, 0), settings)).toThrow(expect.objectContaining({ code: 'UNDECODABLE' }))
  expect(parser.parse(bytes(0xe0, 2, 4, 0), settings)).toMatchObject({ cmd: 'disconnect', reasonCode: 4 })
})

describe('a SUBSCRIBE or UNSUBSCRIBE read filter by filter', () => {
  const subscribe = bytes(0x82, 16, [0, 7], 0, [0, 1, 'a', 0x2e], [0, 2, 'b/', 1], [0, 1, '#', 0]) // identifier 7, no properties
  const unsubscribe = bytes(0xa2, 8, [0, 7], [0, 1, 'a'], [0, 1, 'b'])

  test('grows with each filter and ends as decodeControl has it', () => {
    const list = new FilterList(subscribe, 5)
    expect(list.packet).toMatchObject({ cmd: 'subscribe', messageId: 7, subscriptions: [] })
    expect(list.next()).toBe(true)
    expect(list.packet).toMatchObject({ subscriptions: [{ topic: 'a', qos: 2, nl: true, rap: true, rh: 2 }] })
    while (list.next());
    expect(list.packet).toEqual(decodeControl(subscribe, 5))
    expect(list.packet).toMatchObject({ subscriptions: [{ topic: 'a' }, { topic: 'b/' }, { topic: '#' }] })
  })

  test('names what is wrong with a filter when that is read', () => {
    const broken = bytes(0x82, 10, [0, 7], [0, 1, 'a', 0], [0, 1, 'b', 3]) // QoS 3
    const list = new FilterList(broken, 4)
    expect(list.next()).toBe(true)
    expect(() => list.next()).toThrow(expect.objectContaining({ code: 'QOS_INVALID', offset: 11 }))
  })

  test.each([
    ['SUBSCRIBE', subscribe, 5, 3],
    ['UNSUBSCRIBE', unsubscribe, 4, 2],
  ] as const)(
    '%s with more filters than maximumFilters is refused before any is read',
    (name, frame, version, count) => {
      expect(() => new FilterList(frame, version, { maximumFilters: count })).not.toThrow()
      expect(() => new FilterList(frame, version, { maximumFilters: count - 1 })).toThrow(
        expect.objectContaining({
          code: 'TOO_MANY_FILTERS',
          reasonCode: 0x97,
          message: `${name} with more filters than the limit of ${count - 1}`,
        }),
      )
    },
  )
})

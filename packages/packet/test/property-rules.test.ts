import { describe, expect, test } from 'vitest'
import { decodeProperties, PacketError, type PropertyPacket } from '../src/index.ts'
import { bytes, userProperty } from './bytes.ts'

/** What the specification's table of properties says (MQTT 5.0 §2.2.2.2), and values that are allowed and refused. */
interface Rule {
  readonly name: string
  readonly id: number
  readonly valid: readonly (number | string)[]
  readonly decoded: unknown
  readonly refused: readonly (readonly (number | string)[])[]
  readonly allowedIn: readonly PropertyPacket[]
}

const all: readonly PropertyPacket[] = [
  ...(['connect', 'will', 'connack', 'publish', 'puback', 'pubrec', 'pubrel'] as const),
  ...(['pubcomp', 'subscribe', 'suback', 'unsubscribe', 'unsuback', 'disconnect', 'auth'] as const),
]
const message = ['publish', 'will'] as const
const session = ['connect', 'connack'] as const
const explained = all.filter(packet => !['connect', 'will', 'publish', 'subscribe', 'unsubscribe'].includes(packet))

function rule(
  [name, id]: readonly [string, number],
  allowedIn: readonly PropertyPacket[],
  [valid, decoded]: readonly [Rule['valid'], unknown],
  ...refused: Rule['refused']
): Rule {
  return { name, id, valid, decoded, refused, allowedIn }
}

const rules: readonly Rule[] = [
  rule(['payloadFormatIndicator', 0x01], message, [[1], true], [2], [255]),
  rule(['messageExpiryInterval', 0x02], message, [[0, 0, 1, 0], 256]),
  rule(['contentType', 0x03], message, [[0, 2, 'ab'], 'ab']),
  rule(['responseTopic', 0x08], message, [[0, 2, 'ab'], 'ab'], [0, 1, '+'], [0, 3, 'a/#'], [0, 0]),
  rule(['correlationData', 0x09], message, [[0, 2, 0, 0xff], Buffer.of(0, 0xff)]),
  rule(['subscriptionIdentifier', 0x0b], ['publish', 'subscribe'], [[0xff, 0x7f], 16_383], [0]),
  rule(['sessionExpiryInterval', 0x11], [...session, 'disconnect'], [[255, 255, 255, 255], 4_294_967_295]),
  rule(['assignedClientIdentifier', 0x12], ['connack'], [[0, 1, 'i'], 'i']),
  rule(['serverKeepAlive', 0x13], ['connack'], [[0, 0], 0]),
  rule(['authenticationMethod', 0x15], [...session, 'auth'], [[0, 0], '']),
  rule(['authenticationData', 0x16], [...session, 'auth'], [[0, 0], Buffer.alloc(0)]),
  rule(['requestProblemInformation', 0x17], ['connect'], [[0], false], [2]),
  rule(['willDelayInterval', 0x18], ['will'], [[0, 0, 0, 0], 0]),
  rule(['requestResponseInformation', 0x19], ['connect'], [[1], true], [2]),
  rule(['responseInformation', 0x1a], ['connack'], [[0, 1, 'r'], 'r']),
  rule(['serverReference', 0x1c], ['connack', 'disconnect'], [[0, 1, 's'], 's']),
  rule(['reasonString', 0x1f], explained, [[0, 2, 'é'], 'é']),
  rule(['receiveMaximum', 0x21], session, [[1, 0], 256], [0, 0]),
  rule(['topicAliasMaximum', 0x22], session, [[0, 0], 0]),
  rule(['topicAlias', 0x23], ['publish'], [[0, 1], 1], [0, 0]),
  rule(['maximumQoS', 0x24], ['connack'], [[1], 1], [2]),
  rule(['retainAvailable', 0x25], ['connack'], [[0], false], [2]),
  rule(['userProperties', 0x26], all, [[0, 1, 'k', 0, 1, 'v'], { k: 'v' }]),
  rule(['maximumPacketSize', 0x27], session, [[0, 0, 0, 1], 1], [0, 0, 0, 0]),
  rule(['wildcardSubscriptionAvailable', 0x28], ['connack'], [[0], false], [2]),
  rule(['subscriptionIdentifiersAvailable', 0x29], ['connack'], [[0], false], [2]),
  rule(['sharedSubscriptionAvailable', 0x2a], ['connack'], [[1], true], [2]),
]

function decode(packet: PropertyPacket, ...parts: (number | string)[]): object {
  const list = bytes(...parts)
  return decodeProperties(list, 0, list.length, packet)
}

function refusal(packet: PropertyPacket, ...parts: (number | string)[]): string {
  try {
    return `accepted ${JSON.stringify(decode(packet, ...parts))}`
  } catch (error) {
    if (error instanceof PacketError) return `${error.code} 0x${error.reasonCode.toString(16)} at ${error.offset}`
    throw error
  }
}

describe.each(rules)('property $name', ({ name, id, valid, decoded, refused, allowedIn }) => {
  test('decodes in the packets that may carry it', () => {
    for (const packet of allowedIn) expect(decode(packet, id, ...valid), packet).toEqual({ [name]: decoded })
  })

  test('is refused in all others [MQTT 5.0 §2.2.2.2]', () => {
    for (const packet of all.filter(other => !allowedIn.includes(other))) {
      expect(refusal(packet, id, ...valid), packet).toBe('PROPERTY_NOT_ALLOWED 0x81 at 0')
    }
  })

  test('is refused a second time unless it may repeat', () => {
    for (const packet of allowedIn) {
      const mayRepeat = name === 'userProperties' || (name === 'subscriptionIdentifier' && packet === 'publish')
      const twice = refusal(packet, id, ...valid, id, ...valid)
      if (mayRepeat) expect(twice).toMatch(/^accepted/)
      else expect(twice, packet).toBe(`PROPERTY_REPEATED 0x82 at ${bytes(id, ...valid).length}`)
    }
  })

  test('is refused when cut at any byte', () => {
    const whole = bytes(id, ...valid)
    for (let cut = 1; cut < whole.length; cut++) {
      for (const packet of allowedIn)
        expect(refusal(packet, ...whole.subarray(0, cut))).toMatch(/^PACKET_TOO_SHORT 0x81/)
    }
  })

  test('is refused with a value outside its range', () => {
    const expected = name === 'topicAlias' ? /^TOPIC_ALIAS_INVALID 0x94/ : /^PROPERTY_VALUE 0x82/
    for (const value of refused) {
      for (const packet of allowedIn)
        expect(refusal(packet, id, ...value), `${packet} ${value.join()}`).toMatch(expected)
    }
  })
})

describe.each(rules.filter(({ decoded }) => typeof decoded === 'string'))(
  'string property $name',
  ({ id, allowedIn }) => {
    test('is refused with ill-formed UTF-8 and with U+0000', () => {
      for (const packet of allowedIn) {
        expect(refusal(packet, id, 0, 2, 0xc3, 0x28)).toBe('UTF8_INVALID 0x81 at 3')
        expect(refusal(packet, id, 0, 2, 0x61, 0)).toBe('NUL_CHARACTER 0x81 at 4')
      }
    })
  },
)

test('names and values of user properties are checked alike', () => {
  expect(refusal('publish', 0x26, 0, 1, 0xff, 0, 0)).toBe('UTF8_INVALID 0x81 at 3')
  expect(refusal('publish', 0x26, 0, 0, 0, 1, 0)).toBe('NUL_CHARACTER 0x81 at 5')
})

test('subscription identifiers of more than 4 bytes or not minimal are refused', () => {
  expect(refusal('subscribe', 0x0b, 0x80, 0x80, 0x80, 0x80, 1)).toBe('VARIABLE_INTEGER 0x81 at 1')
  expect(refusal('subscribe', 0x0b, 0x81, 0)).toBe('VARIABLE_INTEGER 0x81 at 1')
  expect(decode('subscribe', 0x0b, 0xff, 0xff, 0xff, 0x7f)).toEqual({ subscriptionIdentifier: 268_435_455 })
})

test('every identifier that no property has is refused', () => {
  const known = new Set(rules.map(({ id }) => id))
  for (let id = 0; id < 256; id++) {
    if (!known.has(id)) expect(refusal('publish', id, 0)).toBe('PROPERTY_UNKNOWN 0x81 at 0')
  }
})

test('user properties may be called like members of Object.prototype', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
  const list = names.flatMap(name => [0x26, 0, name.length, name, 0, 1, 'v'])
  const { userProperties } = decode('publish', ...list) as { userProperties: object }
  expect(Object.entries(userProperties)).toEqual(names.map(name => [name, 'v']))
  expect(Object.getPrototypeOf(userProperties)).toBeNull()
})

test('values of a user property keep their order, also empty ones', () => {
  const pairs = [
    ['k', ''],
    ['j', 'x'],
    ['k', '2'],
    ['k', ''],
  ] as const
  expect(decode('publish', ...pairs.flatMap(([name, value]) => userProperty(name, value)))).toEqual({
    userProperties: { k: ['', '2', ''], j: 'x' },
  })
})

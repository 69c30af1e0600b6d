import { bytes, packet, text, u16, u32 } from '../support/wire.ts'
import type { Part } from '../support/wire.ts'

/** The first packet of an MQTT 5 client: accepted, or refused with a CONNACK of this code. */
export interface ConnectCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly send: Buffer
  readonly answer: 'accepted' | { readonly refused: number }
}

/** Protocol name and version. */
const mqtt5 = bytes(text('MQTT'), 5)
const keepAlive = u16(0)
const noProperties = 0
const clientId = text('f')
/** A first byte without its second. */
const broken = text([0xc3, 0x28])
/** U+D800, which is no character. */
const surrogate = text([0xed, 0xa0, 0x80])

const malformed = { refused: 0x81 }
const protocolError = { refused: 0x82 }

/** A CONNECT with nothing but this in its property set. */
function withProperties(...parts: readonly Part[]): Buffer {
  const properties = bytes(...parts)
  return packet(0x10, mqtt5, 0x02, keepAlive, properties.length, properties, clientId)
}

/** A CONNECT with nothing but this in the property set of its will. */
function withWillProperties(...parts: readonly Part[]): Buffer {
  const properties = bytes(...parts)
  const flags = 0x06 // Will Flag, Clean Start
  const will = [text('w'), text('gone')]
  return packet(0x10, mqtt5, flags, keepAlive, noProperties, clientId, properties.length, properties, ...will)
}

const flagCases: readonly ConnectCase[] = [
  {
    title: 'CONNECT with bit 0 of the Connect Flags set is malformed',
    tags: ['MQTT5-3.1.2-3'],
    send: packet(0x10, mqtt5, 0x03, keepAlive, noProperties, clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with Will Flag 1 that ends after the client identifier is malformed',
    tags: ['MQTT5-3.1.2-9'],
    send: packet(0x10, mqtt5, 0x06, keepAlive, noProperties, clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with Will Flag 1 that ends after the Will Properties is malformed',
    tags: ['MQTT5-3.1.2-9'],
    send: packet(0x10, mqtt5, 0x06, keepAlive, noProperties, clientId, noProperties),
    answer: malformed,
  },
  {
    title: 'CONNECT with Will Flag 1 that ends after the Will Topic is malformed',
    tags: ['MQTT5-3.1.2-9'],
    send: packet(0x10, mqtt5, 0x06, keepAlive, noProperties, clientId, noProperties, text('w')),
    answer: malformed,
  },
  {
    title: 'CONNECT with Will Flag 1 and an empty Will Payload is accepted',
    tags: ['MQTT5-3.1.2-9'],
    send: packet(0x10, mqtt5, 0x06, keepAlive, noProperties, clientId, noProperties, text('w'), text('')),
    answer: 'accepted',
  },
  {
    title: 'CONNECT with Will Flag 0 and Will QoS 1 is malformed',
    tags: ['MQTT5-3.1.2-11'],
    send: packet(0x10, mqtt5, 0x0a, keepAlive, noProperties, clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with Will Flag 0 and Will QoS 2 is malformed',
    tags: ['MQTT5-3.1.2-11'],
    send: packet(0x10, mqtt5, 0x12, keepAlive, noProperties, clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with Will QoS 3 is malformed',
    tags: ['MQTT5-3.1.2-12'],
    send: packet(0x10, mqtt5, 0x1e, keepAlive, noProperties, clientId, noProperties, text('w'), text('gone')),
    answer: malformed,
  },
  {
    title: 'CONNECT with Will Flag 0 and Will Retain 1 is malformed',
    tags: ['MQTT5-3.1.2-13'],
    send: packet(0x10, mqtt5, 0x22, keepAlive, noProperties, clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with User Name Flag 0 and a User Name is malformed',
    tags: ['MQTT5-3.1.2-16'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, noProperties, clientId, text('user')),
    answer: malformed,
  },
  {
    title: 'CONNECT with User Name Flag 1 and no User Name is malformed',
    tags: ['MQTT5-3.1.2-17'],
    send: packet(0x10, mqtt5, 0x82, keepAlive, noProperties, clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with Password Flag 0 and a Password is malformed',
    tags: ['MQTT5-3.1.2-18'],
    send: packet(0x10, mqtt5, 0x82, keepAlive, noProperties, clientId, text('user'), text('secret')),
    answer: malformed,
  },
  {
    title: 'CONNECT with Password Flag 1 that ends after the User Name is malformed',
    tags: ['MQTT5-3.1.2-19'],
    send: packet(0x10, mqtt5, 0xc2, keepAlive, noProperties, clientId, text('user')),
    answer: malformed,
  },
  {
    title: 'CONNECT with Password Flag 1 alone that ends after the client identifier is malformed',
    tags: ['MQTT5-3.1.2-19'],
    send: packet(0x10, mqtt5, 0x42, keepAlive, noProperties, clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with a Password and no User Name is accepted',
    tags: ['MQTT5-3.1.2-19'],
    send: packet(0x10, mqtt5, 0x42, keepAlive, noProperties, clientId, text('secret')),
    answer: 'accepted',
  },
]

const payloadCases: readonly ConnectCase[] = [
  {
    title: 'CONNECT that ends before the client identifier is malformed',
    tags: ['MQTT5-3.1.3-3'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, noProperties),
    answer: malformed,
  },
  {
    title: 'CONNECT whose client identifier is said to be longer than the packet is malformed',
    tags: ['MQTT5-3.1.3-3'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, noProperties, u16(2), 0x66),
    answer: malformed,
  },
  {
    title: 'a client identifier with half of a character is malformed',
    tags: ['MQTT5-3.1.3-4', 'MQTT5-1.5.4-1'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, noProperties, broken),
    answer: malformed,
  },
  {
    title: 'a client identifier with a surrogate is malformed',
    tags: ['MQTT5-3.1.3-4', 'MQTT5-1.5.4-1'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, noProperties, surrogate),
    answer: malformed,
  },
  {
    title: 'a client identifier with U+0000 is malformed',
    tags: ['MQTT5-3.1.3-4', 'MQTT5-1.5.4-2'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, noProperties, text('a\0b')),
    answer: malformed,
  },
  {
    title: 'a Will Topic with half of a character is malformed',
    tags: ['MQTT5-3.1.3-11'],
    send: packet(0x10, mqtt5, 0x06, keepAlive, noProperties, clientId, noProperties, broken, text('gone')),
    answer: malformed,
  },
  {
    title: 'a Will Topic with U+0000 is malformed',
    tags: ['MQTT5-3.1.3-11', 'MQTT5-1.5.4-2'],
    send: packet(0x10, mqtt5, 0x06, keepAlive, noProperties, clientId, noProperties, text('a\0b'), text('gone')),
    answer: malformed,
  },
  {
    title: 'a User Name with half of a character is malformed',
    tags: ['MQTT5-3.1.3-12'],
    send: packet(0x10, mqtt5, 0x82, keepAlive, noProperties, clientId, broken),
    answer: malformed,
  },
  {
    title: 'a User Name with a surrogate is malformed',
    tags: ['MQTT5-3.1.3-12'],
    send: packet(0x10, mqtt5, 0x82, keepAlive, noProperties, clientId, surrogate),
    answer: malformed,
  },
  {
    title: 'a User Name with U+0000 is malformed',
    tags: ['MQTT5-3.1.3-12', 'MQTT5-1.5.4-2'],
    send: packet(0x10, mqtt5, 0x82, keepAlive, noProperties, clientId, text('\0')),
    answer: malformed,
  },
  {
    title: 'a Password may be any bytes',
    tags: [],
    send: packet(0x10, mqtt5, 0xc2, keepAlive, noProperties, clientId, text('user'), text([0xc3, 0x28, 0x00])),
    answer: 'accepted',
  },
  {
    title: 'a Will Payload may be any bytes',
    tags: [],
    send: packet(0x10, mqtt5, 0x06, keepAlive, noProperties, clientId, noProperties, text('w'), broken),
    answer: 'accepted',
  },
]

const formatCases: readonly ConnectCase[] = [
  {
    title: 'CONNECT with a byte behind its end is malformed',
    tags: ['MQTT5-3.1.4-1'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, noProperties, clientId, 0),
    answer: malformed,
  },
  {
    title: 'CONNECT that ends within the Keep Alive is malformed',
    tags: ['MQTT5-3.1.4-1'],
    send: packet(0x10, mqtt5, 0x02, 0),
    answer: malformed,
  },
  {
    title: 'CONNECT that ends before the properties is malformed',
    tags: ['MQTT5-3.1.4-1'],
    send: packet(0x10, mqtt5, 0x02, keepAlive),
    answer: malformed,
  },
  {
    title: 'CONNECT with a Property Length beyond its end is malformed',
    tags: ['MQTT5-3.1.4-1'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, 50, clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with a Property Length that ends within a property is malformed',
    tags: ['MQTT5-3.1.4-1'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, [4, 0x11], u32(60), clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with a Property Length of 0 in two bytes is malformed',
    tags: ['MQTT5-3.1.4-1', 'MQTT5-1.5.5-1'],
    send: packet(0x10, mqtt5, 0x02, keepAlive, [0x80, 0x00], clientId),
    answer: malformed,
  },
  {
    title: 'CONNECT with a User Property whose value is no UTF-8 is malformed',
    tags: ['MQTT5-3.1.4-1', 'MQTT5-1.5.7-1'],
    send: withProperties(0x26, text('n'), broken),
    answer: malformed,
  },
  {
    title: 'CONNECT with an Authentication Method that is no UTF-8 is malformed',
    tags: ['MQTT5-3.1.4-1', 'MQTT5-1.5.4-1'],
    send: withProperties(0x15, broken),
    answer: malformed,
  },
  {
    title: 'CONNECT with a property that is none is malformed',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x7f, 0),
    answer: malformed,
  },
  {
    title: 'CONNECT with a property of another packet is malformed',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x23, 0, 1),
    answer: malformed,
  },
  {
    title: 'a will with a property of another packet is malformed',
    tags: ['MQTT5-3.1.4-1'],
    send: withWillProperties(0x23, 0, 1),
    answer: malformed,
  },
  {
    title: 'a will with a User Property whose name is no UTF-8 is malformed',
    tags: ['MQTT5-3.1.4-1', 'MQTT5-1.5.7-1'],
    send: withWillProperties(0x26, broken, text('v')),
    answer: malformed,
  },
  {
    title: 'CONNECT with two Session Expiry Intervals is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1),
    answer: protocolError,
  },
  {
    title: 'CONNECT with two Receive Maximums is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x21, 0, 1, 0x21, 0, 1),
    answer: protocolError,
  },
  {
    title: 'CONNECT with two Maximum Packet Sizes is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x27, 0, 0, 1, 0, 0x27, 0, 0, 1, 0),
    answer: protocolError,
  },
  {
    title: 'CONNECT with two Topic Alias Maximums is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x22, 0, 1, 0x22, 0, 1),
    answer: protocolError,
  },
  {
    title: 'CONNECT with two Request Response Informations is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x19, 1, 0x19, 1),
    answer: protocolError,
  },
  {
    title: 'CONNECT with two Request Problem Informations is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x17, 1, 0x17, 1),
    answer: protocolError,
  },
  {
    title: 'CONNECT with two Authentication Methods is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x15, text('m'), 0x15, text('m')),
    answer: protocolError,
  },
  {
    title: 'CONNECT with Receive Maximum 0 is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x21, 0, 0),
    answer: protocolError,
  },
  {
    title: 'CONNECT with Maximum Packet Size 0 is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x27, 0, 0, 0, 0),
    answer: protocolError,
  },
  {
    title: 'CONNECT with Request Response Information 2 is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x19, 2),
    answer: protocolError,
  },
  {
    title: 'CONNECT with Request Problem Information 2 is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x17, 2),
    answer: protocolError,
  },
  {
    title: 'CONNECT with Authentication Data and no Authentication Method is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withProperties(0x16, text('data')),
    answer: protocolError,
  },
  {
    title: 'a will with two Will Delay Intervals is a protocol error',
    tags: ['MQTT5-3.1.4-1'],
    send: withWillProperties(0x18, 0, 0, 0, 1, 0x18, 0, 0, 0, 1),
    answer: protocolError,
  },
  {
    title: 'CONNECT with each of its properties, User Property twice, is accepted',
    tags: ['MQTT5-3.1.4-1', 'MQTT5-3.1.4-5'],
    send: withProperties(
      [0x11, 0, 0, 0, 60], // Session Expiry Interval
      [0x21, 0, 1], // Receive Maximum
      [0x27, 0, 0, 1, 0], // Maximum Packet Size
      [0x22, 0, 1], // Topic Alias Maximum
      [0x19, 1], // Request Response Information
      [0x17, 0], // Request Problem Information
      [0x26, ...text('n'), ...text('v')],
      [0x26, ...text('n'), ...text('v')],
    ),
    answer: 'accepted',
  },
  {
    title: 'a will with each of its properties, User Property twice, is accepted',
    tags: ['MQTT5-3.1.4-1', 'MQTT5-3.1.4-5'],
    send: withWillProperties(
      [0x18, 0, 0, 0, 1], // Will Delay Interval
      [0x01, 1], // Payload Format Indicator
      [0x02, 0, 0, 0, 60], // Message Expiry Interval
      [0x03, ...text('t')], // Content Type
      [0x08, ...text('r')], // Response Topic
      [0x09, ...text([0, 0xff])], // Correlation Data
      [0x26, ...text('n'), ...text('v')],
      [0x26, ...text('n'), ...text('v')],
    ),
    answer: 'accepted',
  },
]

export const connectCases: readonly ConnectCase[] = [...flagCases, ...payloadCases, ...formatCases]

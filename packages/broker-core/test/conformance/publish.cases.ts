import { packet, text } from '../support/wire.ts'

/** A PUBLISH of an MQTT 5 client that must end its connection and reach nobody. */
export interface PublishCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly send: Buffer
  /** Reason codes the DISCONNECT may have. */
  readonly disconnect: readonly number[]
}

const malformed = [0x81]
const protocolError = [0x82]
/** The standard forbids the bytes without saying what the breach is. */
const either = [0x81, 0x82]

export const publishCases: readonly PublishCase[] = [
  {
    title: 'a Response Topic that is no UTF-8 is malformed',
    tags: ['MQTT5-3.3.2-13'],
    send: packet(
      0x30,
      text('a'),
      5, // Property Length
      0x08, // Response Topic
      text([0xc3, 0x28]), // a first byte without its second
      0x21, // payload
    ),
    disconnect: malformed,
  },
  {
    title: 'a Response Topic with a surrogate is malformed, at QoS 1 as well',
    tags: ['MQTT5-3.3.2-13'],
    send: packet(
      0x32,
      text('a'),
      [0, 7], // Packet Identifier
      6, // Property Length
      0x08, // Response Topic
      text([0xed, 0xa0, 0x80]), // U+D800
    ),
    disconnect: malformed,
  },
  {
    title: 'a Response Topic with U+0000 is malformed',
    tags: ['MQTT5-3.3.2-13'],
    send: packet(
      0x30,
      text('a'),
      6, // Property Length
      0x08, // Response Topic
      text([0x72, 0x00, 0x73]),
    ),
    disconnect: malformed,
  },
  {
    title: 'a Response Topic with # ends the connection',
    tags: ['MQTT5-3.3.2-14'],
    send: packet(
      0x30,
      text('a'),
      6, // Property Length
      0x08, // Response Topic
      text('r/#'),
      0x21, // payload
    ),
    disconnect: either,
  },
  {
    title: 'a Response Topic with + ends the connection, at QoS 2 as well',
    tags: ['MQTT5-3.3.2-14'],
    send: packet(
      0x34,
      text('a'),
      [0, 7], // Packet Identifier
      8, // Property Length
      0x08, // Response Topic
      text('+/abc'),
    ),
    disconnect: either,
  },
  {
    title: 'a Content Type that is no UTF-8 is malformed',
    tags: ['MQTT5-3.3.2-19'],
    send: packet(
      0x30,
      text('a'),
      5, // Property Length
      0x03, // Content Type
      text([0xc3, 0x28]), // a first byte without its second
      0x21, // payload
    ),
    disconnect: malformed,
  },
  {
    title: 'a Content Type in an overlong form is malformed, at QoS 2 as well',
    tags: ['MQTT5-3.3.2-19'],
    send: packet(
      0x34,
      text('a'),
      [0, 7], // Packet Identifier
      5, // Property Length
      0x03, // Content Type
      text([0xc0, 0xaf]), // '/' in two bytes
    ),
    disconnect: malformed,
  },
  {
    title: 'a Topic Name that is no UTF-8 is malformed, also where a Topic Alias is given with it',
    tags: ['MQTT5-3.3.2-1'],
    send: packet(
      0x30,
      text([0xc3, 0x28]), // a first byte without its second
      3, // Property Length
      0x23, // Topic Alias
      [0, 1],
    ),
    disconnect: malformed,
  },
  {
    title: 'a Topic Name with a wildcard ends the connection, also where a Topic Alias is given with it',
    tags: ['MQTT5-3.3.2-2'],
    send: packet(
      0x30,
      text('a/+'),
      3, // Property Length
      0x23, // Topic Alias
      [0, 1],
    ),
    disconnect: [0x81, 0x82, 0x90],
  },
  {
    title: 'an empty Topic Name without Topic Alias is a protocol error (MQTT 5.0 §3.3.2.1)',
    tags: [],
    send: packet(
      0x30,
      text(''),
      0, // Property Length
      0x21, // payload
    ),
    disconnect: protocolError,
  },
  {
    title: 'Payload Format Indicator twice is a protocol error (MQTT 5.0 §3.3.2.3.2)',
    tags: [],
    send: packet(
      0x30,
      text('a'),
      4, // Property Length
      [0x01, 1], // Payload Format Indicator
      [0x01, 1],
    ),
    disconnect: protocolError,
  },
  {
    title: 'Message Expiry Interval twice is a protocol error (MQTT 5.0 §3.3.2.3.3)',
    tags: [],
    send: packet(
      0x30,
      text('a'),
      10, // Property Length
      [0x02, 0, 0, 0, 9], // Message Expiry Interval
      [0x02, 0, 0, 0, 9],
    ),
    disconnect: protocolError,
  },
  {
    title: 'Topic Alias twice is a protocol error (MQTT 5.0 §3.3.2.3.4)',
    tags: [],
    send: packet(
      0x30,
      text('a'),
      6, // Property Length
      [0x23, 0, 1], // Topic Alias
      [0x23, 0, 1],
    ),
    disconnect: protocolError,
  },
  {
    title: 'Response Topic twice is a protocol error (MQTT 5.0 §3.3.2.3.5)',
    tags: [],
    send: packet(
      0x30,
      text('a'),
      8, // Property Length
      0x08, // Response Topic
      text('r'),
      0x08,
      text('r'),
    ),
    disconnect: protocolError,
  },
  {
    title: 'Correlation Data twice is a protocol error (MQTT 5.0 §3.3.2.3.6)',
    tags: [],
    send: packet(
      0x30,
      text('a'),
      8, // Property Length
      0x09, // Correlation Data
      text('d'),
      0x09,
      text('d'),
    ),
    disconnect: protocolError,
  },
  {
    title: 'Content Type twice is a protocol error (MQTT 5.0 §3.3.2.3.9)',
    tags: [],
    send: packet(
      0x30,
      text('a'),
      8, // Property Length
      0x03, // Content Type
      text('t'),
      0x03,
      text('t'),
    ),
    disconnect: protocolError,
  },
  {
    title: 'a property that PUBLISH does not have is malformed (MQTT 5.0 §2.2.2.2)',
    tags: [],
    send: packet(
      0x30,
      text('a'),
      5, // Property Length
      [0x11, 0, 0, 0, 9], // Session Expiry Interval
    ),
    disconnect: malformed,
  },
]

import { packet, text } from '../support/wire.ts'

/** An acknowledgement from a connected MQTT 5 client that must end its connection. */
export interface AcknowledgementCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly send: Buffer
  /** Reason codes the DISCONNECT may have. */
  readonly disconnect: readonly number[]
}

const malformed = [0x81]
const protocolError = [0x82]
/** A code outside the packet's table is forbidden without a word about what the breach is. */
const either = [0x81, 0x82]

export const acknowledgementCases: readonly AcknowledgementCase[] = [
  {
    title: 'PUBACK with Reason Code 0x05 ends the connection',
    tags: ['MQTT5-3.4.2-1'],
    send: packet(
      0x40,
      [0, 1], // Packet Identifier
      0x05, // Reason Code
    ),
    disconnect: either,
  },
  {
    title: 'PUBACK with Reason Code 0x92, which PUBREL has, ends the connection, also with properties',
    tags: ['MQTT5-3.4.2-1'],
    send: packet(
      0x40,
      [0, 1], // Packet Identifier
      0x92, // Reason Code
      0, // Property Length
    ),
    disconnect: either,
  },
  {
    title: 'PUBREC with Reason Code 0x05 ends the connection',
    tags: ['MQTT5-3.5.2-1'],
    send: packet(
      0x50,
      [0, 1], // Packet Identifier
      0x05, // Reason Code
    ),
    disconnect: either,
  },
  {
    title: 'PUBREC with Reason Code 0xFF ends the connection',
    tags: ['MQTT5-3.5.2-1'],
    send: packet(
      0x50,
      [0, 1], // Packet Identifier
      0xff, // Reason Code
    ),
    disconnect: either,
  },
  {
    title: 'PUBREL with flags 0000 is malformed',
    tags: ['MQTT5-3.6.1-1'],
    send: packet(
      0x60,
      [0, 1], // Packet Identifier
    ),
    disconnect: malformed,
  },
  {
    title: 'PUBREL with flags 0011 is malformed',
    tags: ['MQTT5-3.6.1-1'],
    send: packet(
      0x63,
      [0, 1], // Packet Identifier
    ),
    disconnect: malformed,
  },
  {
    title: 'PUBREL with flags 1010 is malformed, also with a Reason Code',
    tags: ['MQTT5-3.6.1-1'],
    send: packet(
      0x6a,
      [0, 1], // Packet Identifier
      0x00, // Reason Code
    ),
    disconnect: malformed,
  },
  {
    title: 'PUBREL with Reason Code 0x10, which PUBREC has, ends the connection',
    tags: ['MQTT5-3.6.2-1'],
    send: packet(
      0x62,
      [0, 1], // Packet Identifier
      0x10, // Reason Code
    ),
    disconnect: either,
  },
  {
    title: 'PUBCOMP with Reason Code 0x10, which PUBREC has, ends the connection',
    tags: ['MQTT5-3.7.2-1'],
    send: packet(
      0x70,
      [0, 1], // Packet Identifier
      0x10, // Reason Code
    ),
    disconnect: either,
  },
  {
    title: 'PUBACK that ends within its Packet Identifier is malformed (MQTT 5.0 §3.4.2)',
    tags: [],
    send: packet(
      0x40,
      0, // half a Packet Identifier
    ),
    disconnect: malformed,
  },
  {
    title: 'PUBREC with properties that are cut short is malformed (MQTT 5.0 §3.5.2.2)',
    tags: [],
    send: packet(
      0x50,
      [0, 1], // Packet Identifier
      0x00, // Reason Code
      9, // Property Length
      0x1f, // Reason String
      text('no'),
    ),
    disconnect: malformed,
  },
  {
    title: 'PUBACK with two Reason Strings is a protocol error (MQTT 5.0 §3.4.2.2.2)',
    tags: [],
    send: packet(
      0x40,
      [0, 1], // Packet Identifier
      0x00, // Reason Code
      8, // Property Length
      0x1f, // Reason String
      text('a'),
      0x1f,
      text('a'),
    ),
    disconnect: protocolError,
  },
  {
    title: 'PUBREC with two Reason Strings is a protocol error (MQTT 5.0 §3.5.2.2.2)',
    tags: [],
    send: packet(
      0x50,
      [0, 1], // Packet Identifier
      0x00, // Reason Code
      8, // Property Length
      0x1f, // Reason String
      text('a'),
      0x1f,
      text('a'),
    ),
    disconnect: protocolError,
  },
  {
    title: 'PUBREL with two Reason Strings is a protocol error (MQTT 5.0 §3.6.2.2.2)',
    tags: [],
    send: packet(
      0x62,
      [0, 1], // Packet Identifier
      0x00, // Reason Code
      8, // Property Length
      0x1f, // Reason String
      text('a'),
      0x1f,
      text('a'),
    ),
    disconnect: protocolError,
  },
  {
    title: 'PUBCOMP with two Reason Strings is a protocol error (MQTT 5.0 §3.7.2.2.2)',
    tags: [],
    send: packet(
      0x70,
      [0, 1], // Packet Identifier
      0x00, // Reason Code
      8, // Property Length
      0x1f, // Reason String
      text('a'),
      0x1f,
      text('a'),
    ),
    disconnect: protocolError,
  },
  {
    title: 'a property that PUBACK does not have is malformed (MQTT 5.0 §2.2.2.2)',
    tags: [],
    send: packet(
      0x40,
      [0, 1], // Packet Identifier
      0x00, // Reason Code
      3, // Property Length
      [0x23, 0, 1], // Topic Alias
    ),
    disconnect: malformed,
  },
]

import { packet, text } from '../support/wire.ts'

/** An UNSUBSCRIBE from an MQTT 5 client that subscribes to `a/+`, `b`, `c` and `$share/g/d`, and what must become of it. */
export interface UnsubscribeCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly send: Buffer
  /** Reason codes of the UNSUBACK, or the one of the DISCONNECT before the connection ends. */
  readonly answer: { readonly codes: readonly number[] } | { readonly disconnect: number }
}

const noProperties = 0

export const unsubscribeCases: readonly UnsubscribeCase[] = [
  {
    title: 'UNSUBSCRIBE with flags 0000 is malformed',
    tags: ['MQTT5-3.10.1-1'],
    send: packet(
      0xa0,
      [0, 1], // Packet Identifier
      noProperties,
      text('b'),
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'UNSUBSCRIBE with flags 0011 is malformed',
    tags: ['MQTT5-3.10.1-1'],
    send: packet(
      0xa3,
      [0, 1], // Packet Identifier
      noProperties,
      text('b'),
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'a filter of UNSUBSCRIBE that is no UTF-8 is malformed',
    tags: ['MQTT5-3.10.3-1'],
    send: packet(
      0xa2,
      [0, 1], // Packet Identifier
      noProperties,
      text('b'),
      text([0xc3, 0x28]), // a first byte without its second
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'a filter of UNSUBSCRIBE that is longer than the packet is malformed',
    tags: ['MQTT5-3.10.3-1'],
    send: packet(
      0xa2,
      [0, 1], // Packet Identifier
      noProperties,
      [0, 9], // length of the filter
      0x62,
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'UNSUBSCRIBE that ends after its properties is a protocol error',
    tags: ['MQTT5-3.10.3-2'],
    send: packet(
      0xa2,
      [0, 1], // Packet Identifier
      noProperties,
    ),
    answer: { disconnect: 0x82 },
  },
  {
    title: 'a filter that would match, but is not the same, deletes nothing',
    tags: ['MQTT5-3.10.4-1', 'MQTT5-3.11.3-2'],
    send: packet(
      0xa2,
      [0, 1], // Packet Identifier
      noProperties,
      text('a/b'),
      text('A/+'),
      text('a/#'),
      text('b/'),
      text('d'),
      text('$share/h/d'),
    ),
    answer: { codes: [0x11, 0x11, 0x11, 0x11, 0x11, 0x11] },
  },
  {
    title: 'codes stand in the order of the filters, one for each',
    tags: ['MQTT5-3.11.3-1', 'MQTT5-3.11.3-2', 'MQTT5-3.10.4-6'],
    send: packet(
      0xa2,
      [0, 1], // Packet Identifier
      noProperties,
      text('x'),
      text('b'),
      text('$share/g/d'),
      text('a/+'),
      text('b'), // once more
    ),
    answer: { codes: [0x11, 0, 0, 0, 0x11] },
  },
  {
    title: 'what is no filter is answered with 0x8F',
    tags: ['MQTT5-3.11.3-2'],
    send: packet(
      0xa2,
      [0, 1], // Packet Identifier
      noProperties,
      text('b#'),
      text('c'),
      text('$share//d'),
    ),
    answer: { codes: [0x8f, 0, 0x8f] },
  },
]

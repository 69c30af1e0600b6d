import { bytes, packet, text, u16 } from '../support/wire.ts'

/** What a connected MQTT 5 client sends, and the code of the DISCONNECT with which the broker ends the connection. */
export interface StringCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly send: Buffer
  readonly disconnect: number
}

const noProperties = 0
/** A first byte without its second. */
const broken = text([0xc3, 0x28])

export const stringCases: readonly StringCase[] = [
  // ── UTF-8 strings ───────────────────────────────────────────────────────────────────────────────────────────────────
  {
    title: 'a topic name with half of a character is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, broken, noProperties),
    disconnect: 0x81,
  },
  {
    title: 'a topic name with the surrogate U+D800 is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, text([0xed, 0xa0, 0x80]), noProperties),
    disconnect: 0x81,
  },
  {
    title: 'a topic name with the surrogate U+DFFF is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, text([0xed, 0xbf, 0xbf]), noProperties),
    disconnect: 0x81,
  },
  {
    title: 'a topic name with a pair of surrogates in place of one character is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, text([0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]), noProperties),
    disconnect: 0x81,
  },
  {
    title: 'a topic name with a character above U+10FFFF is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, text([0xf4, 0x90, 0x80, 0x80]), noProperties),
    disconnect: 0x81,
  },
  {
    title: 'a topic name with a slash in two bytes is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, text([0x61, 0xc0, 0xaf, 0x62]), noProperties),
    disconnect: 0x81,
  },
  {
    title: 'a topic name that ends within a character is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, text([0x61, 0xe2, 0x82]), noProperties),
    disconnect: 0x81,
  },
  {
    title: 'a Response Topic that is no UTF-8 is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, text('a'), [5, 0x08], broken),
    disconnect: 0x81,
  },
  {
    title: 'a Content Type that is no UTF-8 is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, text('a'), [5, 0x03], broken),
    disconnect: 0x81,
  },
  {
    title: 'a Topic Filter of UNSUBSCRIBE that is no UTF-8 is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0xa2, u16(1), noProperties, broken),
    disconnect: 0x81,
  },
  {
    title: 'a Reason String of DISCONNECT that is no UTF-8 is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0xe0, 0x00, [5, 0x1f], broken),
    disconnect: 0x81,
  },
  {
    title: 'a topic name with U+0000 is malformed',
    tags: ['MQTT5-1.5.4-2'],
    send: packet(0x30, text('a\0b'), noProperties),
    disconnect: 0x81,
  },
  {
    title: 'a topic name with U+0000 in two bytes is malformed',
    tags: ['MQTT5-1.5.4-1'],
    send: packet(0x30, text([0x61, 0xc0, 0x80, 0x62]), noProperties),
    disconnect: 0x81,
  },
  {
    title: 'a Response Topic with U+0000 is malformed',
    tags: ['MQTT5-1.5.4-2'],
    send: packet(0x30, text('a'), [6, 0x08], text('b\0c')),
    disconnect: 0x81,
  },
  {
    title: 'a Content Type with U+0000 is malformed',
    tags: ['MQTT5-1.5.4-2'],
    send: packet(0x30, text('a'), [6, 0x03], text('b\0c')),
    disconnect: 0x81,
  },
  {
    title: 'a Topic Filter of SUBSCRIBE with U+0000 is malformed',
    tags: ['MQTT5-1.5.4-2'],
    send: packet(0x82, u16(1), noProperties, text('a\0b'), 0),
    disconnect: 0x81,
  },
  {
    title: 'a Topic Filter of UNSUBSCRIBE with U+0000 is malformed',
    tags: ['MQTT5-1.5.4-2'],
    send: packet(0xa2, u16(1), noProperties, text('a\0b')),
    disconnect: 0x81,
  },
  // ── string pairs ────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    title: 'a User Property of PUBLISH whose name is no UTF-8 is malformed',
    tags: ['MQTT5-1.5.7-1'],
    send: packet(0x30, text('a'), [8, 0x26], broken, text('v')),
    disconnect: 0x81,
  },
  {
    title: 'a User Property of PUBLISH whose value is no UTF-8 is malformed',
    tags: ['MQTT5-1.5.7-1'],
    send: packet(0x30, text('a'), [8, 0x26], text('n'), broken),
    disconnect: 0x81,
  },
  {
    title: 'a User Property of PUBLISH whose name has U+0000 is malformed',
    tags: ['MQTT5-1.5.7-1'],
    send: packet(0x30, text('a'), [7, 0x26], text('\0'), text('v')),
    disconnect: 0x81,
  },
  {
    title: 'a User Property of PUBLISH whose value has U+0000 is malformed',
    tags: ['MQTT5-1.5.7-1'],
    send: packet(0x30, text('a'), [7, 0x26], text('n'), text('\0')),
    disconnect: 0x81,
  },
  {
    title: 'a User Property of SUBSCRIBE whose name is no UTF-8 is malformed',
    tags: ['MQTT5-1.5.7-1'],
    send: packet(0x82, u16(1), [8, 0x26], broken, text('v'), text('a'), 0),
    disconnect: 0x81,
  },
  {
    title: 'a User Property of SUBSCRIBE whose value has a surrogate is malformed',
    tags: ['MQTT5-1.5.7-1'],
    send: packet(0x82, u16(1), [9, 0x26], text('n'), text([0xed, 0xa0, 0x80]), text('a'), 0),
    disconnect: 0x81,
  },
  {
    title: 'a User Property of UNSUBSCRIBE whose value is no UTF-8 is malformed',
    tags: ['MQTT5-1.5.7-1'],
    send: packet(0xa2, u16(1), [8, 0x26], text('n'), broken, text('a')),
    disconnect: 0x81,
  },
  {
    title: 'a User Property of DISCONNECT whose value is no UTF-8 is malformed',
    tags: ['MQTT5-1.5.7-1'],
    send: packet(0xe0, 0x00, [8, 0x26], text('n'), broken),
    disconnect: 0x81,
  },
  // ── Variable Byte Integers ──────────────────────────────────────────────────────────────────────────────────────────
  {
    title: 'a Property Length of 0 in two bytes is malformed',
    tags: ['MQTT5-1.5.5-1'],
    send: packet(0x30, text('a'), [0x80, 0x00]),
    disconnect: 0x81,
  },
  {
    title: 'a Property Length of 7 in four bytes is malformed',
    tags: ['MQTT5-1.5.5-1'],
    send: packet(0x30, text('a'), [0x87, 0x80, 0x80, 0x00], 0x26, text('n'), text('v')),
    disconnect: 0x81,
  },
  {
    title: 'a Property Length of five bytes is malformed',
    tags: ['MQTT5-1.5.5-1'],
    send: packet(0x30, text('a'), [0x80, 0x80, 0x80, 0x80, 0x01]),
    disconnect: 0x81,
  },
  {
    title: 'a Property Length of SUBSCRIBE of 0 in two bytes is malformed',
    tags: ['MQTT5-1.5.5-1'],
    send: packet(0x82, u16(1), [0x80, 0x00], text('a'), 0),
    disconnect: 0x81,
  },
  {
    title: 'a Subscription Identifier of 1 in two bytes is malformed',
    tags: ['MQTT5-1.5.5-1'],
    send: packet(0x82, u16(1), [3, 0x0b, 0x81, 0x00], text('a'), 0),
    disconnect: 0x81,
  },
  {
    title: 'a property identifier in two bytes is malformed',
    tags: ['MQTT5-1.5.5-1'],
    send: packet(0x30, text('a'), [8, 0xa6, 0x00], text('n'), text('v')),
    disconnect: 0x81,
  },
  {
    title: 'a Remaining Length of 0 in two bytes is malformed',
    tags: ['MQTT5-1.5.5-1'],
    send: bytes(0xc0, [0x80, 0x00]),
    disconnect: 0x81,
  },
  {
    title: 'a Remaining Length of 4 in three bytes is malformed',
    tags: ['MQTT5-1.5.5-1'],
    send: bytes(0x30, [0x84, 0x80, 0x00], text('a'), noProperties),
    disconnect: 0x81,
  },
  // ── packet identifiers ──────────────────────────────────────────────────────────────────────────────────────────────
  {
    title: 'a PUBLISH of QoS 1 with packet identifier 0 is a protocol error',
    tags: ['MQTT5-2.2.1-3'],
    send: packet(0x32, text('a'), u16(0), noProperties),
    disconnect: 0x82,
  },
  {
    title: 'a PUBLISH of QoS 2 with packet identifier 0 is a protocol error',
    tags: ['MQTT5-2.2.1-3'],
    send: packet(0x34, text('a'), u16(0), noProperties),
    disconnect: 0x82,
  },
  {
    title: 'a SUBSCRIBE with packet identifier 0 is a protocol error',
    tags: ['MQTT5-2.2.1-3'],
    send: packet(0x82, u16(0), noProperties, text('a'), 0),
    disconnect: 0x82,
  },
  {
    title: 'an UNSUBSCRIBE with packet identifier 0 is a protocol error',
    tags: ['MQTT5-2.2.1-3'],
    send: packet(0xa2, u16(0), noProperties, text('a')),
    disconnect: 0x82,
  },
]

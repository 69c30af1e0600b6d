import type { BrokerOptions } from '../../src/index.ts'
import { packet, text } from '../support/wire.ts'

/** A SUBSCRIBE from a connected MQTT 5 client, and what must become of it. */
export interface SubscribeCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly options?: Partial<BrokerOptions>
  readonly send: Buffer
  /** Reason codes of the SUBACK, or the one of the DISCONNECT before the connection ends. */
  readonly answer: { readonly codes: readonly number[] } | { readonly disconnect: number }
}

const noProperties = 0

export const subscribeCases: readonly SubscribeCase[] = [
  {
    title: 'SUBSCRIBE with flags 0000 is malformed',
    tags: ['MQTT5-3.8.1-1'],
    send: packet(
      0x80,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
      0, // options
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'SUBSCRIBE with flags 0011 is malformed',
    tags: ['MQTT5-3.8.1-1'],
    send: packet(
      0x83,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
      0, // options
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'SUBSCRIBE with flags 1010 is malformed',
    tags: ['MQTT5-3.8.1-1'],
    send: packet(
      0x8a,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
      0, // options
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'a filter of SUBSCRIBE that is no UTF-8 is malformed',
    tags: ['MQTT5-3.8.3-1'],
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text([0xc3, 0x28]), // a first byte without its second
      0, // options
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'a filter of SUBSCRIBE with a surrogate is malformed, the good one before it is not acted on',
    tags: ['MQTT5-3.8.3-1'],
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('good'),
      0, // options
      text([0xed, 0xa0, 0x80]), // U+D800
      0, // options
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'SUBSCRIBE that ends after its properties is a protocol error',
    tags: ['MQTT5-3.8.3-2'],
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
    ),
    answer: { disconnect: 0x82 },
  },
  {
    title: 'SUBSCRIBE with a filter without options is malformed',
    tags: ['MQTT5-3.8.3-2'],
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'No Local on a shared subscription is a protocol error, also behind a good filter',
    tags: ['MQTT5-3.8.3-4'],
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
      0x04, // No Local, fine here
      text('$share/g/a'),
      0x05, // QoS 1, No Local
    ),
    answer: { disconnect: 0x82 },
  },
  {
    title: 'options with reserved bit 6 are malformed',
    tags: ['MQTT5-3.8.3-5'],
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
      0x40, // options
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'options with reserved bit 7 are malformed, also in the last of several filters',
    tags: ['MQTT5-3.8.3-5'],
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
      0x2d, // options: QoS 1, No Local, Retain As Published, Retain Handling 2
      text('b'),
      0x81, // options: QoS 1, bit 7
    ),
    answer: { disconnect: 0x81 },
  },
  {
    title: 'each code of SUBACK is the QoS that was granted',
    tags: ['MQTT5-3.8.4-7', 'MQTT5-3.9.3-1', 'MQTT5-3.9.3-2'],
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('c'),
      2, // options
      text('a'),
      0, // options
      text('b'),
      1, // options
    ),
    answer: { codes: [2, 0, 1] },
  },
  {
    title: 'a filter that the hook denies is answered with 0x87, the others are granted',
    tags: ['MQTT5-3.8.4-7', 'MQTT5-3.9.3-2'],
    options: { authorizeSubscribe: (_client, wish) => (wish.topic === 'secret' ? null : wish) },
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
      0, // options
      text('secret'),
      1, // options
      text('b'),
      1, // options
      text('c'),
      2, // options
    ),
    answer: { codes: [0, 0x87, 1, 2] },
  },
  {
    title: 'a QoS that the hook lowers is the one that SUBACK shows',
    tags: ['MQTT5-3.8.4-7'],
    options: { authorizeSubscribe: (_client, wish) => ({ ...wish, qos: 0 }) },
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
      2, // options
    ),
    answer: { codes: [0] },
  },
  {
    title: 'a filter that is none is answered with 0x8F',
    tags: ['MQTT5-3.9.3-2'],
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('a#'),
      1, // options
      text('a'),
      1, // options
    ),
    answer: { codes: [0x8f, 1] },
  },
  {
    title: 'a filter with too many levels is answered with 0x8F',
    tags: ['MQTT5-3.9.3-2'],
    options: { maxTopicLevels: 2 },
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('a/b/c'),
      1, // options
      text('a/b'),
      1, // options
    ),
    answer: { codes: [0x8f, 1] },
  },
  {
    title: 'a shared subscription is answered with 0x9E where there are none',
    tags: ['MQTT5-3.9.3-2'],
    options: { sharedSubscriptionAvailable: false },
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('$share/g/a'),
      1, // options
      text('a'),
      1, // options
    ),
    answer: { codes: [0x9e, 1] },
  },
  {
    title: 'a filter with wildcards is answered with 0xA2 where there are none',
    tags: ['MQTT5-3.9.3-2'],
    options: { wildcardSubscriptionAvailable: false },
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('+'),
      1, // options
      text('a'),
      1, // options
    ),
    answer: { codes: [0xa2, 1] },
  },
  {
    title: 'what is above maximumQoS is granted at it',
    tags: ['MQTT5-3.8.4-7', 'MQTT5-3.9.3-2'],
    options: { maximumQoS: 1 },
    send: packet(
      0x82,
      [0, 1], // Packet Identifier
      noProperties,
      text('a'),
      2, // options
      text('b'),
      0, // options
    ),
    answer: { codes: [1, 0] },
  },
]

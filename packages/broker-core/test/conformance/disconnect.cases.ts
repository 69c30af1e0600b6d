import type { BrokerOptions } from '../../src/index.ts'
import { property } from '../support/property.ts'
import { auth, bytes, connect, packet, publish, subscribe, text } from '../support/wire.ts'

/** What a connected MQTT 5 client does wrong, and the code of the DISCONNECT it gets. */
export interface DisconnectCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly options?: Partial<BrokerOptions>
  readonly send: Buffer
  readonly reasonCode: number
}

const noProperties = 0

export const disconnectCases: readonly DisconnectCase[] = [
  {
    title: 'a packet of type 0 closes with 0x81',
    tags: ['MQTT5-4.13.1-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: bytes(0x00, 0),
    reasonCode: 0x81,
  },
  {
    title: 'a Remaining Length of five bytes closes with 0x81',
    tags: ['MQTT5-4.13.1-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: bytes(
      0x30, // PUBLISH
      [0x80, 0x80, 0x80, 0x80, 0x01], // Remaining Length
    ),
    reasonCode: 0x81,
  },
  {
    title: 'a doubled property closes with 0x82',
    tags: ['MQTT5-4.13.1-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: packet(
      0x30,
      text('a'),
      [4, 0x01, 0, 0x01, 0], // Payload Format Indicator, twice
    ),
    reasonCode: 0x82,
  },
  {
    title: 'a property that the packet cannot have closes with 0x81',
    tags: ['MQTT5-4.13.1-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: packet(
      0x30,
      text('a'),
      [3, 0x21, 0, 9], // Receive Maximum
    ),
    reasonCode: 0x81,
  },
  {
    title: 'an unknown property closes with 0x81',
    tags: ['MQTT5-4.13.1-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: packet(0x30, text('a'), [2, 0x7e, 0]),
    reasonCode: 0x81,
  },
  {
    title: 'a second CONNECT closes with 0x82',
    tags: ['MQTT5-4.13.1-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: connect({ clientId: 'c' }),
    reasonCode: 0x82,
  },
  {
    title: 'a packet that only brokers send closes with 0x82',
    tags: ['MQTT5-4.13.1-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: packet(0xd0), // PINGRESP
    reasonCode: 0x82,
  },
  {
    title: 'AUTH without enhanced authentication closes with 0x82',
    tags: ['MQTT5-4.12.0-7', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: auth(0x18, property.authenticationMethod('x')),
    reasonCode: 0x82,
  },
  {
    title: 'a re-authentication without enhanced authentication closes with 0x82',
    tags: ['MQTT5-4.12.0-7', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: auth(0x19, property.authenticationMethod('x')),
    reasonCode: 0x82,
  },
  {
    title: 'wildcards in a Topic Name close with 0x90',
    tags: ['MQTT5-4.7.0-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: publish({ topic: 'a/+' }),
    reasonCode: 0x90,
  },
  {
    title: 'more than Receive Maximum closes with 0x93',
    tags: ['MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    options: { maxInflightInbound: 1 },
    send: bytes(publish({ topic: 'a', qos: 2, id: 1 }), publish({ topic: 'a', qos: 2, id: 2 })),
    reasonCode: 0x93,
  },
  {
    title: 'an alias above Topic Alias Maximum closes with 0x94',
    tags: ['MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    options: { topicAliasMaximum: 3 },
    send: publish({ topic: 'a', properties: property.topicAlias(4) }),
    reasonCode: 0x94,
  },
  {
    title: 'a packet above Maximum Packet Size closes with 0x95',
    tags: ['MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    options: { maximumPacketSize: 200 },
    send: publish({ topic: 'a', payload: 'x'.repeat(200) }),
    reasonCode: 0x95,
  },
  {
    title: 'RETAIN where there is none closes with 0x9A',
    tags: ['MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    options: { retainAvailable: false },
    send: publish({ topic: 'a', retain: true }),
    reasonCode: 0x9a,
  },
  {
    title: 'a QoS above Maximum QoS closes with 0x9B',
    tags: ['MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    options: { maximumQoS: 1 },
    send: publish({ topic: 'a', qos: 2 }),
    reasonCode: 0x9b,
  },
  {
    title: 'a Subscription Identifier where there are none closes with 0xA1',
    tags: ['MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    options: { subscriptionIdentifiersAvailable: false },
    send: subscribe({ filters: [['a', 0]], properties: property.subscriptionIdentifier(1) }),
    reasonCode: 0xa1,
  },
  {
    title: 'DISCONNECT with flags 0001 closes with 0x81',
    tags: ['MQTT5-3.14.1-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: packet(0xe1),
    reasonCode: 0x81,
  },
  {
    title: 'DISCONNECT with flags 1000, code and properties closes with 0x81',
    tags: ['MQTT5-3.14.1-1', 'MQTT5-4.13.2-1', 'MQTT5-3.14.2-1'],
    send: packet(
      0xe8,
      0, // Reason Code
      noProperties,
    ),
    reasonCode: 0x81,
  },
  {
    title: 'DISCONNECT with a code that is none closes with 0x81',
    tags: ['MQTT5-3.14.2-1', 'MQTT5-4.13.2-1'],
    send: packet(0xe0, 0x03),
    reasonCode: 0x81,
  },
  {
    title: 'DISCONNECT with a code of other packets closes with 0x81',
    tags: ['MQTT5-3.14.2-1', 'MQTT5-4.13.2-1'],
    send: packet(
      0xe0,
      0x85, // Client Identifier not valid: CONNACK only
      noProperties,
    ),
    reasonCode: 0x81,
  },
]

/** What is no good CONNECT, and with it everything before a CONNACK with success. */
export interface BeforeConnackCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly options?: Partial<BrokerOptions>
  readonly send: Buffer
}

export const beforeConnackCases: readonly BeforeConnackCase[] = [
  {
    title: 'a malformed CONNECT gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1', 'MQTT5-4.13.2-1'],
    send: connect({ flags: 0x03 }), // reserved bit
  },
  {
    title: 'a CONNECT with Receive Maximum 0 gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1', 'MQTT5-4.13.1-1'],
    send: connect({ properties: property.receiveMaximum(0) }),
  },
  {
    title: 'a CONNECT with a doubled property gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1', 'MQTT5-4.13.1-1'],
    send: connect({ properties: [...property.receiveMaximum(1), ...property.receiveMaximum(1)] }),
  },
  {
    title: 'a CONNECT that is refused gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1', 'MQTT5-4.13.2-1'],
    options: { authenticate: () => false },
    send: connect(),
  },
  {
    title: 'a CONNECT that is refused by an error gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1', 'MQTT5-4.13.2-1'],
    options: { authenticate: () => Promise.reject(Object.assign(new Error('moved'), { reasonCode: 0x9d })) },
    send: connect(),
  },
  {
    title: 'a CONNECT that is turned away gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1'],
    options: { preConnect: () => false },
    send: connect(),
  },
  {
    title: 'a CONNECT with a protocol version of the future gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1'],
    send: connect({ level: 6 }),
  },
  {
    title: 'a CONNECT above maximumConnectPacketSize gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1'],
    options: { maximumConnectPacketSize: 128 },
    send: connect({ clientId: 'x'.repeat(200) }),
  },
  {
    title: 'another packet before CONNECT gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1'],
    send: publish({ topic: 'a' }),
  },
  {
    title: 'bytes that are no MQTT get no DISCONNECT',
    tags: ['MQTT5-3.14.0-1'],
    send: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  },
  {
    title: 'an unsupported Authentication Method gets no DISCONNECT',
    tags: ['MQTT5-3.14.0-1', 'MQTT5-4.12.0-1'],
    send: connect({ properties: property.authenticationMethod('nope') }),
  },
]

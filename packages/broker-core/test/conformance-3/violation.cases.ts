import { bytes, connect, packet, text } from '../support/wire.ts'
import type { WireCase } from './wire-case.ts'

const identifier = [0, 1]

/** First bytes and packets that no client may send, whatever their content. */
export const violationCases: readonly WireCase[] = [
  {
    title: 'packet type 0 closes the connection [MQTT3-4.8.0-1]',
    send: packet(0x00),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'packet type 15 closes the connection [MQTT3-4.8.0-1]',
    send: packet(0xf0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a Remaining Length of five bytes closes the connection [MQTT3-4.8.0-1]',
    send: bytes(0x30, 0x80, 0x80, 0x80, 0x80, 0x01),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'CONNACK from a client closes the connection [MQTT3-4.8.0-1]',
    send: packet(0x20, 0, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBACK from a client closes the connection [MQTT3-4.8.0-1]',
    send: packet(0x90, identifier, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'UNSUBACK from a client closes the connection [MQTT3-4.8.0-1]',
    send: packet(0xb0, identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PINGRESP from a client closes the connection [MQTT3-4.8.0-1]',
    send: packet(0xd0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a second CONNECT closes the connection without a second CONNACK [MQTT3-3.1.0-2] [MQTT3-4.8.0-1]',
    send: connect({ version: 4, clientId: 'c' }),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'flags in PUBACK close the connection [MQTT3-2.2.2-2]',
    send: packet(0x41, identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'flags in PUBREC close the connection [MQTT3-2.2.2-2]',
    send: packet(0x52, identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBREL with flags 0000 closes the connection [MQTT3-3.6.1-1] [MQTT3-2.2.2-2]',
    send: packet(0x60, identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBREL with flags 0011 closes the connection [MQTT3-3.6.1-1] [MQTT3-2.2.2-2]',
    send: packet(0x63, identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBREL with flags 1010 closes the connection [MQTT3-3.6.1-1] [MQTT3-2.2.2-2]',
    send: packet(0x6a, identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'flags in PUBCOMP close the connection [MQTT3-2.2.2-2]',
    send: packet(0x74, identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'flags in PINGREQ close the connection [MQTT3-2.2.2-2]',
    send: packet(0xc1),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'flags in DISCONNECT close the connection [MQTT3-2.2.2-2] [MQTT3-3.14.1-1]',
    send: packet(0xe1),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBACK without a Packet Identifier closes the connection [MQTT3-4.8.0-1]',
    send: packet(0x40),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBACK with more than a Packet Identifier closes the connection [MQTT3-4.8.0-1]',
    send: packet(0x40, identifier, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a body in PINGREQ closes the connection [MQTT3-4.8.0-1]',
    send: packet(0xc0, text('a')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PINGREQ is answered with D0 00 [MQTT3-3.12.4-1] [MQTT3-2.2.2-1]',
    send: bytes(0xc0, 0x00),
    answer: [bytes(0xd0, 0x00)],
    afterwards: 'open',
  },
]

import { bytes, packet, text } from '../support/wire.ts'
import type { WireCase } from './wire-case.ts'

const identifier = [0, 1]
const filter = text('a')

/** UNSUBSCRIBE packets with nothing to remove, and with what closes the connection. */
export const unsubscribeCases: readonly WireCase[] = [
  {
    title: 'UNSUBSCRIBE of an unknown filter gets UNSUBACK all the same',
    tags: ['MQTT3-3.10.4-5', 'MQTT3-2.2.2-1'],
    send: bytes(0xa2, 5, 0, 1, 0, 1, 0x61),
    answer: [bytes(0xb0, 2, 0, 1)],
    afterwards: 'open',
  },
  {
    title: 'UNSUBACK has the identifier 4660 of its UNSUBSCRIBE',
    tags: ['MQTT3-3.10.4-4', 'MQTT3-2.3.1-7'],
    send: bytes(0xa2, 5, 0x12, 0x34, 0, 1, 0x61),
    answer: [bytes(0xb0, 2, 0x12, 0x34)],
    afterwards: 'open',
  },
  {
    title: 'UNSUBACK has the identifier 65535 of its UNSUBSCRIBE',
    tags: ['MQTT3-3.10.4-4', 'MQTT3-2.3.1-7'],
    send: bytes(0xa2, 5, 0xff, 0xff, 0, 1, 0x61),
    answer: [bytes(0xb0, 2, 0xff, 0xff)],
    afterwards: 'open',
  },
  {
    title: 'several filters get one UNSUBACK',
    tags: ['MQTT3-3.10.4-6', 'MQTT3-3.10.3-1'],
    send: packet(0xa2, identifier, text('a'), text('b'), text('a')),
    answer: [bytes(0xb0, 2, 0, 1)],
    afterwards: 'open',
  },
  {
    title: 'UNSUBSCRIBE with flags 0000 closes the connection',
    tags: ['MQTT3-3.10.1-1', 'MQTT3-2.2.2-2'],
    send: packet(0xa0, identifier, filter),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'UNSUBSCRIBE with flags 0011 closes the connection',
    tags: ['MQTT3-3.10.1-1', 'MQTT3-2.2.2-2'],
    send: packet(0xa3, identifier, filter),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'UNSUBSCRIBE with Packet Identifier 0 closes the connection',
    tags: ['MQTT3-2.3.1-1'],
    send: packet(0xa2, 0, 0, filter),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'UNSUBSCRIBE without a filter closes the connection',
    tags: ['MQTT3-3.10.3-2'],
    send: bytes(0xa2, 2, 0, 1),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'UNSUBSCRIBE with a filter that is not UTF-8 closes the connection',
    tags: ['MQTT3-3.10.3-1', 'MQTT3-1.5.3-1'],
    send: packet(0xa2, identifier, 0, 2, 0xc3, 0x28),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'UNSUBSCRIBE with a second filter that ends too soon closes the connection',
    tags: ['MQTT3-3.10.3-1'],
    send: packet(0xa2, identifier, filter, 0, 5, 0x61),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'UNSUBSCRIBE with U+0000 in the filter closes the connection',
    tags: ['MQTT3-4.7.3-2', 'MQTT3-1.5.3-2'],
    send: packet(0xa2, identifier, 0, 3, 0x61, 0, 0x62),
    answer: [],
    afterwards: 'closed',
  },
]

import { bytes, packet, text } from '../support/wire.ts'
import type { WireCase } from './wire-case.ts'

const identifier = [0, 1]
const filter = text('a')
const wrongUtf8 = [0, 2, 0xc3, 0x28]

function suback(...codes: readonly number[]): Buffer {
  return packet(0x90, identifier, codes)
}

/** SUBSCRIBE packets and their SUBACK. */
export const subackCases: readonly WireCase[] = [
  {
    title: 'SUBSCRIBE with identifier 1 is answered with one SUBACK of that identifier',
    tags: ['MQTT3-3.8.4-1', 'MQTT3-3.8.4-2', 'MQTT3-2.3.1-7', 'MQTT3-2.2.2-1'],
    send: bytes(0x82, 6, 0, 1, 0, 1, 0x61, 0),
    answer: [bytes(0x90, 3, 0, 1, 0)],
    afterwards: 'open',
  },
  {
    title: 'SUBSCRIBE with identifier 4660 is answered with one SUBACK of that identifier',
    tags: ['MQTT3-3.8.4-1', 'MQTT3-3.8.4-2', 'MQTT3-2.3.1-7'],
    send: bytes(0x82, 6, 0x12, 0x34, 0, 1, 0x61, 1),
    answer: [bytes(0x90, 3, 0x12, 0x34, 1)],
    afterwards: 'open',
  },
  {
    title: 'SUBSCRIBE with identifier 65535 is answered with one SUBACK of that identifier',
    tags: ['MQTT3-3.8.4-1', 'MQTT3-3.8.4-2', 'MQTT3-2.3.1-7'],
    send: bytes(0x82, 6, 0xff, 0xff, 0, 1, 0x61, 2),
    answer: [bytes(0x90, 3, 0xff, 0xff, 2)],
    afterwards: 'open',
  },
  {
    title: 'SUBACK has the granted QoS of each filter in the order of the filters',
    tags: ['MQTT3-3.8.4-5', 'MQTT3-3.9.3-1', 'MQTT3-3.8.4-4'],
    send: packet(0x82, identifier, text('x'), 2, text('y'), 0, text('z'), 1, text('x'), 0),
    answer: [suback(2, 0, 1, 0)],
    afterwards: 'open',
  },
  {
    title: 'a filter that authorizeSubscribe denies has code 80 in its place, and the others are granted',
    tags: ['MQTT3-3.8.4-5', 'MQTT3-3.9.3-1', 'MQTT3-3.9.3-2'],
    options: { authorizeSubscribe: (_client, subscription) => (subscription.topic === 'no' ? null : subscription) },
    send: packet(0x82, identifier, text('x'), 0, text('y'), 1, text('no'), 2, text('z'), 2),
    answer: [suback(0, 1, 0x80, 2)],
    afterwards: 'open',
  },
  {
    title: 'a broker without wildcards denies filters that hold them with code 80',
    tags: ['MQTT3-3.8.3-2', 'MQTT3-3.9.3-2'],
    options: { wildcardSubscriptionAvailable: false },
    send: packet(0x82, identifier, text('a/#'), 0, text('+'), 1, text('a/b'), 2),
    answer: [suback(0x80, 0x80, 2)],
    afterwards: 'open',
  },
  {
    title: 'a broker with wildcards grants filters that hold them',
    tags: ['MQTT3-3.8.3-2'],
    send: packet(0x82, identifier, text('a/#'), 0, text('+'), 1, text('a/b'), 2),
    answer: [suback(0, 1, 2)],
    afterwards: 'open',
  },
  {
    title: 'a broker without shared subscriptions denies them with code 80',
    tags: ['MQTT3-3.9.3-2'],
    options: { sharedSubscriptionAvailable: false },
    send: packet(0x82, identifier, text('$share/g/a'), 0, text('a'), 1),
    answer: [suback(0x80, 1)],
    afterwards: 'open',
  },
  {
    title: 'a broker with a lower maximum QoS grants that one',
    tags: ['MQTT3-3.8.4-5', 'MQTT3-3.9.3-2'],
    options: { maximumQoS: 1 },
    send: packet(0x82, identifier, text('x'), 2, text('y'), 1, text('z'), 0),
    answer: [suback(1, 1, 0)],
    afterwards: 'open',
  },
]

/** SUBSCRIBE packets that close the connection. */
export const brokenSubscribeCases: readonly WireCase[] = [
  {
    title: 'SUBSCRIBE with flags 0000 closes the connection',
    tags: ['MQTT3-3.8.1-1', 'MQTT3-2.2.2-2'],
    send: packet(0x80, identifier, filter, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with flags 0011 closes the connection',
    tags: ['MQTT3-3.8.1-1', 'MQTT3-2.2.2-2'],
    send: packet(0x83, identifier, filter, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with flags 1010 closes the connection',
    tags: ['MQTT3-3.8.1-1', 'MQTT3-2.2.2-2'],
    send: packet(0x8a, identifier, filter, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with Packet Identifier 0 closes the connection',
    tags: ['MQTT3-2.3.1-1'],
    send: packet(0x82, 0, 0, filter, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE without a filter closes the connection',
    tags: ['MQTT3-3.8.3-3'],
    send: packet(0x82, identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with a filter but no QoS closes the connection',
    tags: ['MQTT3-3.8.3-3'],
    send: packet(0x82, identifier, filter, 0, filter),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with a filter that is not UTF-8 closes the connection',
    tags: ['MQTT3-3.8.3-1', 'MQTT3-1.5.3-1'],
    send: packet(0x82, identifier, wrongUtf8, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with U+0000 in the filter closes the connection',
    tags: ['MQTT3-1.5.3-2', 'MQTT3-4.7.3-2'],
    send: packet(0x82, identifier, 0, 3, 0x61, 0, 0x62, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with QoS 3 closes the connection',
    tags: ['MQTT3-3.8.3-4'],
    send: packet(0x82, identifier, filter, 0x03),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with reserved bit 2 of the QoS byte closes the connection',
    tags: ['MQTT3-3.8.3-4'],
    send: packet(0x82, identifier, filter, 0x04),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with reserved bit 4 of the QoS byte closes the connection',
    tags: ['MQTT3-3.8.3-4'],
    send: packet(0x82, identifier, filter, 0x10),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with reserved bit 7 of the QoS byte closes the connection',
    tags: ['MQTT3-3.8.3-4'],
    send: packet(0x82, identifier, filter, 0x80),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE with a wrong second filter has no effect at all',
    tags: ['MQTT3-3.8.3-4', 'MQTT3-4.8.0-1'],
    send: packet(0x82, identifier, filter, 0, text('b'), 0xff),
    answer: [],
    afterwards: 'closed',
  },
]

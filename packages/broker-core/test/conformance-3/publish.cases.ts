import { bytes, packet, text } from '../support/wire.ts'
import type { WireCase } from './wire-case.ts'

const topic = text('a')
const identifier = [0, 7]

/** What is answered to a PUBLISH of each QoS. */
export const answeredCases: readonly WireCase[] = [
  {
    title: 'PUBLISH with QoS 1 is answered with PUBACK of its identifier',
    tags: ['MQTT3-3.3.4-1', 'MQTT3-2.3.1-6', 'MQTT3-4.3.2-2', 'MQTT3-2.2.2-1'],
    send: packet(0x32, text('$quiet'), identifier),
    answer: [bytes(0x40, 2, 0, 7)],
    afterwards: 'open',
  },
  {
    title: 'PUBLISH with QoS 2 is answered with PUBREC of its identifier',
    tags: ['MQTT3-3.3.4-1', 'MQTT3-2.3.1-6', 'MQTT3-4.3.3-2', 'MQTT3-2.2.2-1'],
    send: packet(0x34, text('$quiet'), identifier),
    answer: [bytes(0x50, 2, 0, 7)],
    afterwards: 'open',
  },
  {
    title: 'PUBLISH with QoS 2 and its PUBREL are answered with PUBREC and PUBCOMP of the identifier',
    tags: ['MQTT3-3.3.4-1', 'MQTT3-2.3.1-6', 'MQTT3-4.3.3-2', 'MQTT3-2.2.2-1'],
    send: bytes(packet(0x34, text('$quiet'), 0xff, 0xff), packet(0x62, 0xff, 0xff)),
    answer: [bytes(0x50, 2, 0xff, 0xff), bytes(0x70, 2, 0xff, 0xff)],
    afterwards: 'open',
  },
  {
    title: 'PUBLISH with QoS 0 is not answered',
    tags: ['MQTT3-3.3.4-1'],
    send: packet(0x30, text('$quiet')),
    answer: [],
    afterwards: 'open',
  },
]

/** PUBLISH packets that close the connection, unanswered and undelivered. */
export const brokenPublishCases: readonly WireCase[] = [
  {
    title: 'PUBLISH with QoS 3 closes the connection, undelivered',
    tags: ['MQTT3-3.3.1-4'],
    send: packet(0x36, topic, identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH with QoS 0 and DUP 1 closes the connection, undelivered',
    tags: ['MQTT3-3.3.1-2'],
    send: packet(0x38, topic),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH with QoS 1 and Packet Identifier 0 closes the connection, undelivered',
    tags: ['MQTT3-2.3.1-1'],
    send: packet(0x32, topic, 0, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH with QoS 2 and Packet Identifier 0 closes the connection, undelivered',
    tags: ['MQTT3-2.3.1-1'],
    send: packet(0x34, topic, 0, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH with a topic that is not UTF-8 closes the connection, undelivered',
    tags: ['MQTT3-3.3.2-1', 'MQTT3-1.5.3-1'],
    send: packet(0x30, 0, 2, 0xc3, 0x28),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH with a surrogate in the topic closes the connection, undelivered',
    tags: ['MQTT3-1.5.3-1'],
    send: packet(0x30, 0, 3, 0xed, 0xa0, 0x80), // U+D800
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH with a pair of surrogates in the topic closes the connection, undelivered',
    tags: ['MQTT3-1.5.3-1'],
    send: packet(0x30, 0, 6, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80), // U+D83D U+DE00
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH with an overlong form in the topic closes the connection, undelivered',
    tags: ['MQTT3-1.5.3-1'],
    send: packet(0x30, 0, 2, 0xc1, 0xa1), // 'a' in two bytes
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH with U+0000 in the topic closes the connection, undelivered',
    tags: ['MQTT3-1.5.3-2', 'MQTT3-4.7.3-2'],
    send: packet(0x30, 0, 3, 0x61, 0, 0x62),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH with U+0000 written in two bytes closes the connection, undelivered',
    tags: ['MQTT3-1.5.3-1', 'MQTT3-1.5.3-2'],
    send: packet(0x30, 0, 2, 0xc0, 0x80),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH without a topic name closes the connection, undelivered',
    tags: ['MQTT3-4.7.3-1'],
    send: packet(0x30, text(''), 0x21),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH to a/+ closes the connection, undelivered',
    tags: ['MQTT3-3.3.2-2', 'MQTT3-4.7.1-1'],
    send: packet(0x30, text('a/+')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH to a/+/b with QoS 1 closes the connection, unanswered and undelivered',
    tags: ['MQTT3-3.3.2-2', 'MQTT3-4.7.1-1'],
    send: packet(0x32, text('a/+/b'), identifier),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH to a/# closes the connection, undelivered',
    tags: ['MQTT3-3.3.2-2', 'MQTT3-4.7.1-1'],
    send: packet(0x30, text('a/#')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH to # closes the connection, undelivered',
    tags: ['MQTT3-3.3.2-2', 'MQTT3-4.7.1-1'],
    send: packet(0x30, text('#')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH to a topic with a wildcard character within a level closes the connection, undelivered',
    tags: ['MQTT3-3.3.2-2'],
    send: packet(0x30, text('a+b#c')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH that ends within its topic closes the connection, undelivered',
    tags: ['MQTT3-3.3.2-1'],
    send: packet(0x30, 0, 9, 0x61),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH that ends within its Packet Identifier closes the connection, undelivered',
    tags: ['MQTT3-2.3.1-1'],
    send: packet(0x32, topic, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'an empty PUBLISH closes the connection',
    tags: ['MQTT3-3.3.2-1'],
    send: packet(0x30),
    answer: [],
    afterwards: 'closed',
  },
]

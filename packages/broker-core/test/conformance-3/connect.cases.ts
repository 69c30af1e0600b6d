import { bytes, packet, pingreq, pubrel, publish, subscribe, text } from '../support/wire.ts'
import type { WireCase } from './wire-case.ts'

const protocol = [0, 4, 0x4d, 0x51, 0x54, 0x54] // 'MQTT'
const level = 4
const noKeepAlive = [0, 0]
const clientId = text('c')
const accepted = bytes(0x20, 2, 0, 0)
const wrongUtf8 = [0, 2, 0xc3, 0x28]

/** CONNECT of MQTT 3.1.1 with these Connect Flags and this payload. */
function connect(flags: number, ...payload: readonly (readonly number[])[]): Buffer {
  return packet(0x10, protocol, level, flags, noKeepAlive, ...payload)
}

/** CONNECT packets that are accepted. */
export const acceptedCases: readonly WireCase[] = [
  {
    title: 'a valid CONNECT is answered with 20 02 00 00',
    tags: ['MQTT3-3.1.4-4'],
    send: connect(0x02, clientId),
    answer: [accepted],
    afterwards: 'open',
  },
  {
    title: 'CleanSession 0 without a stored session gets Session Present 0',
    tags: ['MQTT3-3.2.2-3', 'MQTT3-3.1.2-4'],
    send: connect(0x00, clientId),
    answer: [accepted],
    afterwards: 'open',
  },
  {
    title: 'a ClientId of 1 byte is accepted',
    tags: ['MQTT3-3.1.3-5'],
    send: connect(0x02, text('a')),
    answer: [accepted],
    afterwards: 'open',
  },
  {
    title: 'a ClientId of 23 letters and digits is accepted',
    tags: ['MQTT3-3.1.3-5'],
    send: connect(0x02, text('0123456789abcxyzABCXYZ9')),
    answer: [accepted],
    afterwards: 'open',
  },
  {
    title: 'an empty ClientId with CleanSession 1 is accepted',
    tags: ['MQTT3-3.1.3-6', 'MQTT3-3.1.3-7'],
    send: connect(0x02, text('')),
    answer: [accepted],
    afterwards: 'open',
  },
  {
    title: 'a user name without a password is accepted',
    tags: ['MQTT3-3.1.2-19', 'MQTT3-3.1.2-20'],
    send: connect(0x82, clientId, text('user')),
    answer: [accepted],
    afterwards: 'open',
  },
  {
    title: 'a password may hold any bytes, and none at all',
    tags: ['MQTT3-3.1.2-21'],
    send: connect(0xc2, clientId, text('user'), [0, 0]),
    answer: [accepted],
    afterwards: 'open',
  },
]

/** CONNECT packets that are refused with a return code. */
export const refusedCases: readonly WireCase[] = [
  {
    title: 'protocol level 2 gets return code 1, and the connection is closed',
    tags: ['MQTT3-3.1.2-2', 'MQTT3-3.2.2-5'],
    send: packet(0x10, protocol, 2, 0x02, noKeepAlive, clientId),
    answer: [bytes(0x20, 2, 0, 1)],
    afterwards: 'closed',
  },
  {
    title: 'protocol level 0 gets return code 1, and the connection is closed',
    tags: ['MQTT3-3.1.2-2', 'MQTT3-3.2.2-5'],
    send: packet(0x10, protocol, 0, 0x02, noKeepAlive, clientId),
    answer: [bytes(0x20, 2, 0, 1)],
    afterwards: 'closed',
  },
  {
    title: 'an empty ClientId with CleanSession 0 gets return code 2, and the connection is closed',
    tags: ['MQTT3-3.1.3-7', 'MQTT3-3.1.3-8', 'MQTT3-3.2.2-5'],
    send: connect(0x00, text('')),
    answer: [bytes(0x20, 2, 0, 2)],
    afterwards: 'closed',
  },
]

/** What is closed without a word. */
export const brokenCases: readonly WireCase[] = [
  {
    title: 'PINGREQ as the first packet closes the connection',
    tags: ['MQTT3-3.1.0-1'],
    send: pingreq,
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBLISH as the first packet closes the connection, undelivered',
    tags: ['MQTT3-3.1.0-1'],
    send: publish({ version: 4, topic: 'a', qos: 1 }),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'SUBSCRIBE as the first packet closes the connection',
    tags: ['MQTT3-3.1.0-1'],
    send: subscribe({ version: 4, filters: [['a', 0]] }),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'PUBREL as the first packet closes the connection',
    tags: ['MQTT3-3.1.0-1'],
    send: pubrel(1),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'fixed header flags in CONNECT close the connection',
    tags: ['MQTT3-2.2.2-2'],
    send: packet(0x11, protocol, level, 0x02, noKeepAlive, clientId),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'protocol name MQTX closes the connection',
    tags: ['MQTT3-3.1.2-1'],
    send: packet(0x10, text('MQTX'), level, 0x02, noKeepAlive, clientId),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'protocol name in lower case closes the connection',
    tags: ['MQTT3-3.1.2-1'],
    send: packet(0x10, text('mqtt'), level, 0x02, noKeepAlive, clientId),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'the reserved Connect Flag closes the connection without CONNACK',
    tags: ['MQTT3-3.1.2-3', 'MQTT3-3.2.2-6', 'MQTT3-3.1.4-1'],
    send: connect(0x03, clientId),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'Will Flag 1 without will topic and message closes the connection',
    tags: ['MQTT3-3.1.2-9'],
    send: connect(0x06, clientId),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'Will Flag 1 without a will message closes the connection',
    tags: ['MQTT3-3.1.2-9'],
    send: connect(0x06, clientId, text('will')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a will topic and message without Will Flag close the connection',
    tags: ['MQTT3-3.1.2-11'],
    send: connect(0x02, clientId, text('will'), text('gone')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'Will QoS 1 without Will Flag closes the connection',
    tags: ['MQTT3-3.1.2-13', 'MQTT3-3.1.2-11'],
    send: connect(0x0a, clientId),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'Will QoS 2 without Will Flag closes the connection',
    tags: ['MQTT3-3.1.2-13', 'MQTT3-3.1.2-11'],
    send: connect(0x12, clientId),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'Will QoS 3 closes the connection',
    tags: ['MQTT3-3.1.2-14'],
    send: connect(0x1e, clientId, text('will'), text('gone')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'Will Retain without Will Flag closes the connection',
    tags: ['MQTT3-3.1.2-15', 'MQTT3-3.1.2-11'],
    send: connect(0x22, clientId),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a user name without User Name Flag closes the connection',
    tags: ['MQTT3-3.1.2-18'],
    send: connect(0x02, clientId, text('user')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'User Name Flag without a user name closes the connection',
    tags: ['MQTT3-3.1.2-19'],
    send: connect(0x82, clientId),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a password without Password Flag closes the connection',
    tags: ['MQTT3-3.1.2-20'],
    send: connect(0x82, clientId, text('user'), text('secret')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'Password Flag without a password closes the connection',
    tags: ['MQTT3-3.1.2-21'],
    send: connect(0xc2, clientId, text('user')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a password without a user name closes the connection',
    tags: ['MQTT3-3.1.2-22'],
    send: connect(0x42, clientId, text('secret')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'CONNECT without a ClientId closes the connection',
    tags: ['MQTT3-3.1.3-3'],
    send: connect(0x02),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a ClientId that is not UTF-8 closes the connection without CONNACK',
    tags: ['MQTT3-3.1.3-4', 'MQTT3-1.5.3-1'],
    send: connect(0x02, wrongUtf8),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a surrogate in the ClientId closes the connection',
    tags: ['MQTT3-1.5.3-1'],
    send: connect(0x02, [0, 3, 0xed, 0xa0, 0x80]), // U+D800
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'U+0000 in the ClientId closes the connection',
    tags: ['MQTT3-1.5.3-2'],
    send: connect(0x02, [0, 3, 0x61, 0, 0x62]),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a Will Topic that is not UTF-8 closes the connection',
    tags: ['MQTT3-3.1.3-10'],
    send: connect(0x06, clientId, wrongUtf8, text('gone')),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a User Name that is not UTF-8 closes the connection',
    tags: ['MQTT3-3.1.3-11'],
    send: connect(0x82, clientId, wrongUtf8),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a CONNECT that ends within the ClientId closes the connection without CONNACK',
    tags: ['MQTT3-3.1.4-1', 'MQTT3-3.2.2-6'],
    send: connect(0x02, [0, 5, 0x61]),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a CONNECT that ends within the Keep Alive closes the connection without CONNACK',
    tags: ['MQTT3-3.1.4-1', 'MQTT3-3.2.2-6'],
    send: packet(0x10, protocol, level, 0x02, 0),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'bytes behind the last field of CONNECT close the connection without CONNACK',
    tags: ['MQTT3-3.1.4-1', 'MQTT3-3.2.2-6'],
    send: connect(0x02, clientId, [0]),
    answer: [],
    afterwards: 'closed',
  },
]

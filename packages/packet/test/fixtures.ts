import type { Packet, ProtocolVersion, Sender } from '../src/index.ts'
import { bytes } from './bytes.ts'

/** A packet and its bytes, written by hand from the specification. */
export interface Fixture {
  readonly title: string
  readonly versions: readonly ProtocolVersion[]
  readonly sender: Sender
  readonly frame: Buffer
  readonly packet: Packet
  /** The bytes are valid but not those that encoding writes. */
  readonly decodeOnly?: true
}

const publish = { cmd: 'publish', dup: false, retain: false, qos: 0, topic: 'a/b' } as const

/** At least one of every packet type and version. */
export const fixtures: readonly Fixture[] = [
  {
    title: 'CONNECT of MQTT 3.1',
    versions: [3],
    sender: 'client',
    frame: bytes(
      [0x10, 15], // CONNECT, 15 bytes remain
      [0, 6, 'MQIsdp'], // protocol name
      [3, 0x02], // level 3, clean session
      [0, 60], // keep alive 60 s
      [0, 1, 'c'], // client identifier
    ),
    packet: { cmd: 'connect', protocolId: 'MQIsdp', protocolVersion: 3, clean: true, keepalive: 60, clientId: 'c' },
  },
  {
    title: 'CONNECT of MQTT 3.1.1 with everything',
    versions: [4],
    sender: 'client',
    frame: bytes(
      [0x10, 26], // CONNECT, 26 bytes remain
      [0, 4, 'MQTT'], // protocol name
      [4, 0xf6], // level 4; user name, password, will retain, will QoS 2, will, clean session
      [1, 0], // keep alive 256 s
      [0, 1, 'c'], // client identifier
      [0, 1, 'w'], // will topic
      [0, 1, 'x'], // will payload
      [0, 2, 'é'], // user name
      [0, 1, 0xff], // password, any byte
    ),
    packet: {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      keepalive: 256,
      clientId: 'c',
      will: { topic: 'w', payload: Buffer.from('x'), qos: 2, retain: true },
      username: 'é',
      password: Buffer.of(0xff),
    },
  },
  {
    title: 'CONNECT of a bridge, with an empty client identifier',
    versions: [4],
    sender: 'client',
    frame: bytes(
      [0x10, 12], // CONNECT, 12 bytes remain
      [0, 4, 'MQTT'], // protocol name
      [0x84, 0x02], // level 4 of a bridge, clean session
      [0, 0], // no keep alive
      [0, 0], // client identifier ''
    ),
    packet: {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      bridgeMode: true,
      clean: true,
      keepalive: 0,
      clientId: '',
    },
  },
  {
    title: 'CONNECT of MQTT 5 with every property',
    versions: [5],
    sender: 'client',
    frame: bytes(
      [0x10, 116], // CONNECT, 116 bytes remain
      [0, 4, 'MQTT'], // protocol name
      [5, 0x0e], // level 5; will QoS 1, will, clean start
      [0, 60], // keep alive 60 s
      45, // 45 bytes of properties
      [0x11, 0, 0, 0, 10], // session expiry interval 10 s
      [0x21, 0, 20], // receive maximum 20
      [0x27, 0, 1, 0, 0], // maximum packet size 65536 bytes
      [0x22, 0, 5], // topic alias maximum 5
      [0x19, 1], // request response information
      [0x17, 0], // no problem information
      [0x26, 0, 1, 'k', 0, 1, 'v'], // user property k = v
      [0x15, 0, 5, 'PLAIN'], // authentication method
      [0x16, 0, 2, 1, 2], // authentication data
      [0x26, 0, 0, 0, 0], // user property '' = ''
      [0, 1, 'c'], // client identifier
      44, // 44 bytes of will properties
      [0x18, 0, 0, 0, 7], // will delay interval 7 s
      [0x01, 1], // payload format indicator: UTF-8
      [0x02, 0, 0, 0, 9], // message expiry interval 9 s
      [0x03, 0, 4, 'text'], // content type
      [0x08, 0, 3, 'r/t'], // response topic
      [0x09, 0, 1, 0xfe], // correlation data
      [0x26, 0, 1, 'n', 0, 1, 'm'], // user property n = m
      [0x26, 0, 1, 'o', 0, 2, 'pq'], // user property o = pq
      [0, 3, 'w/t'], // will topic
      [0, 5, 'hello'], // will payload
    ),
    packet: {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clean: true,
      keepalive: 60,
      properties: {
        sessionExpiryInterval: 10,
        receiveMaximum: 20,
        maximumPacketSize: 65_536,
        topicAliasMaximum: 5,
        requestResponseInformation: true,
        requestProblemInformation: false,
        userProperties: { k: 'v', '': '' },
        authenticationMethod: 'PLAIN',
        authenticationData: Buffer.of(1, 2),
      },
      clientId: 'c',
      will: {
        retain: false,
        qos: 1,
        properties: {
          willDelayInterval: 7,
          payloadFormatIndicator: true,
          messageExpiryInterval: 9,
          contentType: 'text',
          responseTopic: 'r/t',
          correlationData: Buffer.of(0xfe),
          userProperties: { n: 'm', o: 'pq' },
        },
        topic: 'w/t',
        payload: Buffer.from('hello'),
      },
    },
    decodeOnly: true, // the object does not hold where a user property stood
  },
  {
    title: 'CONNECT of MQTT 5 with a password alone and no clean start',
    versions: [5],
    sender: 'client',
    frame: bytes(
      [0x10, 16], // CONNECT, 16 bytes remain
      [0, 4, 'MQTT'], // protocol name
      [5, 0x40], // level 5, password
      [0, 0], // no keep alive
      0, // no properties
      [0, 0], // client identifier ''
      [0, 1, 'p'], // password
    ),
    packet: {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clean: false,
      keepalive: 0,
      clientId: '',
      password: Buffer.from('p'),
    },
    decodeOnly: true, // mqtt-packet writes neither
  },
  {
    title: 'CONNACK with Session Present',
    versions: [3, 4],
    sender: 'server',
    frame: bytes(0x20, 2, 1, 0), // CONNACK, 2 bytes remain, session present, accepted
    packet: { cmd: 'connack', sessionPresent: true, returnCode: 0 },
  },
  {
    title: 'CONNACK that refuses',
    versions: [3, 4],
    sender: 'server',
    frame: bytes(0x20, 2, 0, 5), // CONNACK, 2 bytes remain, no session, not authorized
    packet: { cmd: 'connack', sessionPresent: false, returnCode: 5 },
  },
  {
    title: 'CONNACK of MQTT 5 with every property',
    versions: [5],
    sender: 'server',
    frame: bytes(
      [0x20, 74], // CONNACK, 74 bytes remain
      [0, 0], // no session, success
      71, // 71 bytes of properties
      [0x11, 0, 0, 1, 0], // session expiry interval 256 s
      [0x21, 0, 9], // receive maximum 9
      [0x24, 1], // maximum QoS 1
      [0x25, 0], // no retain
      [0x27, 0, 0, 4, 0], // maximum packet size 1024 bytes
      [0x12, 0, 1, 'i'], // assigned client identifier
      [0x22, 0, 3], // topic alias maximum 3
      [0x1f, 0, 2, 'ok'], // reason string
      [0x26, 0, 1, 'k', 0, 1, 'v'], // user property k = v
      [0x28, 1], // wildcard subscriptions available
      [0x29, 0], // no subscription identifiers
      [0x2a, 1], // shared subscriptions available
      [0x13, 0, 30], // server keep alive 30 s
      [0x1a, 0, 3, 'r/i'], // response information
      [0x1c, 0, 5, 'other'], // server reference
      [0x15, 0, 5, 'PLAIN'], // authentication method
      [0x16, 0, 1, 7], // authentication data
    ),
    packet: {
      cmd: 'connack',
      sessionPresent: false,
      reasonCode: 0,
      properties: {
        sessionExpiryInterval: 256,
        receiveMaximum: 9,
        maximumQoS: 1,
        retainAvailable: false,
        maximumPacketSize: 1024,
        assignedClientIdentifier: 'i',
        topicAliasMaximum: 3,
        reasonString: 'ok',
        userProperties: { k: 'v' },
        wildcardSubscriptionAvailable: true,
        subscriptionIdentifiersAvailable: false,
        sharedSubscriptionAvailable: true,
        serverKeepAlive: 30,
        responseInformation: 'r/i',
        serverReference: 'other',
        authenticationMethod: 'PLAIN',
        authenticationData: Buffer.of(7),
      },
    },
  },
  {
    title: 'PUBLISH of QoS 0 with an empty payload',
    versions: [3, 4],
    sender: 'client',
    frame: bytes(0x30, 5, 0, 3, 'a/b'), // PUBLISH, 5 bytes remain, topic
    packet: { ...publish, payload: Buffer.alloc(0) },
  },
  {
    title: 'PUBLISH of QoS 1, repeated and retained',
    versions: [3, 4],
    sender: 'server',
    frame: bytes(
      [0x3b, 9], // PUBLISH, DUP, QoS 1, RETAIN, 9 bytes remain
      [0, 3, 'a/b'], // topic
      [1, 2], // packet identifier 258
      '!!', // payload
    ),
    packet: { ...publish, qos: 1, dup: true, retain: true, messageId: 258, payload: Buffer.from('!!') },
  },
  {
    title: 'PUBLISH whose remaining length takes two bytes',
    versions: [3, 4],
    sender: 'client',
    frame: bytes(
      [0x30, 0x80, 0x01], // PUBLISH, 128 bytes remain
      [0, 3, 'a/b'], // topic
      'x'.repeat(123), // payload
    ),
    packet: { ...publish, payload: Buffer.alloc(123, 'x') },
  },
  {
    title: 'PUBLISH of MQTT 5 without properties',
    versions: [5],
    sender: 'client',
    frame: bytes(
      [0x34, 9], // PUBLISH, QoS 2, 9 bytes remain
      [0, 3, 'a/b'], // topic
      [0, 10], // packet identifier 10
      [0, '!'], // no properties, payload
    ),
    packet: { ...publish, qos: 2, messageId: 10, payload: Buffer.from('!') },
  },
  {
    title: 'PUBLISH of MQTT 5 with every property a client may send',
    versions: [5],
    sender: 'client',
    frame: bytes(
      [0x30, 49], // PUBLISH, 49 bytes remain
      [0, 3, 'a/b'], // topic
      42, // 42 bytes of properties
      [0x01, 1], // payload format indicator: UTF-8
      [0x02, 0, 0, 0x0e, 0x10], // message expiry interval 3600 s
      [0x23, 0, 4], // topic alias 4
      [0x08, 0, 3, 'r/t'], // response topic
      [0x09, 0, 2, 0, 1], // correlation data
      [0x26, 0, 1, 'k', 0, 1, '1'], // user property k = 1
      [0x26, 0, 1, 'k', 0, 1, '2'], // user property k = 2
      [0x03, 0, 4, 'text'], // content type
      '!', // payload
    ),
    packet: {
      ...publish,
      properties: {
        payloadFormatIndicator: true,
        messageExpiryInterval: 3600,
        topicAlias: 4,
        responseTopic: 'r/t',
        correlationData: Buffer.of(0, 1),
        userProperties: { k: ['1', '2'] },
        contentType: 'text',
      },
      payload: Buffer.from('!'),
    },
  },
  {
    title: 'PUBLISH of MQTT 5 with two subscription identifiers',
    versions: [5],
    sender: 'server',
    frame: bytes(
      [0x30, 12], // PUBLISH, 12 bytes remain
      [0, 3, 'a/b'], // topic
      5, // 5 bytes of properties
      [0x0b, 1], // subscription identifier 1
      [0x0b, 0x80, 0x01], // subscription identifier 128
      '!', // payload
    ),
    packet: { ...publish, properties: { subscriptionIdentifier: [1, 128] }, payload: Buffer.from('!') },
  },
  {
    title: 'PUBACK',
    versions: [3, 4],
    sender: 'client',
    frame: bytes(0x40, 2, 0, 10), // PUBACK, 2 bytes remain, packet identifier 10
    packet: { cmd: 'puback', messageId: 10 },
  },
  {
    title: 'PUBREC',
    versions: [3, 4],
    sender: 'client',
    frame: bytes(0x50, 2, 0xff, 0xff), // PUBREC, 2 bytes remain, packet identifier 65535
    packet: { cmd: 'pubrec', messageId: 65_535 },
  },
  {
    title: 'PUBREL',
    versions: [3, 4],
    sender: 'client',
    frame: bytes(0x62, 2, 0, 1), // PUBREL, 2 bytes remain, packet identifier 1
    packet: { cmd: 'pubrel', messageId: 1 },
  },
  {
    title: 'PUBCOMP',
    versions: [3, 4],
    sender: 'client',
    frame: bytes(0x70, 2, 0, 1), // PUBCOMP, 2 bytes remain, packet identifier 1
    packet: { cmd: 'pubcomp', messageId: 1 },
  },
  {
    title: 'PUBACK of MQTT 5 without a reason code',
    versions: [5],
    sender: 'client',
    frame: bytes(0x40, 2, 0, 10), // PUBACK, 2 bytes remain, packet identifier 10
    packet: { cmd: 'puback', messageId: 10, reasonCode: 0 },
  },
  {
    title: 'PUBREC of MQTT 5 with a reason code',
    versions: [5],
    sender: 'client',
    frame: bytes(0x50, 3, 0, 10, 0x97), // PUBREC, 3 bytes remain, packet identifier 10, quota exceeded
    packet: { cmd: 'pubrec', messageId: 10, reasonCode: 0x97 },
  },
  {
    title: 'PUBREL of MQTT 5 with properties',
    versions: [5],
    sender: 'client',
    frame: bytes(
      [0x62, 16], // PUBREL, 16 bytes remain
      [0, 10], // packet identifier 10
      [0x92, 12], // packet identifier not found, 12 bytes of properties
      [0x1f, 0, 2, 'no'], // reason string
      [0x26, 0, 1, 'k', 0, 1, 'v'], // user property k = v
    ),
    packet: {
      cmd: 'pubrel',
      messageId: 10,
      reasonCode: 0x92,
      properties: { reasonString: 'no', userProperties: { k: 'v' } },
    },
  },
  {
    title: 'PUBCOMP of MQTT 5 with an empty property list',
    versions: [5],
    sender: 'client',
    frame: bytes(0x70, 4, 0, 10, 0, 0), // PUBCOMP, 4 bytes remain, packet identifier 10, success, no properties
    packet: { cmd: 'pubcomp', messageId: 10, reasonCode: 0 },
    decodeOnly: true,
  },
  {
    title: 'SUBSCRIBE',
    versions: [3, 4],
    sender: 'client',
    frame: bytes(
      [0x82, 12], // SUBSCRIBE, 12 bytes remain
      [0, 10], // packet identifier 10
      [0, 1, '#', 0], // topic filter, QoS 0
      [0, 3, 'a/+', 2], // topic filter, QoS 2
    ),
    packet: {
      cmd: 'subscribe',
      messageId: 10,
      subscriptions: [
        { topic: '#', qos: 0 },
        { topic: 'a/+', qos: 2 },
      ],
    },
  },
  {
    title: 'SUBSCRIBE of MQTT 5',
    versions: [5],
    sender: 'client',
    frame: bytes(
      [0x82, 18], // SUBSCRIBE, 18 bytes remain
      [0, 10], // packet identifier 10
      9, // 9 bytes of properties
      [0x0b, 5], // subscription identifier 5
      [0x26, 0, 1, 'k', 0, 1, 'v'], // user property k = v
      [0, 3, 'a/+', 0x2d], // topic filter; QoS 1, no local, retain as published, retain handling 2
    ),
    packet: {
      cmd: 'subscribe',
      messageId: 10,
      properties: { subscriptionIdentifier: 5, userProperties: { k: 'v' } },
      subscriptions: [{ topic: 'a/+', qos: 1, nl: true, rap: true, rh: 2 }],
    },
  },
  {
    title: 'SUBACK',
    versions: [3, 4],
    sender: 'server',
    frame: bytes(0x90, 4, 0, 10, 2, 0x80), // SUBACK, 4 bytes remain, packet identifier 10, QoS 2, failure
    packet: { cmd: 'suback', messageId: 10, granted: [2, 0x80] },
  },
  {
    title: 'SUBACK of MQTT 5',
    versions: [5],
    sender: 'server',
    frame: bytes(
      [0x90, 10], // SUBACK, 10 bytes remain
      [0, 10], // packet identifier 10
      [5, 0x1f, 0, 2, 'no'], // 5 bytes of properties: reason string
      [1, 0x87], // QoS 1, not authorized
    ),
    packet: { cmd: 'suback', messageId: 10, properties: { reasonString: 'no' }, granted: [1, 0x87] },
  },
  {
    title: 'UNSUBSCRIBE',
    versions: [3, 4],
    sender: 'client',
    frame: bytes(0xa2, 10, 0, 10, 0, 1, '#', 0, 3, 'a/+'), // UNSUBSCRIBE, 10 bytes remain, identifier 10, two filters
    packet: { cmd: 'unsubscribe', messageId: 10, unsubscriptions: ['#', 'a/+'] },
  },
  {
    title: 'UNSUBSCRIBE of MQTT 5',
    versions: [5],
    sender: 'client',
    frame: bytes(
      [0xa2, 13], // UNSUBSCRIBE, 13 bytes remain
      [0, 10], // packet identifier 10
      [7, 0x26, 0, 1, 'k', 0, 1, 'v'], // 7 bytes of properties: user property k = v
      [0, 1, '#'], // topic filter
    ),
    packet: { cmd: 'unsubscribe', messageId: 10, properties: { userProperties: { k: 'v' } }, unsubscriptions: ['#'] },
  },
  {
    title: 'UNSUBACK',
    versions: [3, 4],
    sender: 'server',
    frame: bytes(0xb0, 2, 0, 10), // UNSUBACK, 2 bytes remain, packet identifier 10
    packet: { cmd: 'unsuback', messageId: 10 },
  },
  {
    title: 'UNSUBACK of MQTT 5',
    versions: [5],
    sender: 'server',
    frame: bytes(0xb0, 5, 0, 10, 0, 0, 0x11), // UNSUBACK, 5 bytes remain, identifier 10, no properties, success, none existed
    packet: { cmd: 'unsuback', messageId: 10, granted: [0, 0x11] },
  },
  {
    title: 'PINGREQ',
    versions: [3, 4, 5],
    sender: 'client',
    frame: bytes(0xc0, 0), // PINGREQ, 0 bytes remain
    packet: { cmd: 'pingreq' },
  },
  {
    title: 'PINGRESP',
    versions: [3, 4, 5],
    sender: 'server',
    frame: bytes(0xd0, 0), // PINGRESP, 0 bytes remain
    packet: { cmd: 'pingresp' },
  },
  {
    title: 'DISCONNECT',
    versions: [3, 4],
    sender: 'client',
    frame: bytes(0xe0, 0), // DISCONNECT, 0 bytes remain
    packet: { cmd: 'disconnect' },
  },
  {
    title: 'DISCONNECT of MQTT 5 without a body',
    versions: [5],
    sender: 'client',
    frame: bytes(0xe0, 0), // DISCONNECT, 0 bytes remain
    packet: { cmd: 'disconnect', reasonCode: 0 },
    decodeOnly: true,
  },
  {
    title: 'DISCONNECT of MQTT 5 with a reason code alone',
    versions: [5],
    sender: 'client',
    frame: bytes(0xe0, 1, 4), // DISCONNECT, 1 byte remains, disconnect with will message
    packet: { cmd: 'disconnect', reasonCode: 4 },
    decodeOnly: true,
  },
  {
    title: 'DISCONNECT of MQTT 5 with every property',
    versions: [5],
    sender: 'server',
    frame: bytes(
      [0xe0, 22], // DISCONNECT, 22 bytes remain
      [0x9c, 20], // use another server, 20 bytes of properties
      [0x11, 0, 0, 0, 1], // session expiry interval 1 s
      [0x1f, 0, 1, 'r'], // reason string
      [0x26, 0, 1, 'k', 0, 1, 'v'], // user property k = v
      [0x1c, 0, 1, 's'], // server reference
    ),
    packet: {
      cmd: 'disconnect',
      reasonCode: 0x9c,
      properties: {
        sessionExpiryInterval: 1,
        reasonString: 'r',
        userProperties: { k: 'v' },
        serverReference: 's',
      },
    },
  },
  {
    title: 'AUTH without a body',
    versions: [5],
    sender: 'server',
    frame: bytes(0xf0, 0), // AUTH, 0 bytes remain
    packet: { cmd: 'auth', reasonCode: 0 },
    decodeOnly: true,
  },
  {
    title: 'AUTH with every property',
    versions: [5],
    sender: 'client',
    frame: bytes(
      [0xf0, 22], // AUTH, 22 bytes remain
      [0x18, 20], // continue authentication, 20 bytes of properties
      [0x15, 0, 3, 'abc'], // authentication method
      [0x16, 0, 2, 0, 255], // authentication data
      [0x1f, 0, 1, 'r'], // reason string
      [0x26, 0, 0, 0, 0], // user property '' = ''
    ),
    packet: {
      cmd: 'auth',
      reasonCode: 0x18,
      properties: {
        authenticationMethod: 'abc',
        authenticationData: Buffer.of(0, 255),
        reasonString: 'r',
        userProperties: { '': '' },
      },
    },
  },
]

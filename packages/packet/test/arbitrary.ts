import * as fc from 'fast-check'
import type { Packet, ProtocolVersion } from '../src/index.ts'

const u16 = fc.integer({ min: 0, max: 0xffff })
const positive = fc.integer({ min: 1, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const)
const binary = fc.uint8Array({ maxLength: 20 }).map(array => Buffer.from(array))
/** Any string that MQTT allows, with all lengths of UTF-8 and names that objects have. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', '/', '1', 'é', '€', '🙂', '\uFEFF', '\u0001'), maxLength: 12 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', ''),
)
const topic = text.filter(value => value.length > 0)
/** Without empty values: mqtt-packet loses those of repeated names. A list has two values at least, as decoding makes it. */
const userProperties = fc
  .array(fc.tuple(text, fc.oneof(topic, fc.array(topic, { minLength: 2, maxLength: 3 }))), {
    minLength: 1,
    maxLength: 3,
  })
  .map(entries => Object.fromEntries(new Map(entries)))

const optional = <T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(model, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>

const ackProperties = optional({ reasonString: text, userProperties })
const messageProperties = {
  payloadFormatIndicator: fc.boolean(),
  messageExpiryInterval: u32,
  contentType: text,
  responseTopic: topic,
  correlationData: binary,
  userProperties,
}

/** The properties as a packet has them: absent before MQTT 5 and when there are none. */
function withProperties<T extends object>(
  version: ProtocolVersion,
  packet: fc.Arbitrary<T>,
  properties: fc.Arbitrary<object>,
): fc.Arbitrary<T> {
  if (version !== 5) return packet
  return fc.tuple(packet, properties).map(([fields, values]) => {
    return Object.keys(values).length > 0 ? Object.assign(fields, { properties: values }) : fields
  })
}

function will(version: ProtocolVersion): fc.Arbitrary<object> {
  const fields = fc.record({ topic, payload: binary, qos, retain: fc.boolean() })
  return withProperties(version, fields, optional({ ...messageProperties, willDelayInterval: u32 }))
}

function connect(version: ProtocolVersion): fc.Arbitrary<object> {
  const fields = fc
    .record(
      {
        cmd: fc.constant('connect'),
        protocolId: fc.constant(version === 3 ? 'MQIsdp' : 'MQTT'),
        protocolVersion: fc.constant(version),
        clean: fc.boolean(),
        keepalive: u16,
        clientId: topic,
        will: will(version),
        username: text,
        password: binary,
      },
      { requiredKeys: ['cmd', 'protocolId', 'protocolVersion', 'clean', 'keepalive', 'clientId'] },
    )
    .filter(packet => packet.password === undefined || packet.username !== undefined)
  const numbers = {
    sessionExpiryInterval: u32,
    receiveMaximum: positive,
    maximumPacketSize: positive,
    topicAliasMaximum: u16,
  }
  const flags = { requestResponseInformation: fc.boolean(), requestProblemInformation: fc.boolean() }
  return withProperties(version, fields, optional({ ...numbers, ...flags, userProperties, authenticationMethod: text }))
}

function connack(version: ProtocolVersion): fc.Arbitrary<object> {
  const code =
    version === 5
      ? fc.record({
          cmd: fc.constant('connack'),
          sessionPresent: fc.constant(false),
          reasonCode: fc.constantFrom(0, 0x87),
        })
      : fc.record({
          cmd: fc.constant('connack'),
          sessionPresent: fc.constant(false),
          returnCode: fc.integer({ min: 0, max: 5 }),
        })
  const numbers = { sessionExpiryInterval: u32, receiveMaximum: positive, maximumQoS: fc.constantFrom(0, 1) }
  const more = { serverKeepAlive: u16, topicAliasMaximum: u16, retainAvailable: fc.boolean() }
  const texts = { assignedClientIdentifier: text, reasonString: text, serverReference: text, responseInformation: text }
  return withProperties(
    version,
    code as fc.Arbitrary<object>,
    optional({ ...numbers, ...more, ...texts, userProperties }),
  )
}

function publish(version: ProtocolVersion): fc.Arbitrary<object> {
  const fields = fc.record({
    cmd: fc.constant('publish'),
    topic,
    payload: binary,
    retain: fc.boolean(),
    dup: fc.boolean(),
    qos,
  })
  const identified = fc.tuple(fields, positive).map(([packet, messageId]) => {
    return Object.assign(packet, packet.qos === 0 ? { dup: false } : { messageId })
  })
  const identifier = fc.integer({ min: 1, max: 268_435_455 })
  const subscriptionIdentifier = fc.oneof(identifier, fc.array(identifier, { minLength: 2, maxLength: 4 }))
  return withProperties(
    version,
    identified,
    optional({ ...messageProperties, topicAlias: positive, subscriptionIdentifier }),
  )
}

function ack(version: ProtocolVersion, cmd: string, codes: readonly number[]): fc.Arbitrary<object> {
  const fields =
    version === 5
      ? fc.record({ cmd: fc.constant(cmd), messageId: positive, reasonCode: fc.constantFrom(...codes) })
      : fc.record({ cmd: fc.constant(cmd), messageId: positive })
  return withProperties(version, fields as fc.Arbitrary<object>, ackProperties)
}

function subscribe(version: ProtocolVersion): fc.Arbitrary<object> {
  const options = { nl: fc.boolean(), rap: fc.boolean(), rh: fc.integer({ min: 0, max: 2 }) }
  const subscription = fc.record(version === 5 ? { topic, qos, ...options } : { topic, qos })
  const subscriptions = fc.array(subscription, { minLength: 1, maxLength: 4 })
  const fields = fc.record({ cmd: fc.constant('subscribe'), messageId: positive, subscriptions })
  const subscriptionIdentifier = fc.integer({ min: 1, max: 268_435_455 })
  return withProperties(version, fields, optional({ subscriptionIdentifier, userProperties }))
}

function granted(version: ProtocolVersion, cmd: string, codes: readonly number[]): fc.Arbitrary<object> {
  const list = fc.array(fc.constantFrom(...codes), { minLength: 1, maxLength: 4 })
  const fields = fc.record({ cmd: fc.constant(cmd), messageId: positive, granted: list })
  return withProperties(version, fields, ackProperties)
}

function unsubscribe(version: ProtocolVersion): fc.Arbitrary<object> {
  const unsubscriptions = fc.array(topic, { minLength: 1, maxLength: 4 })
  const fields = fc.record({ cmd: fc.constant('unsubscribe'), messageId: positive, unsubscriptions })
  return withProperties(version, fields, optional({ userProperties }))
}

const disconnect = withProperties(
  5,
  fc.record({ cmd: fc.constant('disconnect'), reasonCode: fc.constantFrom(0, 4, 0x82, 0x8e, 0xa2) }),
  optional({ sessionExpiryInterval: u32, reasonString: text, userProperties, serverReference: text }),
)

const auth = fc.record({
  cmd: fc.constant('auth'),
  reasonCode: fc.constantFrom(0, 0x18, 0x19),
  properties: fc.record({ authenticationMethod: text, authenticationData: binary, userProperties }),
})

const bare = (cmd: string): fc.Arbitrary<object> => fc.constant({ cmd })

/** Any packet of a version that both mqtt-packet and the specification allow. */
export function packets(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const always = [
    connect(version),
    connack(version),
    publish(version),
    ack(version, 'puback', [0, 0x10, 0x87]),
    ack(version, 'pubrec', [0, 0x83, 0x97]),
    ack(version, 'pubrel', [0, 0x92]),
    ack(version, 'pubcomp', [0, 0x92]),
    subscribe(version),
    granted(version, 'suback', version === 5 ? [0, 1, 2, 0x80, 0xa2] : [0, 1, 2, 0x80]),
    unsubscribe(version),
    version === 5 ? granted(5, 'unsuback', [0, 0x11, 0x80]) : ack(version, 'unsuback', [0]),
    bare('pingreq'),
    bare('pingresp'),
  ]
  const ofVersion = version === 5 ? [disconnect, auth] : [bare('disconnect')]
  return fc.oneof(...always, ...ofVersion) as fc.Arbitrary<Packet>
}

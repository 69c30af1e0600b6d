import { encode } from '@x/packet'
import type { ConnackProperties, DisconnectPacket, Packet, ProtocolVersion } from '@x/packet'
import { BrokerError, asReasonString, reasonStringOf, serverReferenceOf } from '../ground/broker-error.ts'
import { ReasonCode, codeFor } from '../ground/reason-code.ts'
import type { Ending } from './ending.ts'

/** Encodes a control packet. One that exceeds `limit` bytes is encoded without its reason string and user properties
 * ([MQTT5-3.2.2-19] and its like). Returns the error when it still exceeds the limit. */
export function encodeControl(packet: Packet, version: ProtocolVersion, limit: number): Uint8Array | BrokerError {
  const whole = shortest(packet, encode(packet, version))
  if (whole.length <= limit) return whole
  const wordless = withoutWords(packet)
  const bytes = shortest(wordless, encode(wordless, version))
  if (bytes.length <= limit) return bytes
  return new BrokerError('MAXIMUM_PACKET_SIZE', {
    message: `${packet.cmd.toUpperCase()} of ${bytes.length} bytes exceeds the client's Maximum Packet Size of ${limit} bytes`,
    reasonCode: ReasonCode.packetTooLarge,
  })
}

/** Packets that may end before their Property Length when they have no properties. MQTT 5.0 §3.4.2.2.1, §3.14.2.2.1, §3.15.2.2.1 */
const shortened: ReadonlySet<string> = new Set(['puback', 'pubrec', 'pubrel', 'pubcomp', 'disconnect', 'auth'])

/** The bytes without a Property Length of 0, where it may be missing: Mosquitto's form, and the one of few bytes. */
function shortest(packet: Packet, bytes: Uint8Array): Uint8Array {
  const remaining = bytes[1]
  if (!shortened.has(packet.cmd) || remaining === undefined || remaining < 2 || bytes.length !== remaining + 2)
    return bytes
  if ('properties' in packet && Object.keys(packet.properties ?? {}).length > 0) return bytes
  const hasPropertyLength =
    bytes.at(-1) === 0 && (packet.cmd === 'disconnect' || packet.cmd === 'auth' || remaining > 3)
  if (!hasPropertyLength) return bytes
  const short = bytes.slice(0, -1)
  short[1] = remaining - 1
  return short
}

/** The DISCONNECT that tells an MQTT 5 client why its connection ends; undefined when it is told nothing. */
export function disconnectPacket(
  ending: Ending,
  { reasonStrings }: { readonly reasonStrings: boolean },
): DisconnectPacket | undefined {
  const { error, reasonCode, serverReference = serverReferenceOf(error).serverReference } = ending
  if (reasonCode === undefined) return undefined
  const properties = {
    // Always allowed on DISCONNECT ([MQTT5-3.1.2-29]).
    ...(error && reasonStrings && { reasonString: reasonStringOf(error) }),
    ...(serverReference !== undefined && { serverReference: asReasonString(serverReference) }),
  }
  return { cmd: 'disconnect', reasonCode: codeFor('disconnect', reasonCode), properties }
}

/** Removes what every packet may leave out. */
function withoutWords(packet: Packet): Packet {
  if (!('properties' in packet) || packet.properties === undefined) return packet
  const { reasonString: _text, userProperties: _pairs, ...properties } = packet.properties as ConnackProperties
  return { ...packet, properties } as Packet
}

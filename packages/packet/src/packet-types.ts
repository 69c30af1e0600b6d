import type { ProtocolVersion } from './packet.ts'
import { PacketError } from './packet-error.ts'

interface PacketTypeRow {
  readonly cmd: string
  /** The low four bits of the first byte; undefined where they carry information. */
  readonly flags: number | undefined
}

/** The packet types by the high four bits of the first byte, with the flags they must have (MQTT 5.0 §2.1.2, §2.1.3). */
export const packetTypeTable = {
  1: { cmd: 'connect', flags: 0 },
  2: { cmd: 'connack', flags: 0 },
  3: { cmd: 'publish', flags: undefined },
  4: { cmd: 'puback', flags: 0 },
  5: { cmd: 'pubrec', flags: 0 },
  6: { cmd: 'pubrel', flags: 2 },
  7: { cmd: 'pubcomp', flags: 0 },
  8: { cmd: 'subscribe', flags: 2 },
  9: { cmd: 'suback', flags: 0 },
  10: { cmd: 'unsubscribe', flags: 2 },
  11: { cmd: 'unsuback', flags: 0 },
  12: { cmd: 'pingreq', flags: 0 },
  13: { cmd: 'pingresp', flags: 0 },
  14: { cmd: 'disconnect', flags: 0 },
  15: { cmd: 'auth', flags: 0 },
} as const

/** A packet type as the high four bits of the first byte hold it. */
export type PacketType = keyof typeof packetTypeTable

/** The name of a packet type, as in the `cmd` of a packet. */
export type PacketCommand = (typeof packetTypeTable)[PacketType]['cmd']

/** First bytes of packets whose first byte is always the same. */
export const packetHeader = {
  CONNECT: 0x10,
  CONNACK: 0x20,
  /** QoS 0, neither DUP nor RETAIN. */
  PUBLISH: 0x30,
  PUBACK: 0x40,
  PUBREC: 0x50,
  PUBREL: 0x62,
  PUBCOMP: 0x70,
  SUBSCRIBE: 0x82,
  SUBACK: 0x90,
  UNSUBSCRIBE: 0xa2,
  UNSUBACK: 0xb0,
  PINGREQ: 0xc0,
  PINGRESP: 0xd0,
  DISCONNECT: 0xe0,
  AUTH: 0xf0,
} as const

/** Name of the packet that starts with this byte, or undefined for type 0. */
export function commandOf(header: number): PacketCommand | undefined {
  const rows: Readonly<Record<number, { readonly cmd: PacketCommand } | undefined>> = packetTypeTable
  return rows[header >> 4]?.cmd
}

/** What is wrong with a first byte, or undefined. In MQTT 3.1 a repeated PUBREL, SUBSCRIBE and UNSUBSCRIBE carry DUP, and flags of
 * packets that have no use for them are ignored. MQTT 3.1 §2.1 */
export function headerError(header: number, version: ProtocolVersion): PacketError | undefined {
  const rows: Readonly<Record<number, PacketTypeRow | undefined>> = packetTypeTable
  const row = rows[header >> 4]
  if (row === undefined)
    return new PacketError('UNKNOWN_PACKET_TYPE', { message: 'Not supported packet type 0', offset: 0 })
  if (row.flags === undefined) {
    if ((header & 0x06) !== 0x06) return undefined
    return new PacketError('QOS_INVALID', { message: 'Packet must not have both QoS bits set to 1', offset: 0 }) // [MQTT5-3.3.1-4]
  }
  if (version === 3 || row.flags === (header & 0x0f)) return undefined
  const required = `must be 0x${row.flags.toString(16)} for ${row.cmd} packet`
  return new PacketError('RESERVED_BITS', { message: `Invalid header flag bits, ${required}`, offset: 0 }) // [MQTT5-2.1.3-1]
}

/** The first byte with the flags that the packet must have from MQTT 3.1.1 on; undefined for PUBLISH, whose flags mean something. */
export function strictHeader(header: number): number | undefined {
  const rows: Readonly<Record<number, PacketTypeRow | undefined>> = packetTypeTable
  const flags = rows[header >> 4]?.flags
  return flags === undefined ? undefined : (header & 0xf0) | flags
}

/** 1 for each first byte that no packet may have, so that the hot path looks once. The version that a CONNECT goes by stands behind
 * its flags, so they are looked at later. */
function refusedHeaders(version: ProtocolVersion): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, header) =>
    header >> 4 === 1 || headerError(header, version) === undefined ? 0 : 1,
  )
}

/** For each first byte of a packet in MQTT 3.1.1 and 5.0: 1 if no packet may begin with it. */
export const refusedHeader: Uint8Array = refusedHeaders(4)
/** The same for MQTT 3.1. */
export const refusedHeader31: Uint8Array = refusedHeaders(3)

import { checkControl, type ControlLayout } from './control-check.ts'
import { ControlParser } from './control-parser.ts'
import type { PropertyRange } from './control-cursor.ts'
import { type FilterListSettings, readFilterList } from './filter-list.ts'
import type { AuthPacket, Packet, ProtocolVersion } from './packet.ts'
import type { UserProperties } from './packet-properties.ts'
import { commandOf, strictHeader } from './packet-types.ts'
import { readProperties } from './properties.ts'
import { copyProperties, endOfFirst, USER_PROPERTY, WILL_ONLY_PROPERTIES } from './property-copy.ts'
import { bodyOffset, variableIntegerSize, writeVariableInteger } from './variable-integer.ts'

/** Shared by all connections: it holds nothing from one call to the next. */
const parser: ControlParser = new ControlParser()

/** Decodes a whole frame of any type but PUBLISH after checking all of it.
 *
 * A CONNECT brings its own version; of the others `version` is the connection's. Buffers of CONNECT, CONNACK and AUTH belong to
 * the packet and do not hold on to `frame`. Which side may send what, and what a topic may look like, is the caller's to check.
 * @throws PacketError with an offset within the frame. */
export function decodeControl(frame: Buffer, version: ProtocolVersion, settings?: FilterListSettings): Packet {
  const command = commandOf(frame[0] ?? 0)
  if (command === 'subscribe' || command === 'unsubscribe') return readFilterList(frame, version, settings)
  const layout = checkControl(frame, version, settings)
  if (layout.command === 'auth' && layout.length === 0) return successfulAuth()
  const bytes = strictBytes(frame, layout)
  const packet = parser.parse(withFewUserProperties(bytes, layout), { protocolVersion: version })
  packet.length = layout.length
  for (const range of layout.ranges) restoreUserProperties(packet, frame, range)
  return packet
}

/** The property list of the will of a valid MQTT 5 CONNECT as it goes into the will's PUBLISH: in wire form, without will delay
 * interval and message expiry interval, the user properties in their order. Undefined when there is none.
 * @see MQTT 5.0 §3.1.3.2 */
export function willProperties(frame: Buffer): Uint8Array | undefined {
  const range = checkControl(frame, 5).ranges.find(({ packet }) => packet === 'will')
  return range && copyProperties(frame, range.start, range.end, WILL_ONLY_PROPERTIES)
}

/** The bytes as mqtt-packet takes them: without the flags that MQTT 3.1 ignores. */
function strictBytes(frame: Buffer, layout: ControlLayout): Buffer {
  const { connect } = layout
  const header = strictHeader(frame[0] as number) as number
  if (!holdsBinary(layout) && header === frame[0]) return frame
  const copy = ownCopy(frame)
  copy[0] = header
  if (connect !== undefined) copy[connect.flagsOffset] = connect.flags
  return copy
}

function holdsBinary(layout: ControlLayout): boolean {
  return layout.command === 'connect' || layout.command === 'connack' || layout.command === 'auth'
}

/** Not from the pool: a will lives as long as its session, and would keep a pool's 8 KB for its few bytes. */
function ownCopy(frame: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(frame.length)
  frame.copy(copy)
  return copy
}

/** mqtt-packet refuses the short form (MQTT 5.0 §3.15.2.1). */
function successfulAuth(): AuthPacket {
  const fields = { retain: false, qos: 0, dup: false, length: 0, topic: null, payload: null } as const
  return { cmd: 'auth', ...fields, reasonCode: 0 }
}

/** The frame with all user properties but the first of each list taken out: mqtt-packet takes a microsecond for each, and loses an empty
 * value when a name comes again. In memory of its own. */
function withFewUserProperties(frame: Buffer, { ranges }: ControlLayout): Buffer {
  const lists = ranges.map(range => ({ ...range, kept: withOneUserProperty(frame, range) }))
  if (lists.every(({ kept, start, end }) => kept.length === end - start)) return frame
  const pieces: Buffer[] = []
  let position = bodyOffset(frame, 0)
  for (const { start, end, kept } of lists) {
    pieces.push(frame.subarray(position, start - variableIntegerSize(end - start)), lengthOf(kept.length), kept)
    position = end
  }
  pieces.push(frame.subarray(position))
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return ownCopy(Buffer.concat([frame.subarray(0, 1), lengthOf(length), ...pieces]))
}

function withOneUserProperty(frame: Buffer, { start, end }: PropertyRange): Buffer {
  const behind = endOfFirst(frame, start, end, USER_PROPERTY)
  const rest = copyProperties(frame, behind, end, USER_PROPERTY)
  const first = frame.subarray(start, behind)
  return rest === undefined ? first : Buffer.concat([first, rest])
}

function lengthOf(value: number): Buffer {
  const bytes = Buffer.alloc(variableIntegerSize(value))
  writeVariableInteger(bytes, 0, value)
  return bytes
}

/** All of them, in place of the first. */
function restoreUserProperties(packet: Packet, frame: Buffer, range: PropertyRange): void {
  const owner = range.packet === 'will' && packet.cmd === 'connect' ? packet.will : packet
  if (owner === undefined || !('properties' in owner)) return
  const properties: { userProperties?: UserProperties } | undefined = owner.properties
  if (properties?.userProperties === undefined) return
  const { userProperties }: { userProperties?: UserProperties } = readProperties(frame, range.start, range.end)
  if (userProperties !== undefined) properties.userProperties = userProperties
}

/** Packet Identifiers run from 1 to this one. MQTT 5.0 §2.2.1 */
const greatestPacketId = 65_535

/** The Packet Identifier of the message with this sequence in its session: sequences begin with 1, as identifiers do. A session that is
 * resumed repeats its identifiers so, and no store has to keep them. */
export function packetIdOf(sequence: number): number {
  return ((sequence + greatestPacketId - 1) % greatestPacketId) + 1
}

/** The first sequence above `last` with this Packet Identifier: a message that another broker has sent keeps its identifier by it. */
export function sequenceWith(packetId: number, last: number): number {
  const distance = (packetId - (last % greatestPacketId) + greatestPacketId) % greatestPacketId
  return last + (distance === 0 ? greatestPacketId : distance)
}

import type { ConnackPacket, QoS } from '@x/packet'

/** What the peer of a link has said that it takes. */
export interface PeerLimits {
  readonly sessionPresent: boolean
  readonly receiveMaximum: number
  /** Bytes of a packet. */
  readonly maximumPacketSize: number
  readonly maximumQos: QoS
  readonly retainAvailable: boolean
}

/** Bytes of the largest packet that MQTT has. */
export const largestPacket = 268_435_460
const greatestWindow = 65_535

/** Reads CONNACK: what a broker does not say, and all of it before MQTT 5.0, is without limit. MQTT 5.0 §3.2.2.3 */
export function peerLimits({ sessionPresent, properties = {} }: ConnackPacket): PeerLimits {
  return {
    sessionPresent,
    receiveMaximum: properties.receiveMaximum ?? greatestWindow,
    maximumPacketSize: properties.maximumPacketSize ?? largestPacket,
    maximumQos: (properties.maximumQoS ?? 2) as QoS,
    retainAvailable: properties.retainAvailable !== false,
  }
}

import type { Will } from '@x/contract'
import type { ConnectPacket } from '@x/packet'

/** The values that client and broker have negotiated. MQTT 5.0 §3.1.2.11, §3.2.2.3 */
export interface Negotiated {
  readonly clientId: string
  /** The broker has assigned the identifier. MQTT 5.0 §3.2.2.3.7 */
  readonly assigned: boolean
  readonly keepAliveSeconds: number
  /** In seconds. */
  readonly sessionExpiryInterval: number
  /** QoS 1 and 2 messages that the client takes at a time. */
  readonly receiveMaximum: number
  /** Bytes that the client takes in one packet. */
  readonly maximumPacketSize: number
  /** Aliases the client takes. MQTT 5.0 §3.1.2.11.5 */
  readonly topicAliasMaximum: number
}

/** A CONNECT that has no session yet. */
export interface Attempt {
  readonly packet: ConnectPacket
  readonly negotiated: Negotiated
  readonly will: Will | undefined
}

/** Enhanced authentication of one connection. MQTT 5.0 §4.12 */
export interface EnhancedAuthentication {
  readonly method: string
  /** The CONNECT that waits for the authentication; undefined once it was accepted. */
  attempt: Attempt | undefined
  /** A connected client is authenticating again. */
  again: boolean
  /** Properties of the CONNACK ([MQTT5-4.12.0-5]). */
  answer: { readonly authenticationMethod: string; readonly authenticationData?: Buffer } | undefined
}

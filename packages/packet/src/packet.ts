import type {
  AckProperties,
  AuthProperties,
  ConnackProperties,
  ConnectProperties,
  DisconnectProperties,
  PublishProperties,
  SubscribeProperties,
  UnsubscribeProperties,
  WillProperties,
} from './packet-properties.ts'

/** Quality of service (MQTT 5.0 §4.3). */
export type QoS = 0 | 1 | 2

/** Protocol level as CONNECT carries it: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export type ProtocolVersion = 3 | 4 | 5

/** What decoding adds to every packet that is not a PUBLISH; encoding ignores it. */
export interface DecodedFields {
  /** Remaining length in bytes. */
  length?: number
  qos?: QoS
  dup?: boolean
  retain?: boolean
  topic?: null
  payload?: null
}

/** The message that the server publishes when the connection is lost (MQTT 5.0 §3.1.2.5). */
export interface Will {
  topic: string
  payload: Buffer | string
  qos?: QoS
  retain?: boolean
  /** MQTT 5 only; absent when there are none. */
  properties?: WillProperties
}

/** MQTT 5.0 §3.1. */
export interface ConnectPacket extends DecodedFields {
  cmd: 'connect'
  protocolId?: 'MQTT' | 'MQIsdp'
  protocolVersion?: ProtocolVersion
  /** A bridge that set the high bit of the protocol level (0x83, 0x84); not part of any MQTT version. */
  bridgeMode?: boolean
  /** Clean Session, in MQTT 5 Clean Start. */
  clean?: boolean
  /** Seconds; 0: no keep alive. */
  keepalive?: number
  clientId: string
  username?: string
  password?: Buffer
  will?: Will
  properties?: ConnectProperties
}

/** MQTT 5.0 §3.2. */
export interface ConnackPacket extends DecodedFields {
  cmd: 'connack'
  sessionPresent: boolean
  /** MQTT 3.1 and 3.1.1. */
  returnCode?: number
  /** MQTT 5. */
  reasonCode?: number
  properties?: ConnackProperties
}

/** MQTT 5.0 §3.3. */
export interface PublishPacket {
  cmd: 'publish'
  qos: QoS
  dup: boolean
  retain: boolean
  topic: string
  payload: Buffer | string
  /** Packet identifier; absent at QoS 0. */
  messageId?: number
  /** Remaining length in bytes, set by decoding. */
  length?: number
  properties?: PublishProperties
}

/** MQTT 5.0 §3.4. */
export interface PubackPacket extends DecodedFields {
  cmd: 'puback'
  messageId: number
  /** MQTT 5. */
  reasonCode?: number
  properties?: AckProperties
}

/** MQTT 5.0 §3.5. */
export interface PubrecPacket extends DecodedFields {
  cmd: 'pubrec'
  messageId: number
  /** MQTT 5. */
  reasonCode?: number
  properties?: AckProperties
}

/** MQTT 5.0 §3.6. */
export interface PubrelPacket extends DecodedFields {
  cmd: 'pubrel'
  messageId: number
  /** MQTT 5. */
  reasonCode?: number
  properties?: AckProperties
}

/** MQTT 5.0 §3.7. */
export interface PubcompPacket extends DecodedFields {
  cmd: 'pubcomp'
  messageId: number
  /** MQTT 5. */
  reasonCode?: number
  properties?: AckProperties
}

/** One row of a SUBSCRIBE (MQTT 5.0 §3.8.3). */
export interface Subscription {
  topic: string
  qos: QoS
  /** No Local; MQTT 5. */
  nl?: boolean
  /** Retain As Published; MQTT 5. */
  rap?: boolean
  /** Retain Handling, 0 to 2; MQTT 5. */
  rh?: number
}

/** MQTT 5.0 §3.8. */
export interface SubscribePacket extends DecodedFields {
  cmd: 'subscribe'
  messageId: number
  subscriptions: Subscription[]
  properties?: SubscribeProperties
}

/** MQTT 5.0 §3.9. */
export interface SubackPacket extends DecodedFields {
  cmd: 'suback'
  messageId: number
  /** Granted QoS or failure, one for each subscription in the order of the SUBSCRIBE. */
  granted: number[]
  properties?: AckProperties
}

/** MQTT 5.0 §3.10. */
export interface UnsubscribePacket extends DecodedFields {
  cmd: 'unsubscribe'
  messageId: number
  unsubscriptions: string[]
  properties?: UnsubscribeProperties
}

/** MQTT 5.0 §3.11. */
export interface UnsubackPacket extends DecodedFields {
  cmd: 'unsuback'
  messageId: number
  /** MQTT 5: one reason code for each topic filter; absent before. */
  granted?: number[]
  properties?: AckProperties
}

/** MQTT 5.0 §3.12. */
export interface PingreqPacket extends DecodedFields {
  cmd: 'pingreq'
}

/** MQTT 5.0 §3.13. */
export interface PingrespPacket extends DecodedFields {
  cmd: 'pingresp'
}

/** MQTT 5.0 §3.14. */
export interface DisconnectPacket extends DecodedFields {
  cmd: 'disconnect'
  /** MQTT 5. */
  reasonCode?: number
  properties?: DisconnectProperties
}

/** MQTT 5.0 §3.15; MQTT 5 only. */
export interface AuthPacket extends DecodedFields {
  cmd: 'auth'
  reasonCode: number
  properties?: AuthProperties
}

/** Any MQTT packet, told apart by `cmd`. The shape is mqtt-packet's. */
export type Packet =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | PubackPacket
  | PubrecPacket
  | PubrelPacket
  | PubcompPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | UnsubackPacket
  | PingreqPacket
  | PingrespPacket
  | DisconnectPacket
  | AuthPacket

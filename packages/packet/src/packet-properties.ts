/** User properties by name; a name that came more than once has its values in an array, in their order. Decoded ones have
 * no prototype, so that `__proto__` is a name like any other. Order between different names is not kept. */
export interface UserProperties {
  [name: string]: string | string[]
}

/** Properties of a CONNECT (MQTT 5.0 §3.1.2.11). */
export interface ConnectProperties {
  /** Seconds; 0xFFFFFFFF: the session never expires. */
  sessionExpiryInterval?: number
  receiveMaximum?: number
  /** Bytes. */
  maximumPacketSize?: number
  topicAliasMaximum?: number
  requestResponseInformation?: boolean
  requestProblemInformation?: boolean
  userProperties?: UserProperties
  authenticationMethod?: string
  authenticationData?: Buffer
}

/** Properties of a will (MQTT 5.0 §3.1.3.2). */
export interface WillProperties {
  /** Seconds. */
  willDelayInterval?: number
  payloadFormatIndicator?: boolean
  /** Seconds. */
  messageExpiryInterval?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Buffer
  userProperties?: UserProperties
}

/** Properties of a CONNACK (MQTT 5.0 §3.2.2.3). */
export interface ConnackProperties {
  /** Seconds. */
  sessionExpiryInterval?: number
  receiveMaximum?: number
  /** 0 or 1; absent means 2. */
  maximumQoS?: number
  retainAvailable?: boolean
  /** Bytes. */
  maximumPacketSize?: number
  assignedClientIdentifier?: string
  topicAliasMaximum?: number
  reasonString?: string
  userProperties?: UserProperties
  wildcardSubscriptionAvailable?: boolean
  subscriptionIdentifiersAvailable?: boolean
  sharedSubscriptionAvailable?: boolean
  /** Seconds. */
  serverKeepAlive?: number
  responseInformation?: string
  serverReference?: string
  authenticationMethod?: string
  authenticationData?: Buffer
}

/** Properties of a PUBLISH (MQTT 5.0 §3.3.2.3). */
export interface PublishProperties {
  payloadFormatIndicator?: boolean
  /** Seconds. */
  messageExpiryInterval?: number
  topicAlias?: number
  responseTopic?: string
  correlationData?: Buffer
  userProperties?: UserProperties
  /** An array when the packet carried more than one. */
  subscriptionIdentifier?: number | number[]
  contentType?: string
}

/** Properties of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK (MQTT 5.0 §3.4.2.2). */
export interface AckProperties {
  reasonString?: string
  userProperties?: UserProperties
}

/** Properties of a SUBSCRIBE (MQTT 5.0 §3.8.2.1). */
export interface SubscribeProperties {
  subscriptionIdentifier?: number
  userProperties?: UserProperties
}

/** Properties of an UNSUBSCRIBE (MQTT 5.0 §3.10.2.1). */
export interface UnsubscribeProperties {
  userProperties?: UserProperties
}

/** Properties of a DISCONNECT (MQTT 5.0 §3.14.2.2). */
export interface DisconnectProperties {
  /** Seconds. */
  sessionExpiryInterval?: number
  reasonString?: string
  userProperties?: UserProperties
  serverReference?: string
}

/** Properties of an AUTH (MQTT 5.0 §3.15.2.2). */
export interface AuthProperties {
  authenticationMethod?: string
  authenticationData?: Buffer
  reasonString?: string
  userProperties?: UserProperties
}

/** The shape of the properties of each packet, and of the will. */
export interface PropertiesOf {
  connect: ConnectProperties
  will: WillProperties
  connack: ConnackProperties
  publish: PublishProperties
  puback: AckProperties
  pubrec: AckProperties
  pubrel: AckProperties
  pubcomp: AckProperties
  subscribe: SubscribeProperties
  suback: AckProperties
  unsubscribe: UnsubscribeProperties
  unsuback: AckProperties
  disconnect: DisconnectProperties
  auth: AuthProperties
}

/** Where a property list stands: in a packet of this `cmd`, or before the will topic of a CONNECT. */
export type PropertyPacket = keyof PropertiesOf

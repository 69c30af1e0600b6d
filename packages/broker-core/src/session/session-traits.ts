/** What CONNECT and CONNACK have settled for a session. */
export interface SessionTraits {
  readonly clientId: string
  /** It outlives its connection, so the store keeps its queue. */
  readonly stored: boolean
  /** QoS 1 and 2 messages that the client takes before it acknowledges one. MQTT 5.0 §3.1.2.11.3 */
  readonly receiveMaximum: number
  /** Bytes. MQTT 5.0 §3.1.2.11.4 */
  readonly maximumPacketSize: number
  /** Topic aliases that the client takes; 0: none. MQTT 5.0 §3.1.2.11.5 */
  readonly topicAliasMaximum: number
}

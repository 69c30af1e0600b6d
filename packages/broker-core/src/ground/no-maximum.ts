/** Maximum Packet Size, in bytes, of a client that names none. MQTT 5.0 §3.1.2.11.4 */
export const noMaximumPacketSize = 0xffffffff

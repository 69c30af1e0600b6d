/** Where a connection comes from, beyond what its stream tells: found by `decodeProtocol`, or by a listener. */
export interface ConnectionDetails {
  /** Address of the client, not of the proxy in between. */
  ipAddress?: string
  port?: number
  /** 4 or 6. */
  ipFamily?: number
  serverIpAddress?: string
  serverPort?: number
  isWebsocket?: boolean
  isTls?: boolean
  isProxy?: number
  /** The MQTT bytes that remain once everything else is removed. */
  data?: Buffer
  [more: string]: unknown
}

/** An end of a connection. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** An additional value of a PROXY protocol header of version 2. */
export interface Tlv {
  /** `PP2_TYPE_…` of the specification, §2.2. */
  readonly type: number
  readonly value: Buffer
}

/** What a proxy says of a connection it passes on. */
export interface ProxyHeader {
  readonly version: 1 | 2
  /** Undefined where the proxy does not know it (`UNKNOWN`, `LOCAL`: a health check of its own), or it is no TCP connection. */
  readonly source: Endpoint | undefined
  readonly destination: Endpoint | undefined
  /** All that were sent, in their order, copied; none in version 1. */
  readonly tlvs: readonly Tlv[]
  /** Bytes of the header. */
  readonly length: number
}

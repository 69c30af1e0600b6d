/** Codes of {@link ConnectionRefused}; the README says what to do about each. */
export type RefusedCode =
  | 'ADDRESS_DENIED'
  | 'TOO_MANY_CONNECTIONS'
  | 'CONNECTION_RATE_EXCEEDED'
  | 'HANDSHAKE_TIMEOUT'
  | 'TLS_FAILED'
  | 'CERTIFICATE_REFUSED'
  | 'HTTP_INVALID'
  | 'PROTOCOL_UNKNOWN'
  | 'CONNECTION_LOST'
  | 'PROXY_HEADER_MISSING'
  | 'PROXY_REQUIREMENT_UNMET'

/** Why a listener did not let a connection through to the broker. */
export class ConnectionRefused extends Error {
  override readonly name = 'ConnectionRefused'
  readonly code: RefusedCode

  constructor(code: RefusedCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** Codes of {@link DecodeError}; the README says what to do about each. */
export type DecodeErrorCode = 'PROXY_HEADER_INVALID' | 'PROXY_HEADER_TOO_LARGE' | 'PROXY_NOT_TRUSTED'

/** Why what stands before the MQTT bytes, or beside them, is not accepted. There is no reason code for the peer: it has not begun
 * to speak MQTT, and its connection is closed. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly code: DecodeErrorCode

  constructor(code: DecodeErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

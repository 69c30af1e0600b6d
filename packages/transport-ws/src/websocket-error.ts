/** Codes of {@link WebSocketError}; the README says what to do about each. */
export type WebSocketErrorCode =
  | 'NOT_A_WEBSOCKET'
  | 'PATH_UNKNOWN'
  | 'ORIGIN_NOT_ALLOWED'
  | 'SUBPROTOCOL_UNKNOWN'
  | 'TRANSPORT_CLOSED'
  | 'TEXT_FRAME'
  | 'PAYLOAD_TOO_LARGE'
  | 'TOO_MUCH_BEFORE_CONNECT'
  | 'UNFINISHED_BYTES_EXCEEDED'
  | 'FRAME_INVALID'

/** Why an upgrade was refused, with the HTTP status its sender was told, or a WebSocket ended, with the close code. */
export class WebSocketError extends Error {
  override readonly name = 'WebSocketError'
  readonly code: WebSocketErrorCode
  /** HTTP status of a refusal; undefined after the upgrade. */
  readonly status: number | undefined
  /** RFC 6455 §7.4.1; undefined before the upgrade. */
  readonly closeCode: number | undefined

  constructor(
    code: WebSocketErrorCode,
    details: { message: string; status?: number; closeCode?: number; cause?: unknown },
  ) {
    super(details.message, { cause: details.cause })
    this.code = code
    this.status = details.status
    this.closeCode = details.closeCode
  }
}

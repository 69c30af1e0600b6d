/** Codes of {@link BridgeError}; the README says what to do about each. */
export type BridgeErrorCode =
  | 'BRIDGE_OPTION_INVALID'
  | 'BRIDGE_ATTACHED'
  | 'BRIDGE_UNREACHABLE'
  | 'BRIDGE_REFUSED'
  | 'BRIDGE_SUBSCRIPTION_REFUSED'
  | 'BRIDGE_CONNECTION_LOST'
  | 'BRIDGE_PROTOCOL_ERROR'
  | 'BRIDGE_LOCAL_SESSION'
  | 'BRIDGE_LOOP'

/** What this package throws and reports. */
export class BridgeError extends Error {
  readonly code: BridgeErrorCode
  /** What the other broker gave, where it gave one: the reason code of MQTT 5.0, or the return code before. */
  readonly reasonCode: number | undefined

  constructor(
    code: BridgeErrorCode,
    message: string,
    options: ErrorOptions & { readonly reasonCode?: number | undefined } = {},
  ) {
    super(message, options)
    this.name = 'BridgeError'
    this.code = code
    this.reasonCode = options.reasonCode
  }
}

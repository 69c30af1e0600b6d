/** Codes of {@link AdminError}; the README says what to do about each. */
export type AdminErrorCode = 'ADMIN_LISTEN_FAILED' | 'ADMIN_ATTACHED' | 'ADMIN_REQUEST_FAILED'

/** What this package throws and reports. */
export class AdminError extends Error {
  readonly code: AdminErrorCode

  constructor(code: AdminErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'AdminError'
    this.code = code
  }
}

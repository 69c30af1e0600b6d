/** Codes of {@link MetricsError}; the README says what to do about each. */
export type MetricsErrorCode = 'METRICS_LISTEN_FAILED' | 'METRICS_ATTACHED'

/** What this package throws and reports. */
export class MetricsError extends Error {
  readonly code: MetricsErrorCode

  constructor(code: MetricsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MetricsError'
    this.code = code
  }
}

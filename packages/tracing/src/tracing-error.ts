/** Codes of {@link TracingError}; the README says what to do about each. */
export type TracingErrorCode = 'TRACING_API_MISSING' | 'TRACING_ATTACHED'

/** What this package throws. */
export class TracingError extends Error {
  readonly code: TracingErrorCode

  constructor(code: TracingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TracingError'
    this.code = code
  }
}

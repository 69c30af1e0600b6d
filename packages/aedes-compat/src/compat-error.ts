/** Codes of {@link CompatError}; the README says what to do about each. */
export type CompatErrorCode = 'PERSISTENCE_NOT_USABLE' | 'EMITTER_NOT_USABLE' | 'OPTION_INVALID'

/** Says why an object can't serve as store or emitter: what it lacks, by name. */
export class CompatError extends Error {
  override readonly name = 'CompatError'
  readonly code: CompatErrorCode

  constructor(code: CompatErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Codes of {@link PersistenceError}. */
export type PersistenceErrorCode =
  /** A store can't be made with such an option. */
  | 'OPTION_INVALID'
  /** The handle is of an earlier opening: another connection owns the session now. */
  | 'FENCED'
  | 'NOT_OPEN'
  | 'ALREADY_OPEN'
  | 'NOT_SUPPORTED'
  /** A limit of the store (space, number of retained messages or sessions) keeps it from storing more; nothing was
   * changed. The peer gets 0x97 (Quota exceeded). */
  | 'QUOTA_EXCEEDED'
  /** The store can't be reached; nothing is known to be stored. The peer gets no acknowledgement. */
  | 'UNAVAILABLE'

/** How a store refuses. Anything else it throws is treated like `UNAVAILABLE`. */
export class PersistenceError extends Error {
  override readonly name = 'PersistenceError'
  readonly code: PersistenceErrorCode

  constructor(code: PersistenceErrorCode, options: { message: string; cause?: unknown }) {
    super(options.message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
  }
}

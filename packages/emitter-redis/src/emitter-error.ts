import { RedisError } from '@x/redis-connection'

/** Codes of {@link EmitterError}; the README says what to do about each. */
export type EmitterErrorCode =
  /** An option can't be. */
  | 'OPTION_INVALID'
  | 'NOT_OPEN'
  | 'ALREADY_OPEN'
  /** Redis could not be told, or did not answer in time: it may have taken effect. */
  | 'UNAVAILABLE'
  /** `maxmemory`, or another broker's inbox, is full. */
  | 'QUOTA_EXCEEDED'
  /** The other brokers took this one for dead: what they had for it meanwhile is lost. It is there again. */
  | 'LEASE_LOST'

/** How this package refuses, and what it reports. */
export class EmitterError extends Error {
  override readonly name = 'EmitterError'
  readonly code: EmitterErrorCode

  constructor(code: EmitterErrorCode, options: { message: string; cause?: unknown }) {
    super(options.message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
  }
}

/** What a call to Redis failed with, as this package says it. */
export function emitterErrorOf(error: unknown): EmitterError {
  if (error instanceof EmitterError) return error
  const message = error instanceof Error ? error.message : String(error)
  const full = error instanceof RedisError && error.code === 'REDIS_OUT_OF_MEMORY'
  return new EmitterError(full ? 'QUOTA_EXCEEDED' : 'UNAVAILABLE', { message, cause: error })
}

/** What an emitter could not be opened for: that brokers are there which speak another schema is said as Redis said it. */
export function openErrorOf(error: unknown): unknown {
  const cause = error instanceof EmitterError ? error.cause : undefined
  return cause instanceof RedisError && cause.code === 'REDIS_SCHEMA_MISMATCH' ? cause : error
}

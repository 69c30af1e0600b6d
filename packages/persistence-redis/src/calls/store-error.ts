import { PersistenceError } from '@x/contract'
import type { SessionHandle } from '@x/contract'
import { RedisError } from '@x/redis-connection'

/** What a call failed with, as the contract says it. */
export function storeErrorOf(error: unknown): PersistenceError {
  if (error instanceof PersistenceError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (message.startsWith('FENCED ')) return new PersistenceError('FENCED', { message: message.slice(7) })
  if (message.startsWith('QUOTA ')) return new PersistenceError('QUOTA_EXCEEDED', { message: message.slice(6) })
  const full = error instanceof RedisError && error.code === 'REDIS_OUT_OF_MEMORY'
  return new PersistenceError(full ? 'QUOTA_EXCEEDED' : 'UNAVAILABLE', { message, cause: error })
}

/** Whether the call may have taken effect, and may succeed later. */
export function isUnavailable(error: unknown): boolean {
  return storeErrorOf(error).code === 'UNAVAILABLE'
}

/** The error of a session that is not open with this epoch any more. */
export function fencedError({ clientId, epoch }: SessionHandle): PersistenceError {
  return new PersistenceError('FENCED', {
    message: `session of client '${clientId}' is not open with epoch ${epoch}`,
  })
}

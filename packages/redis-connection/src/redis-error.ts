/** Codes of {@link RedisError}; the README says what to do about each. */
export type RedisErrorCode =
  /** The URL or the options name no usable target. */
  | 'REDIS_URL_INVALID'
  /** No connection; also every call while there is none. */
  | 'REDIS_UNREACHABLE'
  /** User or password refused, or none given where one is asked for. */
  | 'REDIS_AUTH_FAILED'
  /** The certificate is not trusted. */
  | 'REDIS_TLS_FAILED'
  /** The ACL user may not call a command that is needed. */
  | 'REDIS_NO_PERMISSION'
  | 'REDIS_VERSION_UNSUPPORTED'
  /** `maxmemory-policy` is not `noeviction`: Redis could delete sessions by itself. */
  | 'REDIS_EVICTION_POLICY'
  /** The data are of another schema, or brokers are there that speak another one. A function says so with `SCHEMA` and a sentence. */
  | 'REDIS_SCHEMA_MISMATCH'
  /** A replica, or a primary that refuses to write. */
  | 'REDIS_READ_ONLY'
  /** `maxmemory` is reached. */
  | 'REDIS_OUT_OF_MEMORY'
  /** A key of ours holds a value of another type. */
  | 'REDIS_KEY_TYPE'
  /** No answer within `commandTimeout`. */
  | 'REDIS_TIMEOUT'
  /** Fewer replicas than asked for have confirmed a write. */
  | 'REDIS_NOT_REPLICATED'
  /** A function of the library has said no: nothing is wrong with Redis. */
  | 'REDIS_REFUSED'
  /** The connection was closed by its owner. */
  | 'REDIS_CLOSED'
  /** Anything else that Redis answered with. */
  | 'REDIS_FAILED'

/** How this package refuses, and what it reports. */
export class RedisError extends Error {
  override readonly name = 'RedisError'
  readonly code: RedisErrorCode

  constructor(code: RedisErrorCode, options: { message: string; cause?: unknown }) {
    super(options.message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
  }
}

/** Start of what Redis or ioredis says, and what it means. The first that fits. */
const meanings: readonly (readonly [start: RegExp, code: RedisErrorCode])[] = [
  [/^(NOAUTH|WRONGPASS|ERR (AUTH|invalid password|Client sent AUTH))/, 'REDIS_AUTH_FAILED'],
  [/^NOPERM|user executing the script can't/, 'REDIS_NO_PERMISSION'],
  [/^SCHEMA /, 'REDIS_SCHEMA_MISMATCH'],
  [/certificate|ERR_TLS|SSL routines/, 'REDIS_TLS_FAILED'],
  [/OOM command not allowed|^OOM/, 'REDIS_OUT_OF_MEMORY'],
  [/READONLY/, 'REDIS_READ_ONLY'],
  [/^(NOREPLICAS|MISCONF|MASTERDOWN)/, 'REDIS_READ_ONLY'],
  [/WRONGTYPE/, 'REDIS_KEY_TYPE'],
  [/^(LOADING|BUSY|CLUSTERDOWN|TRYAGAIN|MOVED|ASK)\b/, 'REDIS_UNREACHABLE'],
  [
    /Connection is closed|isn't writeable|ECONN|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|max retries|refresh slots|sentinels are unreachable|None of startup nodes|ended/i,
    'REDIS_UNREACHABLE',
  ],
]

/** What went wrong, as one of our codes. */
export function redisErrorOf(error: unknown): RedisError {
  if (error instanceof RedisError) return error
  const text = error instanceof Error ? error.message : String(error)
  const nested = nestedText(error)
  const said = nested === undefined ? text : `${text} (${nested})`
  const code = meanings.find(([start]) => start.test(nested ?? text) || start.test(text))?.[1] ?? 'REDIS_FAILED'
  return new RedisError(code, { message: `Redis: ${said.replace(/^SCHEMA /, '')}`, cause: error })
}

/** A cluster client wraps what its last node said. */
function nestedText(error: unknown): string | undefined {
  const last: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'lastNodeError') : undefined
  return last instanceof Error ? last.message : undefined
}

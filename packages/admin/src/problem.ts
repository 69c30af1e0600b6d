/** Stable codes of problems. */
export type ProblemCode =
  | 'KEY_MISSING'
  | 'KEY_INVALID'
  | 'ROLE_INSUFFICIENT'
  | 'TOO_MANY_FAILURES'
  | 'TOO_MANY_REQUESTS'
  | 'REQUEST_INVALID'
  | 'BODY_MALFORMED'
  | 'BODY_TOO_LARGE'
  | 'MEDIA_TYPE_UNSUPPORTED'
  | 'CURSOR_INVALID'
  | 'MESSAGE_INVALID'
  | 'FILTER_INVALID'
  | 'PATH_UNKNOWN'
  | 'METHOD_NOT_ALLOWED'
  | 'CLIENT_UNKNOWN'
  | 'SESSION_UNKNOWN'
  | 'RETAINED_UNKNOWN'
  | 'GROUP_UNKNOWN'
  | 'TRACE_UNKNOWN'
  | 'TOO_MANY_TRACES'
  | 'TOO_MANY_STREAMS'
  | 'NOT_SUPPORTED'
  | 'NOT_READY'
  | 'RELOAD_FAILED'
  | 'INTERNAL'

/** What a request can be refused for, with its HTTP status and title. The README says what to do about each. */
export const problemTable: Readonly<Record<ProblemCode, { readonly status: number; readonly title: string }>> = {
  KEY_MISSING: { status: 401, title: 'The request has no key' },
  KEY_INVALID: { status: 401, title: 'The key, or user name and password, are wrong' },
  ROLE_INSUFFICIENT: { status: 403, title: 'The role of this key does not allow that' },
  TOO_MANY_FAILURES: { status: 429, title: 'Too many wrong keys came from this address' },
  TOO_MANY_REQUESTS: { status: 429, title: 'Too many requests came from this address' },
  REQUEST_INVALID: { status: 400, title: 'The request is not as its schema says' },
  BODY_MALFORMED: { status: 400, title: 'The body is no JSON' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, title: 'The body must be application/json' },
  CURSOR_INVALID: { status: 400, title: 'The cursor is unknown, or too old' },
  MESSAGE_INVALID: { status: 400, title: 'The message can not be published' },
  FILTER_INVALID: { status: 400, title: 'The topic filter is not valid' },
  PATH_UNKNOWN: { status: 404, title: 'There is nothing at this path' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The method is not allowed at this path' },
  CLIENT_UNKNOWN: { status: 404, title: 'The client is not connected to this broker' },
  SESSION_UNKNOWN: { status: 404, title: 'There is no such session' },
  RETAINED_UNKNOWN: { status: 404, title: 'No message is retained of this topic' },
  GROUP_UNKNOWN: { status: 404, title: 'There is no such shared subscription here' },
  TRACE_UNKNOWN: { status: 404, title: 'There is no such trace' },
  TOO_MANY_TRACES: { status: 409, title: 'Too many traces run' },
  TOO_MANY_STREAMS: { status: 503, title: 'Too many streams are open' },
  NOT_SUPPORTED: { status: 501, title: 'This broker can not do that' },
  NOT_READY: { status: 503, title: 'The broker is not open' },
  RELOAD_FAILED: { status: 409, title: 'The configuration could not be taken' },
  INTERNAL: { status: 500, title: 'The broker could not do it' },
}

/** A wrong part of a request. */
export interface WrongField {
  /** Where it stands: `query/limit`. */
  readonly field: string
  readonly detail: string
}

/** A request that is refused. RFC 9457 */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly errors: readonly WrongField[] | undefined

  /** @param detail what was wrong this time, with the value and the limit */
  constructor(
    code: ProblemCode,
    detail: string,
    more: ErrorOptions & { readonly errors?: readonly WrongField[] } = {},
  ) {
    super(detail, more)
    this.name = 'Problem'
    this.code = code
    this.errors = more.errors
  }

  get status(): number {
    return problemTable[this.code].status
  }

  /** The body of the response, `application/problem+json`. */
  toJSON(): object {
    const { status, title } = problemTable[this.code]
    const { code, message: detail, errors } = this
    return { type: 'about:blank', title, status, detail, code, ...(errors !== undefined && { errors }) }
  }
}

/** What a failure is to the one who asked. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  const { code = '', message = String(error), validation, validationContext } = error as Partial<FastifyFailure>
  const known = fastifyCodes[code]
  if (validation !== undefined) return invalid(validation, validationContext)
  if (known !== undefined) return new Problem(known, message, { cause: error })
  if (error instanceof SyntaxError) return new Problem('BODY_MALFORMED', message, { cause: error })
  return new Problem('INTERNAL', message, { cause: error })
}

interface FastifyFailure {
  readonly code: string
  readonly message: string
  readonly validation: readonly {
    readonly instancePath: string
    readonly message?: string
    readonly params?: Readonly<Record<string, unknown>>
  }[]
  readonly validationContext: string
}

const fastifyCodes: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'MEDIA_TYPE_UNSUPPORTED',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'BODY_MALFORMED',
  FST_ERR_CTP_INVALID_JSON_BODY: 'BODY_MALFORMED',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BODY_MALFORMED',
  FST_ERR_BAD_URL: 'PATH_UNKNOWN',
}

function invalid(found: FastifyFailure['validation'], context = 'request'): Problem {
  const where = context.replace('querystring', 'query')
  const errors = found.map(({ instancePath, message = 'is not valid', params = {} }) => {
    const name = params['additionalProperty'] ?? params['missingProperty']
    const field = `${where}${instancePath}${typeof name === 'string' ? `/${name}` : ''}`
    return { field, detail: message }
  })
  const [first] = errors
  return new Problem('REQUEST_INVALID', `${first?.field}: ${first?.detail}`, { errors })
}

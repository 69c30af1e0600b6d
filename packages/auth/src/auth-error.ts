/** MQTT 5.0 §2.4: server unavailable, so that the client may come in later; not authorized. */
const reasonCodes: Readonly<Partial<Record<AuthErrorCode, number>>> = { HTTP_UNAVAILABLE: 0x88, NOT_AUTHORIZED: 0x87 }

/** Codes of {@link AuthError}; the README says what to do about each. */
export type AuthErrorCode =
  | 'FILE_UNREADABLE'
  | 'PASSWORD_FILE_INVALID'
  | 'ACL_FILE_INVALID'
  | 'DYNAMIC_SECURITY_INVALID'
  | 'PASSWORD_INVALID'
  | 'TOKEN_KEYS_INVALID'
  | 'HTTP_UNAVAILABLE'
  | 'NOT_AUTHORIZED'

/** Where in a file something is wrong. */
export interface FilePlace {
  readonly file: string
  /** From 1. */
  readonly line?: number
}

/** What is wrong with a file, a password, keys or a server, as one sentence that begins with the file and the line, or the server. */
export class AuthError extends Error {
  override readonly name = 'AuthError'
  readonly code: AuthErrorCode
  /** What a client is told that is refused because of it; undefined: no client is concerned. */
  readonly reasonCode: number | undefined
  readonly file: string | undefined
  /** From 1. */
  readonly line: number | undefined

  constructor(code: AuthErrorCode, what: string, place?: FilePlace, cause?: unknown) {
    const { file, line } = place ?? {}
    const where = file === undefined ? '' : line === undefined ? `${file}: ` : `${file}:${line}: `
    super(`${where}${what}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.reasonCode = reasonCodes[code]
    this.file = file
    this.line = line
  }
}

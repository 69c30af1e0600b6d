/** Codes of {@link AuthError}; the README says what to do about each. */
export type AuthErrorCode =
  | 'FILE_UNREADABLE'
  | 'PASSWORD_FILE_INVALID'
  | 'ACL_FILE_INVALID'
  | 'DYNAMIC_SECURITY_INVALID'
  | 'PASSWORD_INVALID'

/** Where in a file something is wrong. */
export interface FilePlace {
  readonly file: string
  /** From 1. */
  readonly line?: number
}

/** What is wrong with a file or a password, as one sentence that begins with the file and the line. */
export class AuthError extends Error {
  override readonly name = 'AuthError'
  readonly code: AuthErrorCode
  readonly file: string | undefined
  /** From 1. */
  readonly line: number | undefined

  constructor(code: AuthErrorCode, what: string, place?: FilePlace, cause?: unknown) {
    const { file, line } = place ?? {}
    const where = file === undefined ? '' : line === undefined ? `${file}: ` : `${file}:${line}: `
    super(`${where}${what}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.file = file
    this.line = line
  }
}

import { existsSync, lstatSync } from 'node:fs'
import { dirname } from 'node:path'

/** Codes of {@link ListenError}; the README says what to do about each. */
export type ListenErrorCode = 'ADDRESS_IN_USE' | 'ADDRESS_NOT_AVAILABLE' | 'PERMISSION_DENIED' | 'LISTEN_FAILED'

/** Why an address can't be listened on. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code: ListenErrorCode

  constructor(code: ListenErrorCode, options: { message: string; cause?: unknown }) {
    super(options.message, { cause: options.cause })
    this.code = code
  }
}

/** Where somebody wants to listen. */
export interface Place {
  readonly host: string | undefined
  readonly port: number
  readonly socketPath?: string | undefined
}

/** The operating system's refusal as a code and a sentence. */
export function listenError(cause: NodeJS.ErrnoException, { host, port, socketPath }: Place): ListenError {
  const problem = socketPath === undefined ? undefined : problemOfFile(socketPath, cause.code)
  if (problem !== undefined) return new ListenError(problem.code, { message: problem.message, cause })
  const place = socketPath ?? (host === undefined ? `port ${port}` : `${bracketed(host)}:${port}`)
  switch (cause.code) {
    case 'EADDRINUSE':
      return new ListenError('ADDRESS_IN_USE', { message: `${place} is in use by another program`, cause })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ListenError('ADDRESS_NOT_AVAILABLE', {
        message: `${host ?? 'this'} is no address of this machine`,
        cause,
      })
    case 'EACCES':
      return new ListenError('PERMISSION_DENIED', {
        message: `${place} may not be listened on by this user`,
        cause,
      })
    default:
      return new ListenError('LISTEN_FAILED', { message: `${place}: ${cause.message}`, cause })
  }
}

/** libuv takes a directory that is missing for one that may not be written to, and any file for a socket that is in use. */
function problemOfFile(
  socketPath: string,
  code: string | undefined,
): { readonly code: ListenErrorCode; readonly message: string } | undefined {
  const directory = dirname(socketPath)
  if (code === 'EACCES' && !existsSync(directory)) {
    const message = `${socketPath} can't be listened on: there is no directory ${directory}`
    return { code: 'ADDRESS_NOT_AVAILABLE', message }
  }
  if (code === 'EADDRINUSE' && lstatSync(socketPath, { throwIfNoEntry: false })?.isSocket() === false) {
    return {
      code: 'ADDRESS_IN_USE',
      message: `${socketPath} can't be listened on: it is there already, and is no socket`,
    }
  }
  return undefined
}

/** The host as it stands before a port. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

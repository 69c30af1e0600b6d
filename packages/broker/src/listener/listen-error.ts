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

/** The host as it stands before a port. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

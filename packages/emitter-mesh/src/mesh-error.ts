/** Codes of {@link MeshError}; the README says what to do about each. */
export type MeshErrorCode =
  /** An option can't be. */
  | 'OPTION_INVALID'
  | 'NOT_OPEN'
  | 'ALREADY_OPEN'
  /** The address to listen at can't be used. */
  | 'LISTEN_FAILED'
  /** A peer was not there for the whole of its lease: whether it has the message is not known. */
  | 'UNAVAILABLE'
  /** `maximumOutgoingBytes` wait for a peer. */
  | 'QUOTA_EXCEEDED'
  /** A peer took this broker for dead: messages that it had for it are lost. This broker is there again. */
  | 'LEASE_LOST'
  /** A peer that should be there can't be reached. */
  | 'PEER_UNREACHABLE'
  /** A peer has confirmed nothing for `lease`: its link was cut. */
  | 'PEER_STALLED'
  /** A peer has another version of the protocol. */
  | 'PEER_VERSION'
  /** A peer has another secret, or none, or has one and this broker has none. */
  | 'PEER_SECRET'
  /** There are `maximumPeers` already. */
  | 'PEER_LIMIT'
  /** A peer, or whatever it is, has sent what is no frame. */
  | 'PEER_INVALID'

/** How this package refuses, and what it reports. */
export class MeshError extends Error {
  override readonly name = 'MeshError'
  readonly code: MeshErrorCode

  constructor(code: MeshErrorCode, options: { message: string; cause?: unknown }) {
    super(options.message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
  }
}

/** The error of a peer that breaks the protocol of the mesh. */
export function invalid(message: string): MeshError {
  return new MeshError('PEER_INVALID', { message })
}

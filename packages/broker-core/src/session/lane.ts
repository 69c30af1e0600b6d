import type { ProtocolVersion } from '@x/packet'

/** Which frames may be forwarded to a client unchanged: those of 3.x (3), of 5.0 (5), or none (0). */
export type Lane = 0 | 3 | 5

/** The session, as far as it decides which frames suit its client. */
interface Addressee {
  readonly version: ProtocolVersion
  readonly maximumPacketSize: number
  /** Undefined: the client takes no topic aliases. */
  readonly aliases: unknown
  readonly connection: { readonly profile: { readonly mountPoint?: unknown } | undefined }
  readonly engine: { readonly options: { readonly maximumPacketSize: number } }
}

/** The lane of a session, as long as it lives: nothing has to be changed for its client, and every packet that the broker takes is small enough. */
export function laneOf({ version, maximumPacketSize, aliases, connection, engine }: Addressee): Lane {
  const isMounted = connection.profile?.mountPoint !== undefined
  if (aliases !== undefined || isMounted || maximumPacketSize <= engine.options.maximumPacketSize) return 0
  return version === 5 ? 5 : 3
}

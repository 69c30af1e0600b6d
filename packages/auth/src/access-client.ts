import type { MaybePromise } from '@x/contract'
import type { ResumingClient } from './topic-authority.ts'

/** What is needed of a client; the broker's fits. */
export interface AccessClient extends ResumingClient {
  readonly id: string
  readonly listener?: string | undefined
  /** Whom the transport has proved it to be, by a certificate for instance: no password is asked for then. */
  readonly identity?: string | undefined
  /** Its broker, of which the clients are looked at after each change. */
  readonly broker?: { readonly clients: Readonly<Record<string, AccessClient>>; readonly closed: boolean }
  readonly connDetails?: { readonly ipAddress?: string } | undefined
  readonly conn?: object
  /** The one that the listener has verified. */
  readonly certificate?: { readonly subject?: { readonly CN?: unknown } } | undefined
  readonly closed?: boolean
  close?(options: { readonly reasonCode: number }): void
}

/** Hooks that ask an authority, which may take time. */
export interface AuthorityHooks {
  authorizePublish(client: AccessClient | null, packet: { readonly topic: string }): MaybePromise<void>
  authorizeSubscribe<Subscription extends { readonly topic: string }>(
    client: AccessClient,
    subscription: Subscription,
  ): MaybePromise<Subscription | null>
}

/** The publisher of a message that was kept. */
export interface PublisherName {
  readonly clientId: string
  readonly username: string | undefined
  /** The one it came by. */
  readonly listener: string | undefined
}

/** Where it comes from, as far as that is known: an IPv4 address as such, also at a socket for both families. */
export function addressOf({ connDetails, conn }: Pick<AccessClient, 'connDetails' | 'conn'>): string | undefined {
  const address =
    connDetails?.ipAddress ?? (conn !== undefined && 'remoteAddress' in conn ? conn.remoteAddress : undefined)
  return typeof address === 'string' ? address.replace(/^::ffff:(?=[\d.]+$)/i, '') : undefined
}

import type { MaybePromise } from '@x/contract'
import type { Subject } from './identity.ts'

/** What an authority is asked about. What is received follows from what was subscribed to. */
export type AuthorityAction = 'publish' | 'subscribe'

/** Decides about topics outside of this process: its answer may take time, and is waited for. */
export interface TopicAuthority {
  /** What is thrown or rejected refuses. */
  may(action: AuthorityAction, topic: string, subject: Subject): MaybePromise<boolean>
}

/** A client whose session may have subscriptions from before. */
export interface ResumingClient {
  readonly subscriptions?: Readonly<Record<string, unknown>>
  once?(event: 'connected', listener: () => void): unknown
  unsubscribe?(filters: string[]): Promise<void>
}

/** Ends the subscriptions of a kept session that are not permitted any more, as soon as its client is back. */
export function recheckWhenConnected(
  client: ResumingClient,
  isPermitted: (filter: string) => MaybePromise<boolean>,
): void {
  client.once?.('connected', () => {
    for (const filter of Object.keys(client.subscriptions ?? {})) {
      const asked = new Promise<boolean>(resolve => resolve(isPermitted(filter))).catch(() => false)
      void asked.then(isStill => (isStill ? undefined : client.unsubscribe?.([filter]).catch(() => undefined)))
    }
  })
}

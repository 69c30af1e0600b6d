import type { Duplex } from 'node:stream'
import type { MaybePromise } from './maybe-promise.ts'

/** A way in: something that yields byte streams, one for each client. */
export interface Listener {
  /** Shown in logs and statistics. */
  readonly name: string
  /** Begins to accept; answers where. Each stream is handed over with its first bytes unread.
   * @throws when the address can't be had; the message names the address and the reason. */
  listen(accept: (stream: Duplex, request?: unknown) => void): MaybePromise<ListenerAddress>
  /** Accepts no more. Streams already handed over stay open: they are the broker's. Idempotent. */
  close(): MaybePromise<void>
}

export interface ListenerAddress {
  /** As a client would write it: `mqtt://127.0.0.1:1883`. */
  readonly url: string
  readonly host: string | undefined
  readonly port: number | undefined
}

/** Where a listener accepts connections. */
export interface ListenerAddress {
  /** As a client would write it: `mqtt://127.0.0.1:1883`. */
  readonly url: string
  readonly host: string | undefined
  readonly port: number | undefined
}

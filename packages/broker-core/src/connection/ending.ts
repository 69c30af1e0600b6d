/** Why a connection has ended:
 * - `disconnect`: by DISCONNECT, whatever reason code that had
 * - `cut`: its connection ended without one, or failed
 * - `keepAlive`: it was silent for longer than its Keep Alive allows
 * - `takeOver`: another connection has its identifier now, on this broker or another one
 * - `refusal`: an error ended it, of the client, of a hook or of a part; `clientError` has told which
 * - `kick`: the program closed it
 * - `shutdown`: the broker closes */
export type DisconnectReason = 'disconnect' | 'cut' | 'keepAlive' | 'takeOver' | 'refusal' | 'kick' | 'shutdown'

/** How a connection ends. */
export interface Ending {
  readonly reason: DisconnectReason
  /** What the client is told with DISCONNECT (5.0); undefined: nothing. */
  readonly reasonCode?: number
  /** Where the client should go instead. MQTT 5.0 §3.14.2.2.5 */
  readonly serverReference?: string
  /** Why, for the events; undefined: nothing went wrong. */
  readonly error?: Error
  /** The client has sent DISCONNECT with 0x00, so its will is discarded ([MQTT5-3.14.4-3]). */
  readonly discardWill?: boolean
  /** Called in a later turn, when the last packet was written to the stream; the stream ends then. */
  readonly sent?: () => void
}

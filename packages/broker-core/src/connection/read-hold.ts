/** Reasons why reading from a client rests, as bits; a connection reads when it has none. */
export const ReadHold = {
  /** A packet's effect is not complete (a hook or store is asynchronous), and packets take effect in order. */
  step: 1,
  /** A receiver of what this client publishes can't keep up. */
  backPressure: 2,
  /** More publishes are on their way to the store than the client may have open. */
  pending: 4,
  /** `client.pause()`. */
  program: 8,
  /** The broker's parts are not open yet. */
  opening: 16,
  /** The client does not take what it is sent. */
  outbox: 32,
  /** It had its share of this turn of the event loop. */
  turn: 64,
  /** It has sent as much as it may in this second. */
  rate: 128,
} as const

/** Reasons why reading from a client rests, as bits. A connection with no reason reads. */
export const ReadHold = {
  /** The effect of a packet is not complete, since a hook or store is asynchronous; packets take effect in order. */
  step: 1,
  /** A receiver of this client's messages can't keep up. */
  backPressure: 2,
  /** The client has as many unacknowledged publishes as it may have. */
  pending: 4,
  /** `client.pause()`. */
  program: 8,
  /** Store and emitter are not open yet. */
  opening: 16,
  /** The client's outbox is full. */
  outbox: 32,
  /** The connection has used up its share of this turn. */
  turn: 64,
  /** The client has used up its rate for this second. */
  rate: 128,
  /** A publish was not stored, which ends the connection once all before it are acknowledged: what follows would overtake it. */
  failed: 256,
  /** Messages of this client are on their way to very many receivers. */
  fanOut: 512,
} as const

/** Holds that end without the client and soon. */
const passing = ReadHold.step | ReadHold.pending | ReadHold.backPressure | ReadHold.fanOut

/** Whether there are holds, and all of them end without the client and soon. A stream that has ended waits for the packets behind these. */
export function arePassing(holds: number): boolean {
  return holds !== 0 && (holds & ~passing) === 0
}

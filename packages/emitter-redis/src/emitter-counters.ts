/** What has happened since the emitter was made. */
export interface EmitterCounters {
  /** Messages that were sent to other brokers, once for each. */
  sent: number
  /** Messages that came from other brokers. */
  delivered: number
  /** QoS 0 messages that were not sent: Redis can't be reached, or `maximumOutgoingBytes` were on their way. */
  droppedOutgoing: number
  /** Frames of QoS 0 messages that came and were not delivered: `maximumIncomingBytes` waited for this broker. */
  droppedIncoming: number
  /** QoS 0 messages that came after their publisher had connected to another broker: they would have come after newer ones. */
  droppedLate: number
  /** Frames of QoS 1 and 2 messages that were refused, so that nothing of them was acknowledged. */
  refused: number
  /** Times that the inbox was read because news of it were lost, or came faster than they were delivered. */
  readBacks: number
  /** Routes whose addition returned before all other brokers had confirmed them. */
  unconfirmedRoutes: number
  /** Times that this broker's lease had ended. */
  leasesLost: number
  /** Frames and news that were none. */
  invalid: number
}

/** Counters at 0. */
export function createCounters(): EmitterCounters {
  return {
    sent: 0,
    delivered: 0,
    droppedOutgoing: 0,
    droppedIncoming: 0,
    droppedLate: 0,
    refused: 0,
    readBacks: 0,
    unconfirmedRoutes: 0,
    leasesLost: 0,
    invalid: 0,
  }
}

/** What has happened since the emitter was made. */
export interface MeshCounters {
  /** Messages that were sent to peers, once for each. */
  sent: number
  /** Messages that came from peers. */
  delivered: number
  /** QoS 0 messages that were not sent: the link was cut, or `maximumOutgoingBytes` waited. */
  droppedOutgoing: number
  /** QoS 0 messages that came after their publisher had connected to another broker: they would have come after newer ones. */
  droppedLate: number
  /** QoS 1 and 2 messages that were refused at once, since `maximumOutgoingBytes` waited for a peer. */
  refused: number
  /** QoS 1 messages whose publishers were told that a peer may not have them. */
  unsent: number
  /** QoS 2 messages that a peer which was given up may not have; the others have them. */
  lost: number
  /** Links that were cut since their peer had confirmed nothing for `lease`. */
  stalled: number
  /** Links that were made again and went on where they had been cut. */
  resumed: number
  /** Changes of routes that were answered before all peers had confirmed them. */
  unconfirmedRoutes: number
  /** Times that a peer had taken this broker for dead. */
  leasesLost: number
  /** Connections that were refused, or ended for what they sent. */
  invalid: number
}

/** Counters at 0. */
export function createCounters(): MeshCounters {
  return {
    sent: 0,
    delivered: 0,
    droppedOutgoing: 0,
    droppedLate: 0,
    refused: 0,
    unsent: 0,
    lost: 0,
    stalled: 0,
    resumed: 0,
    unconfirmedRoutes: 0,
    leasesLost: 0,
    invalid: 0,
  }
}

/** What this process knows of a session that stands in the old store as well. */
export interface Mirror {
  /** The old store keeps it: its expiry interval is above 0. */
  stored: boolean
  hasWill: boolean
  /** Keys of messages in the old store's outgoing queue. */
  readonly queued: Set<string>
  /** Sequences whose packet identifier the old store was told. */
  readonly sent: Set<number>
  /** Packet ids of QoS 2 messages received in this life. */
  readonly received: Set<number>
  /** Subscriptions that the old store has. */
  readonly filters: Set<string>
}

export function newMirror(): Mirror {
  return { stored: false, hasWill: false, queued: new Set(), sent: new Set(), received: new Set(), filters: new Set() }
}

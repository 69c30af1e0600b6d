/** How much a store holds. */
export interface PersistenceCounts {
  /** Sessions with an expiry interval above 0, connected or not. */
  readonly sessions: number
  readonly subscriptions: number
  readonly queuedMessages: number
  readonly retainedMessages: number
  /** Bytes that wait in queues, are retained, and are kept for wills, as counted by `messageBytes`; undefined: the store does not
   * count them. */
  readonly queuedBytes?: number | undefined
  readonly retainedBytes?: number | undefined
  readonly willBytes?: number | undefined
}

/** What `F.open` returns of a session. */
export type OpenedRecord = readonly [
  present: number,
  subscriptions: Buffer[] | 0,
  received: Buffer[],
  sentThrough: number,
  lastSequence: number,
  behind: number,
  dueWill: Buffer,
  previous: Buffer,
  groups: Buffer[],
]

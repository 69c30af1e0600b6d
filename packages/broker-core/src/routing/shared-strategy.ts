import type { SharedStrategy } from '../ground/limits.ts'
import type { GroupMember } from './receiver.ts'

/** Chooses the member at which the search for room begins. */
export interface Turn {
  readonly members: readonly GroupMember[]
  /** Member after the one that was chosen last. */
  readonly cursor: number
  /** Publisher of the message; undefined when it is not known, or the broker itself. */
  readonly publisher: string | undefined
}

/** Each returns an index into `members`, of which there is at least one. */
export const sharedStrategies: Readonly<Record<SharedStrategy, (turn: Turn) => number>> = {
  roundRobin: ({ cursor }) => cursor,
  random: ({ members }) => Math.floor(Math.random() * members.length),
  sticky: ({ members, publisher, cursor }) =>
    publisher === undefined ? cursor : Math.abs(hash(publisher)) % members.length,
  leastInflight: ({ members, cursor }) => {
    let best = cursor
    let fewest = Infinity
    // Begins at the cursor, so that equally idle members take turns.
    for (let step = 0; step < members.length; step += 1) {
      const index = (cursor + step) % members.length
      const inflight = members[index]?.inflight ?? Infinity
      if (inflight >= fewest) continue
      best = index
      fewest = inflight
    }
    return best
  },
}

function hash(text: string): number {
  let value = 0
  for (let index = 0; index < text.length; index += 1) value = (Math.imul(value, 31) + text.charCodeAt(index)) | 0
  return value
}

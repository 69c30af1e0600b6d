import type { HistoryEvent } from '../history.ts'

/** Places at which a client was told that its session is there, and may have been told of another one: Redis had lost its own, and a CONNECT
 * was not answered that may have begun a new one (README of persistence-redis, "Not promised"). */
export function unheardSessions(history: readonly HistoryEvent[]): ReadonlySet<number> {
  const losses = history.flatMap((event, place) => (event.kind === 'loss' ? [{ ...event, place }] : []))
  const found = new Set<number>()
  if (losses.length === 0) return found
  const answered = new Set<number>()
  /** Places at which the sessions of clients began, as they know it. */
  const begun = new Map<string, number>()
  /** Places at which connections of clients ended without an answer, since the last one that had one. */
  const unanswered = new Map<string, number>()
  history.forEach((event, place) => {
    if (event.kind === 'refused') answered.add(event.connection)
    else if (event.kind === 'closed' && !answered.has(event.connection)) unanswered.set(event.client, place)
    else if (event.kind === 'connected') {
      answered.add(event.connection)
      const [began, ended] = [begun.get(event.client) ?? 0, unanswered.get(event.client) ?? 0]
      const isLost = losses.some(
        loss => began < loss.place && ended > loss.place && (loss.everything || began >= loss.since),
      )
      if (event.sessionPresent && isLost) found.add(place)
      if (!event.sessionPresent || found.has(place)) begun.set(event.client, place)
      unanswered.delete(event.client)
    }
  })
  return found
}

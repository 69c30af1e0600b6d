import type { HistoryEvent } from '../history.ts'

/** Milliseconds after which all brokers have noticed that Redis has lost something: their leases end within 10 s. */
const noticing = 15_000
/** Milliseconds in which what a broker was told gets to Redis at the latest, and waiting messages to their sessions. */
const underWay = 15_000
/** Milliseconds for which a session may have been away before an empty Redis has lost what waited for it. */
const longestWait = 60_000

/** A part of the history that Redis has lost: what it has acknowledged and loses is not promised (README of persistence-redis). */
export interface Loss {
  /** Places. What was acknowledged before the first one stands, unless everything was lost. */
  readonly from: number
  readonly through: number
  readonly everything: boolean
}

export function lossesOf(history: readonly HistoryEvent[]): Loss[] {
  return history.flatMap((event, place) => {
    if (event.kind !== 'loss') return []
    const since = event.everything ? event.at - longestWait : (history[event.since]?.at ?? 0) - underWay
    const after = history.findIndex(({ at }) => at > event.at + noticing)
    return [
      {
        from: Math.min(
          history.findIndex(({ at }) => at >= since),
          place,
        ),
        through: after < 0 ? history.length : after - 1,
        everything: event.everything,
      },
    ]
  })
}

/** Whether something that went on between these places may have been lost. */
export function isTouched(losses: readonly Loss[], from: number, through: number): boolean {
  return losses.some(loss => from <= loss.through && through >= loss.from)
}

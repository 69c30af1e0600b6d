import type { HistoryEvent } from '../history.ts'
import { quietPlace } from './session-view.ts'
import type { Violation } from './violation.ts'

/** Milliseconds after which a broker that can't be told that it has lost a session has closed it: its lease of 10 s, and time to notice. */
const grace = 13_000

/** A client identifier has one connection: once another one is accepted, the former gets no messages any more, and ends. A broker that
 * is cut off, or frozen, notices by its lease. MQTT 5.0 §3.1.4 */
export function owner(history: readonly HistoryEvent[]): Violation[] {
  const violations: Violation[] = []
  /** Open connections of each client, in the order of their acceptance. */
  const open = new Map<string, { connection: number; began: number; supersededAt: number; isReported: boolean }[]>()
  const connecting = new Map<number, number>()
  const until = quietPlace(history)
  const report = (client: string, connection: number, what: string): void =>
    void violations.push({ check: 'owner', message: `connection ${connection} of ${client} ${what}` })
  history.forEach((event, place) => {
    if (event.kind === 'connect') connecting.set(event.connection, place)
    if (event.kind === 'connected') {
      const began = connecting.get(event.connection) ?? place
      const others = open.get(event.client) ?? []
      for (const other of others) {
        // The later one, surely, only if it began after the other was accepted.
        if (other.began < began && other.supersededAt === Number.POSITIVE_INFINITY) other.supersededAt = event.at
      }
      open.set(event.client, [
        ...others,
        { connection: event.connection, began: place, supersededAt: Number.POSITIVE_INFINITY, isReported: false },
      ])
    }
    if (event.kind === 'closed') {
      const others = open.get(event.client) ?? []
      open.set(
        event.client,
        others.filter(({ connection }) => connection !== event.connection),
      )
    }
    if (event.kind === 'received') {
      const one = open.get(event.client)?.find(({ connection }) => connection === event.connection)
      if (one !== undefined && !one.isReported && event.at > one.supersededAt + grace) {
        one.isReported = true
        report(
          event.client,
          one.connection,
          `still gets messages (event ${place}) ${event.at - one.supersededAt} ms after another one was accepted`,
        )
      }
    }
    if (place === until) {
      for (const [client, connections] of open) {
        if (connections.length > 1) report(client, connections[0]?.connection ?? 0, 'is still open beside another one')
      }
    }
  })
  return violations
}

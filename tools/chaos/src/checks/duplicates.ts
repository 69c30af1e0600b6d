import type { HistoryEvent } from '../history.ts'
import { isTouched, lossesOf } from './losses.ts'
import type { Loss } from './losses.ts'
import { messagesOf, sessionsOf } from './session-view.ts'
import type { Placed, SessionView } from './session-view.ts'
import type { Violation } from './violation.ts'

/** QoS 2 exactly once, QoS 0 at most once. QoS 1 comes again only on a later connection and with DUP, or because its publisher has sent
 * it again. Of a shared group of QoS 2, one member gets it once. MQTT 5.0 §4.3 */
export function duplicates(history: readonly HistoryEvent[]): Violation[] {
  const messages = messagesOf(history)
  const sessions = sessionsOf(history)
  const connections = connectionsOf(history)
  const losses = lossesOf(history)
  const violations: Violation[] = []
  for (const session of sessions) {
    const firsts = new Map<string, Placed<'received'>>()
    const repeatedWills = new Set<string>()
    /** Places at which a message was received last: its end was not stored before. */
    const lasts = new Map<string, number>()
    for (const event of session.received) {
      const last = lasts.get(event.message) ?? event.place
      lasts.set(event.message, event.place)
      // Retained messages come with each subscribing; one without payload has no name.
      if (event.again || event.retain || event.message === '') continue
      const first = firsts.get(event.message)
      if (first === undefined) {
        firsts.set(event.message, event)
        continue
      }
      const published = messages.get(event.message)
      const wasSentAgain = published !== undefined && published.qos === 1 && published.times > 1
      if (wasSentAgain || mayRepeat(session, first, event, connections)) continue
      // Redis has forgotten that it was acknowledged.
      if (isTouched(losses, first.place, first.place) || isTouched(losses, last, last)) continue
      if (!repeatedWills.has(event.message) && mayPublishWillAgain(history, first, event, connections)) {
        repeatedWills.add(event.message)
        continue
      }
      violations.push(repeated(session.client, first, event))
    }
  }
  return [...violations, ...sharedTwice(sessions, losses)]
}

interface Connections {
  /** Places where connections ended, by number. */
  readonly closed: ReadonlyMap<number, number>
  /** Milliseconds at which they were accepted, by number. */
  readonly accepted: ReadonlyMap<number, number>
  /** Connections with wills, by the message. */
  readonly wills: ReadonlyMap<string, number>
}

function connectionsOf(history: readonly HistoryEvent[]): Connections {
  const [closed, accepted] = [new Map<number, number>(), new Map<number, number>()]
  const wills = new Map<string, number>()
  history.forEach((event, place) => {
    if (event.kind === 'closed') closed.set(event.connection, place)
    else if (event.kind === 'connected') accepted.set(event.connection, event.at)
    else if (event.kind === 'connect' && event.will !== undefined) wills.set(event.will.message, event.connection)
  })
  return { closed, accepted, wills }
}

function mayRepeat(
  session: SessionView,
  first: Placed<'received'>,
  event: Placed<'received'>,
  { closed }: Connections,
): boolean {
  if (event.qos !== 1 || event.connection === first.connection) return false
  // Of two connections that are open together, what the former one has sent may be seen later.
  const wasOpenBefore = event.connection < first.connection || (closed.get(event.connection) ?? 0) > first.place
  return event.dup || isShared(session) || (first.dup && wasOpenBefore)
}

/** Milliseconds: a will that a broker has not confirmed comes back after 30 s. */
const leastReturn = 25_000
/** Milliseconds around the end of a connection in which a fault keeps its broker from confirming: on a busy machine it takes seconds
 * until the routes of the others are known again. */
const confirming = 10_000

/** In a directory. Once more, from another broker, when the one that published it was struck before it could say so (README of persistence-lmdb). In
 * Redis sessions that are stored have it once, as all that watch wills here are. A repetition with DUP, and what waited until its receiver came back, was published some time
 * before, at the earliest when the connection ended. */
function mayPublishWillAgain(
  history: readonly HistoryEvent[],
  first: Placed<'received'>,
  event: Placed<'received'>,
  { closed, accepted, wills }: Connections,
): boolean {
  if (!history.some(one => one.kind === 'begun' && one.store === 'lmdb')) return false
  const ended = history[closed.get(wills.get(event.message) ?? -1) ?? -1]
  if (ended === undefined) return false
  const waited = first.dup || (accepted.get(first.connection) ?? 0) > ended.at
  if (event.at - (waited ? ended.at : first.at) < leastReturn) return false
  return history.some(one => one.kind === 'fault' && one.at >= ended.at - confirming && one.at <= first.at + confirming)
}

function isShared({ subscriptions }: SessionView): boolean {
  return subscriptions.some(({ group }) => group !== undefined)
}

function sharedTwice(sessions: readonly SessionView[], losses: readonly Loss[]): Violation[] {
  const violations: Violation[] = []
  const takers = new Map<string, { client: string; event: Placed<'received'> }>()
  for (const session of sessions) {
    const group = session.subscriptions.find(one => one.group !== undefined)?.group
    if (group === undefined) continue
    for (const event of session.received.filter(({ qos, again }) => qos === 2 && !again)) {
      const key = `${group} ${event.message}`
      const taker = takers.get(key)
      if (taker === undefined) takers.set(key, { client: session.client, event })
      else if (taker.client !== session.client && !isTouched(losses, taker.event.place, taker.event.place)) {
        violations.push(repeated(`${taker.client} and ${session.client} of ${group}`, taker.event, event))
      }
    }
  }
  return violations
}

function repeated(who: string, first: Placed<'received'>, second: Placed<'received'>): Violation {
  const dup = second.dup ? 'with DUP' : 'without DUP'
  return {
    check: 'duplicates',
    message: `${second.message} (QoS ${second.qos}, ${second.topic}) was passed on to ${who} at event ${first.place} (connection ${first.connection}) and again, ${dup}, at ${second.place} (connection ${second.connection})`,
  }
}

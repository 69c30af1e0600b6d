import type { HistoryEvent } from '../history.ts'
import { isTouched, lossesOf } from './losses.ts'
import { quietPlace, sessionsOf } from './session-view.ts'
import type { Violation } from './violation.ts'

interface WillConnection {
  readonly message: string
  readonly topic: string
  readonly client: string
  readonly broker: string
  readonly begins: number
  established: number
  disconnecting: number
  closedByPeer: boolean
  ends: number
}

/** No will of a connection that has said DISCONNECT and was heard; one will of each other one. MQTT 5.0 §3.1.2.5
 *
 * Nothing acknowledges a DISCONNECT: it was heard when the broker closed afterwards and no fault has struck that broker or Redis in
 * the life of the connection or soon afterwards. */
export function wills(history: readonly HistoryEvent[]): Violation[] {
  const watchers = sessionsOf(history).filter(
    ({ ends, subscriptions }) =>
      ends === Number.POSITIVE_INFINITY && subscriptions.some(({ plain }) => plain === 'will/#'),
  )
  const counts = new Map<string, number>()
  const ready = Math.max(0, ...watchers.flatMap(({ subscriptions }) => subscriptions.map(({ place }) => place)))
  for (const { received, client } of watchers) {
    for (const { message, again } of received) {
      if (!again) counts.set(`${client} ${message}`, (counts.get(`${client} ${message}`) ?? 0) + 1)
    }
  }
  const violations: Violation[] = []
  const losses = lossesOf(history)
  for (const one of connectionsOf(history)) {
    if (isTouched(losses, one.begins, one.ends)) continue
    if (one.begins < ready || one.ends === Number.POSITIVE_INFINITY) continue
    const wasHeard = one.disconnecting < one.ends && one.closedByPeer && !wasDisturbed(history, one)
    const mustCome = one.established < one.ends && one.disconnecting === Number.POSITIVE_INFINITY
    for (const { client } of watchers) {
      const count = counts.get(`${client} ${one.message}`) ?? 0
      const where = `${one.message} of connection ${one.begins} to ${one.ends} (events)`
      if (count > 0 && wasHeard)
        violations.push({ check: 'wills', message: `${client} got the will ${where} although DISCONNECT was sent` })
      if (count === 0 && mustCome)
        violations.push({ check: 'wills', message: `${client} did not get the will ${where}` })
    }
  }
  return violations
}

function connectionsOf(history: readonly HistoryEvent[]): WillConnection[] {
  const byNumber = new Map<number, WillConnection>()
  const never = Number.POSITIVE_INFINITY
  history.slice(0, quietPlace(history)).forEach((event, place) => {
    if (event.kind === 'connect' && event.will !== undefined) {
      const { message, topic } = event.will
      const { client, broker } = event
      byNumber.set(event.connection, {
        message,
        topic,
        client,
        broker,
        begins: place,
        established: never,
        disconnecting: never,
        closedByPeer: false,
        ends: never,
      })
      return
    }
    const one = 'connection' in event ? byNumber.get(event.connection) : undefined
    if (one === undefined) return
    if (event.kind === 'connected') one.established = place
    else if (event.kind === 'disconnecting') one.disconnecting = place
    else if (event.kind === 'closed') {
      one.ends = place
      one.closedByPeer = event.byPeer
    }
  })
  return [...byNumber.values()]
}

/** Milliseconds a fault may still matter: what it has broken takes so long to be whole. */
const aftermath = 15_000
/** What a broker does after its connection has ended takes at most so long when nothing is broken. */
const handling = 2000

function wasDisturbed(history: readonly HistoryEvent[], { begins, ends, broker }: WillConnection): boolean {
  const from = (history[begins]?.at ?? 0) - aftermath
  const until = (history[ends]?.at ?? 0) + handling
  return history.some(
    event =>
      event.kind === 'fault' &&
      event.at >= from &&
      event.at <= until &&
      (event.target === broker || event.target === 'redis'),
  )
}

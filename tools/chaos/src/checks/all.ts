import type { HistoryEvent } from '../history.ts'
import { delivered } from './delivered.ts'
import { duplicates } from './duplicates.ts'
import { ordered } from './ordered.ts'
import { origin } from './origin.ts'
import { owner } from './owner.ts'
import { retained } from './retained.ts'
import { alive, kept, keys, memory, settled } from './upkeep.ts'
import type { Check, Violation } from './violation.ts'
import { wills } from './wills.ts'

const checks: readonly Check[] = [
  alive,
  settled,
  kept,
  origin,
  delivered,
  duplicates,
  ordered,
  wills,
  retained,
  owner,
  keys,
  memory,
]

/** Everything that was promised and not kept. */
export function violationsOf(history: readonly HistoryEvent[]): Violation[] {
  return checks.flatMap(check => check(history))
}

/** The same where a bridge carries the messages. It passes QoS 1 on again whenever a connection of its own was lost, so such a message may
 * come more than once (README of bridge). */
export function bridgedViolationsOf(history: readonly HistoryEvent[]): Violation[] {
  const onceAtMost = history.map(event => (isRepeatable(event) ? ({ ...event, again: true } as HistoryEvent) : event))
  return [
    ...[alive, settled, kept, origin, delivered, ordered].flatMap(check => check(history)),
    ...duplicates(onceAtMost),
  ]
}

function isRepeatable(event: HistoryEvent): boolean {
  return event.kind === 'received' && event.qos === 1
}

import type { HistoryEvent } from '../history.ts'
import { lossesOf } from './losses.ts'
import { groupBy, quietPlace } from './session-view.ts'
import type { Violation } from './violation.ts'

/** No key is left that nothing explains. */
export function keys(history: readonly HistoryEvent[]): Violation[] {
  return history.flatMap(event =>
    event.kind === 'keys' ? event.keys.map(key => ({ check: 'keys', message: `${key} is left in the store` })) : [],
  )
}

/** No broker ends by itself. */
export function alive(history: readonly HistoryEvent[]): Violation[] {
  return history.flatMap(event =>
    event.kind === 'died' ? [{ check: 'alive', message: `${event.broker} has ended by itself: ${event.reason}` }] : [],
  )
}

/** When the faults are over everyone gets in, and every message is acknowledged. */
export function settled(history: readonly HistoryEvent[]): Violation[] {
  return history.flatMap(event =>
    event.kind === 'quiet' && !event.settled
      ? [{ check: 'settled', message: `the clients did not come to rest: ${event.detail}` }]
      : [],
  )
}

/** A session that is to outlive its connection is there when its client comes back. MQTT 5.0 §3.1.2.11.2 */
export function kept(history: readonly HistoryEvent[]): Violation[] {
  const violations: Violation[] = []
  /** Since which place each has one. */
  const has = new Map<string, number>()
  const losses = lossesOf(history)
  const mayBeLost = (since: number, until: number): boolean =>
    losses.some(({ from, through, everything }) => since <= through && until >= from && (everything || since >= from))
  const persistent = new Map<number, boolean>()
  history.slice(0, quietPlace(history)).forEach((event, place) => {
    if (event.kind === 'connect') {
      persistent.set(event.connection, event.persistent)
      if (event.cleanStart) has.delete(event.client)
    } else if (event.kind === 'disconnecting' && event.endsSession) has.delete(event.client)
    else if (event.kind === 'connected') {
      const since = has.get(event.client)
      if (since !== undefined && !event.sessionPresent && !mayBeLost(since, place)) {
        violations.push({ check: 'kept', message: `the session of ${event.client} was not there at event ${place}` })
      }
      if (!event.sessionPresent) has.delete(event.client)
      if (persistent.get(event.connection) === true && !has.has(event.client)) has.set(event.client, place)
    }
  })
  return violations
}

const mebibyte = 1_048_576
/** Resident bytes of one broker with this load. */
const mostMemory = 350 * mebibyte
/** Growth of a broker between the second and the last third of its life, if that is long enough to say something. */
const mostGrowth = 60 * mebibyte
const fewestSamples = 60

/** The memory of brokers stays flat. Samples are a second apart. */
export function memory(history: readonly HistoryEvent[]): Violation[] {
  const violations: Violation[] = []
  const samples = groupBy(
    history.filter(event => event.kind === 'memory'),
    ({ process }) => process,
  )
  for (const [name, ofProcess] of samples) {
    const bytes = ofProcess.map(one => one.bytes)
    const most = Math.max(...bytes)
    if (most > mostMemory) violations.push({ check: 'memory', message: `${name} took ${most} bytes` })
    if (bytes.length < fewestSamples) continue
    const third = Math.floor(bytes.length / 3)
    const growth = median(bytes.slice(2 * third)) - median(bytes.slice(third, 2 * third))
    if (growth > mostGrowth) violations.push({ check: 'memory', message: `${name} grew by ${growth} bytes` })
  }
  return violations
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0
}

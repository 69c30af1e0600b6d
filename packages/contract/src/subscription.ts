import type { QoS } from '@x/packet'

/** One subscription of one session. MQTT 5.0 §3.8.3.1; a 3.1.1 client has the defaults false, false, 0, undefined. */
export interface Subscription {
  /** Checked by the broker before any part sees it. May be shared: `$share/{ShareName}/{filter}`. */
  readonly filter: string
  /** Granted maximum QoS. */
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: 0 | 1 | 2
  readonly subscriptionIdentifier: number | undefined
}

/** What a subscription takes of the heap in an object with its fields, and in the maps that lead to it. */
const baseBytes = 400
/** The same for each level of a filter with wildcards, up to the depth at which several levels share a node. */
const levelBytes = 200
const countedLevels = 8

/** Bytes of memory to count for a subscription with this filter, a little more than it takes: the limits of brokers and stores are
 * in these. */
export function subscriptionBytes(filter: string): number {
  const bytes = baseBytes + 2 * filter.length
  if (!filter.includes('+') && !filter.includes('#')) return bytes
  let levels = 1
  for (let slash = filter.indexOf('/'); slash >= 0 && levels < countedLevels; slash = filter.indexOf('/', slash + 1)) {
    levels += 1
  }
  return bytes + levels * levelBytes
}

/** How one session receives messages of one topic: all its matching subscriptions together, since a broker that sends
 * one copy must honour the highest QoS and name every identifier ([MQTT5-3.3.4-2], [MQTT5-3.3.4-4]). */
export interface Reception {
  readonly qos: QoS
  readonly retainAsPublished: boolean
  /** In the order of the subscriptions; undefined when there is none. */
  readonly subscriptionIdentifiers: readonly number[] | undefined
}

/** Merges the non-shared subscriptions of one session that match a topic; undefined when `noLocal` leaves none.
 *
 * `own` says whether the message was published by that very session's client. MQTT 5.0 §3.3.4, [MQTT5-3.8.3-3] */
export function mergeSubscriptions(matching: readonly Subscription[], own: boolean): Reception | undefined {
  let qos: QoS | undefined
  let retainAsPublished = false
  // A set: a client may have thousands that match.
  let identifiers: Set<number> | undefined
  for (const subscription of matching) {
    if (own && subscription.noLocal) continue
    if (qos === undefined || subscription.qos > qos) qos = subscription.qos
    if (subscription.retainAsPublished) retainAsPublished = true
    if (subscription.subscriptionIdentifier !== undefined) {
      identifiers ??= new Set()
      identifiers.add(subscription.subscriptionIdentifier)
    }
  }
  return qos === undefined
    ? undefined
    : { qos, retainAsPublished, subscriptionIdentifiers: identifiers && [...identifiers] }
}

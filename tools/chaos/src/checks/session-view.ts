import type { HistoryEvent, QoS } from '../history.ts'
import { isTouched, lossesOf } from './losses.ts'
import { unheardSessions } from './unheard-sessions.ts'

type Event<Kind> = Extract<HistoryEvent, { kind: Kind }>
/** An event with its place in the history. */
export type Placed<Kind> = Event<Kind> & { readonly place: number }

export interface SubscriptionView {
  readonly filter: string
  /** Without `$share` and the name. */
  readonly plain: string
  /** `$share/{ShareName}/{filter}`, if it is one. */
  readonly group: string | undefined
  readonly qos: QoS
  /** Place of its SUBACK. */
  readonly place: number
}

/** What a client saw of one session. MQTT 5.0 §4.1 */
export interface SessionView {
  readonly client: string
  readonly persistent: boolean
  readonly subscriptions: SubscriptionView[]
  readonly received: Placed<'received'>[]
  /** Places; infinite: it was there to the end. */
  readonly begins: number
  ends: number
  /** Numbers of its connections. */
  readonly connections: Set<number>
}

/** The place where the faults and the waiting are over; what comes later is not judged. */
export function quietPlace(history: readonly HistoryEvent[]): number {
  const place = history.findIndex(({ kind }) => kind === 'quiet')
  return place < 0 ? history.length : place
}

/** The sessions of the history, as its clients know of them. */
export function sessionsOf(history: readonly HistoryEvent[]): SessionView[] {
  const sessions: SessionView[] = []
  const current = new Map<string, SessionView>()
  const persistentConnections = new Set<number>()
  const end = (client: string, place: number): void => {
    const session = current.get(client)
    if (session !== undefined) session.ends = place
    current.delete(client)
  }
  const until = quietPlace(history)
  const unheard = unheardSessions(history)
  history.slice(0, until).forEach((event, place) => {
    switch (event.kind) {
      case 'connect':
        if (event.persistent) persistentConnections.add(event.connection)
        if (event.cleanStart) end(event.client, place)
        break
      case 'connected': {
        if (!event.sessionPresent || unheard.has(place)) end(event.client, place)
        let session = current.get(event.client)
        if (session === undefined) {
          session = {
            client: event.client,
            persistent: persistentConnections.has(event.connection),
            subscriptions: [],
            received: [],
            begins: place,
            ends: Number.POSITIVE_INFINITY,
            connections: new Set(),
          }
          current.set(event.client, session)
          sessions.push(session)
        }
        session.connections.add(event.connection)
        break
      }
      case 'subscribed':
        addSubscription(current.get(event.client), event, place)
        break
      case 'received': {
        const session = current.get(event.client)
        if (session?.connections.has(event.connection) === true) session.received.push({ ...event, place })
        break
      }
      case 'disconnecting':
        if (event.endsSession) end(event.client, place)
        break
      case 'closed':
        if (!persistentConnections.has(event.connection)) end(event.client, place)
        break
      default:
        break
    }
  })
  return sessions
}

function addSubscription(session: SessionView | undefined, { filter, qos }: Event<'subscribed'>, place: number): void {
  // One that is made again was there all the time.
  if (session === undefined || session.subscriptions.some(one => one.filter === filter)) return
  const shared = /^\$share\/[^/]+\/(.*)$/.exec(filter)
  session.subscriptions.push({
    filter,
    plain: shared?.[1] ?? filter,
    group: shared === null ? undefined : filter,
    qos,
    place,
  })
}

/** What became of one message on its way to a broker. */
export interface MessageView {
  readonly message: string
  readonly publisher: string
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  readonly empty: boolean
  /** Place where it was sent first. */
  readonly sent: number
  /** How often it was sent. */
  times: number
  /** Place of the PUBACK or PUBREC that took it over; infinite: none came, or Redis may have lost the message since. */
  acknowledged: number
}

/** By name, in the order of sending. Wills are not among them. */
export function messagesOf(history: readonly HistoryEvent[]): Map<string, MessageView> {
  const messages = new Map<string, MessageView>()
  history.slice(0, quietPlace(history)).forEach((event, place) => {
    if (event.kind === 'publish') {
      const known = messages.get(event.message)
      if (known !== undefined) known.times += 1
      else {
        const { message, client: publisher, topic, qos, retain, empty = false } = event
        const acknowledged = Number.POSITIVE_INFINITY
        messages.set(message, { message, publisher, topic, qos, retain, empty, sent: place, times: 1, acknowledged })
      }
    } else if (event.kind === 'acknowledged' && event.step !== 'pubcomp' && event.reasonCode < 0x80) {
      const known = messages.get(event.message)
      if (known !== undefined) known.acknowledged = Math.min(known.acknowledged, place)
    }
  })
  const losses = lossesOf(history)
  const wipes = losses.filter(({ everything }) => everything)
  for (const one of messages.values()) {
    // What is retained stands as long as nothing follows.
    const isGone = one.retain && isTouched(wipes, one.sent, Number.POSITIVE_INFINITY)
    if (isGone || isTouched(losses, one.sent, one.acknowledged)) one.acknowledged = Number.POSITIVE_INFINITY
  }
  return messages
}

/** In the order of their first value. */
export function groupBy<Key, Value>(values: Iterable<Value>, keyOf: (value: Value) => Key): Map<Key, Value[]> {
  const groups = new Map<Key, Value[]>()
  for (const value of values) {
    const group = groups.get(keyOf(value))
    if (group === undefined) groups.set(keyOf(value), [value])
    else group.push(value)
  }
  return groups
}

/** MQTT 5.0 §4.7 */
export function matches(filter: string, topic: string): boolean {
  const levels = topic.split('/')
  const wanted = filter.split('/')
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false
  }
  return wanted.length === levels.length
}

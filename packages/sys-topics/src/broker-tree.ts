import type { BridgeStatus } from '@x/contract'
import { windows } from './load-average.ts'
import { dropped, loadCounters, packetsSent } from './sample.ts'
import type { Sample } from './sample.ts'

type Value = (sample: Sample) => string | number

const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000)

/** What stands under `$SYS/broker/`: the topics of Mosquitto 2, with its names and units. */
const table: Readonly<Record<string, Value>> = {
  version: ({ version }) => `x-broker version ${version}`,
  uptime: ({ uptime }) => `${seconds(uptime)} seconds`,
  'clients/total': ({ counts }) => counts.connectedClients + counts.disconnectedSessions,
  'clients/connected': ({ counts }) => counts.connectedClients,
  'clients/active': ({ counts }) => counts.connectedClients,
  'clients/disconnected': ({ counts }) => counts.disconnectedSessions,
  'clients/inactive': ({ counts }) => counts.disconnectedSessions,
  'clients/expired': ({ counters }) => counters.sessionsExpired,
  'clients/maximum': ({ maximumClients }) => maximumClients,
  'messages/received': ({ counters }) => counters.packetsReceived,
  'messages/sent': ({ counters }) => packetsSent(counters),
  'messages/stored': ({ counts }) => counts.queuedMessages + counts.retainedMessages,
  'store/messages/count': ({ counts }) => counts.queuedMessages + counts.retainedMessages,
  'store/messages/bytes': ({ counts }) => (counts.queuedBytes ?? 0) + (counts.retainedBytes ?? 0),
  'store/queued/bytes': ({ counts }) => counts.queuedBytes ?? 0,
  'store/retained/bytes': ({ counts }) => counts.retainedBytes ?? 0,
  'store/wills/bytes': ({ counts }) => counts.willBytes ?? 0,
  'store/refused/sessions': ({ counters }) => counters.refusedSessions,
  'store/refused/publishes': ({ counters }) => counters.refusedPublishes,
  'publish/messages/received': ({ counters }) => counters.publishesReceived,
  'publish/messages/sent': ({ counters }) => counters.publishesSent,
  'publish/bytes/received': ({ counters }) => counters.publishBytesReceived,
  'publish/bytes/sent': ({ counters }) => counters.publishBytesSent,
  'publish/messages/dropped': ({ counters }) => dropped(counters),
  'bytes/received': ({ counters }) => counters.bytesReceived,
  'bytes/sent': ({ counters }) => counters.bytesSent,
  'subscriptions/count': ({ counts }) => counts.subscriptions,
  'subscriptions/bytes': ({ counts }) => counts.subscriptionBytes,
  'subscriptions/refused': ({ counters }) => counters.subscriptionsRefused,
  'connections/socket/count': ({ counts, listeners }) =>
    listeners.length === 0 ? counts.connectedClients : listeners.reduce((sum, { connections }) => sum + connections, 0),
  'shared_subscriptions/groups': ({ counts }) => counts.sharedGroups,
  'shared_subscriptions/count': ({ counts }) => counts.sharedSubscriptions,
  'retained messages/count': ({ counts }) => counts.retainedMessages,
  'turns/yielded': ({ counters }) => counters.turnsYielded,
  'publish/pauses/refused': ({ counters }) => counters.pausesRefused,
  'clients/logins/delayed': ({ counters }) => counters.loginsDelayed,
  'clients/rates/limited': ({ counters }) => counters.readingRested,
  'lines/summed': ({ counters }) => counters.logLinesSummedUp,
  'heap/current': ({ heap }) => heap,
  'heap/maximum': ({ maximumHeap }) => maximumHeap,
  ...Object.fromEntries(Object.keys(loadCounters).flatMap(loadRows)),
}

function loadRows(name: string): [string, Value][] {
  return windows.map((minutes, index) => [
    `load/${name}/${minutes}min`,
    ({ loads }: Sample) => (loads.get(name)?.[index] ?? 0).toFixed(2),
  ])
}

function bridgeRows({ name, state, counters }: BridgeStatus): [string, string][] {
  const { in: received, out: sent } = counters
  const values: Readonly<Record<string, string | number>> = {
    state,
    connections: counters.connections,
    failures: counters.failures,
    'messages/received': received.messages,
    'messages/sent': sent.messages,
    'bytes/received': received.bytes,
    'bytes/sent': sent.bytes,
    'messages/dropped': droppedBy(received) + droppedBy(sent),
  }
  return Object.entries(values).map(([key, value]) => [`$SYS/broker/bridges/${name}/${key}`, String(value)])
}

function droppedBy({ droppedLoop, droppedTooLarge, refused }: BridgeStatus['counters']['in']): number {
  return droppedLoop + droppedTooLarge + refused
}

/** The topics below `$SYS/broker/` with their payloads. */
export function brokerTree(sample: Sample): [topic: string, payload: string][] {
  const listeners = sample.listeners.map(({ name, connections }): [string, string] => [
    `$SYS/broker/listeners/${name}/connections`,
    String(connections),
  ])
  const errors = Object.entries(sample.counters.errors).map(([code, count]): [string, string] => [
    `$SYS/broker/errors/${code}`,
    String(count),
  ])
  return [
    ...Object.entries(table).map(([name, value]): [string, string] => [`$SYS/broker/${name}`, String(value(sample))]),
    ...listeners,
    ...sample.bridges.flatMap(bridgeRows),
    ...errors,
  ]
}

import { bridgeMetrics, workerMetrics } from './part-metrics.ts'
import { counter, counterBy, gauge } from './metric-row.ts'
import type { LabelledValue, MetricRow } from './metric-row.ts'

/** Values of `code` that get a series of their own. A store of the program's own may report codes of its own; those beyond this
 * number are summed up as `other`, so that a scrape stays bounded. */
export const maximumCodes = 300

/** Every metric of the broker, by its name. Names follow the conventions of Prometheus: a base unit, and `_total` for what only
 * grows. */
export const metricTable: Readonly<Record<string, MetricRow>> = {
  mqtt_broker_info: {
    type: 'gauge',
    help: 'Always 1; its labels tell which broker this is.',
    labels: ['id', 'version'],
    readAll: ({ brokerId, version }) => [{ labels: { id: brokerId, version }, value: 1 }],
  },
  mqtt_uptime_seconds: gauge('Seconds since the broker opened.', sample => sample.uptimeSeconds),

  mqtt_connections_opened_total: counter(
    'Connections that were handed to the broker, whatever became of them.',
    ({ counters }) => counters.connectionsOpened,
  ),
  mqtt_connections_accepted_total: counter(
    'CONNECTs that were accepted.',
    ({ counters }) => counters.connectionsAccepted,
  ),
  mqtt_connections_refused_total: counter(
    'CONNECTs that were refused, and connections that a listener refused.',
    ({ counters }) => counters.connectionsRefused,
  ),
  mqtt_listener_connections: {
    type: 'gauge',
    help: 'Open connections of a listener, by its name.',
    labels: ['listener'],
    readAll: ({ listeners }) =>
      listeners.map(({ name, connections }) => ({ labels: { listener: name }, value: connections })),
  },
  mqtt_clients_connected: gauge('Clients that are connected to this broker.', ({ counts }) => counts.connectedClients),
  mqtt_sessions_disconnected: gauge(
    'Sessions that wait for their client to come back.',
    ({ counts }) => counts.disconnectedSessions,
  ),
  mqtt_sessions_stored: gauge(
    'Sessions that outlive their connection, connected or not.',
    ({ counts }) => counts.sessions,
  ),
  mqtt_sessions_expired_total: counter(
    'Sessions that ended because their expiry interval had passed.',
    ({ counters }) => counters.sessionsExpired,
  ),

  mqtt_received_bytes_total: counter('Bytes received, of all packets.', ({ counters }) => counters.bytesReceived),
  mqtt_sent_bytes_total: counter('Bytes sent, of all packets.', ({ counters }) => counters.bytesSent),
  mqtt_packets_received_total: counter(
    'MQTT packets received, of every type.',
    ({ counters }) => counters.packetsReceived,
  ),
  mqtt_packets_sent_total: counter(
    'MQTT packets sent, of every type.',
    ({ counters }) => counters.publishesSent + counters.controlPacketsSent,
  ),
  mqtt_publishes_received_total: counterBy('qos', 'PUBLISH packets received, by their QoS.', ({ counters }) =>
    byQoS(counters.publishesReceived, counters.publishesReceivedQoS1, counters.publishesReceivedQoS2),
  ),
  mqtt_publishes_sent_total: counterBy('qos', 'PUBLISH packets sent, by their QoS.', ({ counters }) =>
    byQoS(counters.publishesSent, counters.publishesSentQoS1, counters.publishesSentQoS2),
  ),
  mqtt_publish_received_bytes_total: counter(
    'Bytes of payload in PUBLISH packets received.',
    ({ counters }) => counters.publishBytesReceived,
  ),
  mqtt_publish_sent_bytes_total: counter(
    'Bytes of payload in PUBLISH packets sent.',
    ({ counters }) => counters.publishBytesSent,
  ),
  mqtt_messages_dropped_total: counterBy(
    'reason',
    'Messages that a client was to get and did not, by the reason.',
    ({ counters }) => ({
      outbox_full: counters.droppedOutboxFull,
      queue_full: counters.droppedQueueFull,
      expired: counters.droppedExpired,
      too_large: counters.droppedTooLarge,
    }),
  ),

  mqtt_subscriptions: gauge('Subscriptions of all sessions.', ({ counts }) => counts.subscriptions),
  mqtt_subscription_bytes: gauge(
    'Bytes that the subscriptions of connected clients take.',
    ({ counts }) => counts.subscriptionBytes,
  ),
  mqtt_shared_subscriptions: gauge(
    'Shared subscriptions of connected clients.',
    ({ counts }) => counts.sharedSubscriptions,
  ),
  mqtt_shared_groups: gauge(
    'Different shared subscriptions of connected clients.',
    ({ counts }) => counts.sharedGroups,
  ),
  mqtt_retained_messages: gauge('Retained messages.', ({ counts }) => counts.retainedMessages),
  mqtt_retained_bytes: gauge('Bytes of retained messages.', ({ counts }) => counts.retainedBytes),
  mqtt_queued_messages: gauge('Messages that wait in the queues of sessions.', ({ counts }) => counts.queuedMessages),
  mqtt_queued_bytes: gauge('Bytes that wait in the queues of sessions.', ({ counts }) => counts.queuedBytes),
  mqtt_will_bytes: gauge('Bytes kept for wills.', ({ counts }) => counts.willBytes),

  mqtt_errors_total: {
    type: 'counter',
    help: 'Errors that a peer met, by their code; every limit and refusal is among them.',
    labels: ['code'],
    readAll: ({ counters }) => boundedCodes(counters.errors),
  },
  mqtt_refused_total: counterBy(
    'what',
    'What a limit did not allow: sessions and wills, messages to store, filters to subscribe to.',
    ({ counters }) => ({
      session: counters.refusedSessions,
      publish: counters.refusedPublishes,
      subscription: counters.subscriptionsRefused,
    }),
  ),
  mqtt_malformed_packets_total: counter(
    'Packets that are not what MQTT allows.',
    ({ counters }) => counters.malformedPackets,
  ),
  mqtt_turns_yielded_total: counter(
    'Times that a connection gave way because it had its share of a turn of the event loop.',
    ({ counters }) => counters.turnsYielded,
  ),
  mqtt_publisher_pauses_refused_total: counter(
    'Times that a publisher did not wait for a full receiver, having waited enough for others.',
    ({ counters }) => counters.pausesRefused,
  ),
  mqtt_rates_limited_total: counter(
    'Times that a client was not read for a while because of its limits of packets and bytes per second.',
    ({ counters }) => counters.readingRested,
  ),
  mqtt_logins_delayed_total: counter(
    'Logins that were delayed because their name or address fails too often.',
    ({ counters }) => counters.loginsDelayed,
  ),
  mqtt_log_lines_summed_up_total: counter(
    'Events that have no line of their own in the log, since too many others had one.',
    ({ counters }) => counters.logLinesSummedUp,
  ),

  mqtt_hook_duration_seconds: {
    type: 'histogram',
    help: 'How long asynchronous hooks took, by hook.',
    labels: ['hook'],
    readLatencies: ({ latencies }) =>
      Object.entries(latencies).flatMap(([name, latency]) =>
        name.startsWith('hook ') ? [[{ hook: name.slice('hook '.length) }, latency] as const] : [],
      ),
  },
  mqtt_store_duration_seconds: {
    type: 'histogram',
    help: 'How long an asynchronous store took for a message; a sample: one at a time is measured.',
    labels: [],
    readLatencies: ({ latencies: { store } }) => (store === undefined ? [] : [[{}, store]]),
  },
  mqtt_emitter_duration_seconds: {
    type: 'histogram',
    help: 'How long an asynchronous emitter took for a message; a sample: one at a time is measured.',
    labels: [],
    readLatencies: ({ latencies: { emitter } }) => (emitter === undefined ? [] : [[{}, emitter]]),
  },

  ...bridgeMetrics,
  ...workerMetrics,
}

function byQoS(all: number, atQoS1: number, atQoS2: number): Readonly<Record<string, number>> {
  return { 0: all - atQoS1 - atQoS2, 1: atQoS1, 2: atQoS2 }
}

function boundedCodes(errors: Readonly<Record<string, number>>): readonly LabelledValue[] {
  const entries = Object.entries(errors)
  const shown = entries.slice(0, maximumCodes).map(([code, value]) => ({ labels: { code }, value }))
  const others = entries.slice(maximumCodes).reduce((sum, [, value]) => sum + value, 0)
  return others === 0 ? shown : [...shown, { labels: { code: 'other' }, value: others }]
}

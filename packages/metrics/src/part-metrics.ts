import type { BridgeStatus, WorkerUsage } from '@x/contract'
import { perThing } from './metric-row.ts'
import type { MetricRow } from './metric-row.ts'
import type { Sample } from './sample.ts'

const bridges = ({ bridges: all }: Sample): readonly BridgeStatus[] => all
const workers = ({ workers: all }: Sample): readonly WorkerUsage[] => all
const directions = ['in', 'out'] as const

/** What there is of each bridge. */
export const bridgeMetrics: Readonly<Record<string, MetricRow>> = {
  mqtt_bridge_connected: perThing(
    { type: 'gauge', help: 'Whether a bridge is connected (1) or not (0).', labels: ['bridge'] },
    bridges,
    ({ name, state }) => [[state === 'connected' ? 1 : 0, name]],
  ),
  mqtt_bridge_connections_total: perThing(
    { type: 'counter', help: 'Connections of a bridge that stood.', labels: ['bridge'] },
    bridges,
    ({ name, counters }) => [[counters.connections, name]],
  ),
  mqtt_bridge_failures_total: perThing(
    { type: 'counter', help: 'Attempts of a bridge to connect that failed.', labels: ['bridge'] },
    bridges,
    ({ name, counters }) => [[counters.failures, name]],
  ),
  mqtt_bridge_messages_total: perThing(
    {
      type: 'counter',
      help: 'Messages that went over a bridge; in: to this broker.',
      labels: ['bridge', 'direction'],
    },
    bridges,
    ({ name, counters }) => directions.map(direction => [counters[direction].messages, name, direction]),
  ),
  mqtt_bridge_bytes_total: perThing(
    { type: 'counter', help: 'Bytes of payload that went over a bridge.', labels: ['bridge', 'direction'] },
    bridges,
    ({ name, counters }) => directions.map(direction => [counters[direction].bytes, name, direction]),
  ),
  mqtt_bridge_dropped_total: perThing(
    {
      type: 'counter',
      help: 'Messages that a bridge did not bring over, by the reason.',
      labels: ['bridge', 'direction', 'reason'],
    },
    bridges,
    ({ name, counters }) =>
      directions.flatMap(direction => {
        const { droppedLoop, droppedTooLarge, refused } = counters[direction]
        return [
          [droppedLoop, name, direction, 'loop'],
          [droppedTooLarge, name, direction, 'too_large'],
          [refused, name, direction, 'refused'],
        ] as const
      }),
  ),
}

/** What there is of each worker, where several processes are one broker. */
export const workerMetrics: Readonly<Record<string, MetricRow>> = {
  mqtt_worker_clients_connected: perThing(
    { type: 'gauge', help: 'Clients that are connected to a worker.', labels: ['worker'] },
    workers,
    ({ number, connectedClients }) => [[connectedClients, String(number)]],
  ),
  mqtt_worker_cpu_seconds_total: perThing(
    { type: 'counter', help: 'Seconds of the processor that a worker has taken.', labels: ['worker'] },
    workers,
    ({ number, cpuSeconds }) => [[cpuSeconds, String(number)]],
  ),
  mqtt_worker_resident_memory_bytes: perThing(
    { type: 'gauge', help: 'Memory that a worker takes.', labels: ['worker'] },
    workers,
    ({ number, residentBytes }) => [[residentBytes, String(number)]],
  ),
  mqtt_worker_event_loop_delay_seconds: perThing(
    {
      type: 'gauge',
      help: 'How late the event loop of a worker was in the last second, in 99 of 100 looks at most.',
      labels: ['worker'],
    },
    workers,
    ({ number, eventLoopDelay }) => [[eventLoopDelay / 1000, String(number)]],
  ),
}

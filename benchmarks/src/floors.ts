import type { BrokerName } from './brokers.ts'
import type { ScenarioName } from './scenarios.ts'

/** The lowest acceptable ratio of ours to another broker, by metric. Above 1 means: we must be better. */
export type Floors = Readonly<Record<string, Partial<Readonly<Record<BrokerName, number>>>>>

/**
 * What `--check` demands. Ratios alone, because they hold on any machine; well under what is measured on a quiet one,
 * because a shared machine varies by a third. A change that moves a ratio for good moves its floor.
 */
export const floors: Readonly<Record<ScenarioName, Floors>> = {
  'qos0-1-1': { rate: { aedes: 20, mosquitto: 15 } },
  'qos1-1-1': { rate: { aedes: 6, mosquitto: 6 } },
  'qos2-1-1': { rate: { aedes: 5, mosquitto: 4 } },
  'qos0-1-1-v5-properties': { rate: { aedes: 8, mosquitto: 8 } },
  'qos0-1-1-topics': { rate: { aedes: 10, mosquitto: 8 } },
  'hook-sync': { rate: { aedes: 5 } },
  'hook-callback': { rate: { aedes: 5 } },
  'hook-async': { rate: { aedes: 4 } },
  'access-1-1': { rate: { mosquitto: 12 } },
  'access-publishers-1000': { rate: { mosquitto: 0.6 } },
  'bridge-qos0': { rate: { mosquitto: 1 } },
  'bridge-qos1': { rate: { mosquitto: 1 } },
  'fanout-100': { rate: { aedes: 40, mosquitto: 20 } },
  'fanout-1000': { rate: { aedes: 35, mosquitto: 18 } },
  'fanin-100-1': { rate: { aedes: 50, mosquitto: 12 } },
  'pairs-100': { rate: { aedes: 5, mosquitto: 3.5 } },
  'publishers-1000': { rate: { aedes: 1.1, mosquitto: 0.65 } },
  'ws-1-1': { rate: { aedes: 20, mosquitto: 3 } },
  'ws-1-1-many': { rate: { aedes: 20, mosquitto: 3 } },
  'ws-fanout-1000': { rate: { aedes: 50, mosquitto: 20 } },
  'ws-fanout-1000-many': { rate: { aedes: 50, mosquitto: 20 } },
  'tls-1-1': { rate: { aedes: 4, mosquitto: 5 } },
  'tls-fanout-1000': { rate: { aedes: 5, mosquitto: 8 } },
  'shared-fanin': { rate: { mosquitto: 0.8 } },
  'emqx-fanout': { rate: { aedes: 10, mosquitto: 8 } },
  'latency-1-1': { p50: { aedes: 1, mosquitto: 0.7 }, p99: { aedes: 0.7, mosquitto: 0.5 } },
  'idle-10000': { memory: { aedes: 1.8, mosquitto: 0.08 } },
  'connect-storm': { rate: { aedes: 1.5, mosquitto: 0.6 } },
  retained: {
    exact: { aedes: 10, mosquitto: 0.4 },
    'a/+/J': { aedes: 10, mosquitto: 1 },
    '#': { aedes: 4, mosquitto: 1.2 },
  },
  'offline-queue': { both: { aedes: 2.5, mosquitto: 0.6 }, drain: { aedes: 2.5, mosquitto: 0.4 } },
  'wildcard-100k': { rate: { aedes: 2, mosquitto: 1.3 } },
}

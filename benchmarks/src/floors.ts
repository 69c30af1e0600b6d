import type { BrokerName } from './brokers.ts'
import type { ScenarioName } from './scenarios.ts'

/** The lowest acceptable ratio of ours to another broker, by metric. Above 1 means: we must be better. */
export type Floors = Readonly<Record<string, Partial<Readonly<Record<BrokerName, number>>>>>

/**
 * What `--check` demands. Ratios alone, because they hold on any machine; well under what is measured on a quiet one,
 * because a shared machine varies by a third. A change that moves a ratio for good moves its floor.
 */
export const floors: Readonly<Record<ScenarioName, Floors>> = {
  'qos0-1-1': { rate: { aedes: 8, mosquitto: 5 } },
  'qos1-1-1': { rate: { aedes: 3, mosquitto: 3 } },
  'qos2-1-1': { rate: { aedes: 2, mosquitto: 2 } },
  'qos0-1-1-v5-properties': { rate: { aedes: 4, mosquitto: 3 } },
  'qos0-1-1-topics': { rate: { aedes: 4, mosquitto: 3 } },
  'hook-sync': { rate: { aedes: 5 } },
  'hook-callback': { rate: { aedes: 5 } },
  'hook-async': { rate: { aedes: 5 } },
  'fanout-100': { rate: { aedes: 15, mosquitto: 10 } },
  'fanout-1000': { rate: { aedes: 15, mosquitto: 10 } },
  'fanin-100-1': { rate: { aedes: 15, mosquitto: 5 } },
  'pairs-100': { rate: { aedes: 3, mosquitto: 2 } },
  'publishers-1000': { rate: { aedes: 1.1, mosquitto: 0.65 } },
  'ws-1-1': { rate: { aedes: 1.5, mosquitto: 1.5 } },
  'ws-fanout-1000': { rate: { aedes: 1.5, mosquitto: 1.5 } },
  'tls-1-1': { rate: { aedes: 1.5, mosquitto: 1.5 } },
  'tls-fanout-1000': { rate: { aedes: 1.5, mosquitto: 1.5 } },
  'shared-fanin': { rate: { mosquitto: 0.8 } },
  'emqx-fanout': { rate: { aedes: 5, mosquitto: 3 } },
  'latency-1-1': { p50: { aedes: 1, mosquitto: 0.5 }, p99: { aedes: 1, mosquitto: 0.4 } },
  'idle-10000': { memory: { aedes: 1.5, mosquitto: 0.05 } },
  'connect-storm': { rate: { aedes: 1, mosquitto: 0.5 } },
  retained: {
    exact: { aedes: 0.8, mosquitto: 0.3 },
    'a/+/J': { aedes: 1, mosquitto: 0.5 },
    '#': { aedes: 1, mosquitto: 0.5 },
  },
  'offline-queue': { both: { aedes: 1, mosquitto: 0.5 }, drain: { aedes: 1, mosquitto: 0.5 } },
  'wildcard-100k': { rate: { aedes: 2, mosquitto: 1 } },
}

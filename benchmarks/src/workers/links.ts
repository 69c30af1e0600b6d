import type { ThroughputScenario } from '../scenarios.ts'
import { type Cost, measureScenario } from './cpu-per-message.ts'

/** As many publishers and as many subscribers as there are workers: every worker sends to every other one, and each message is
 * delivered at each worker. */
export async function measureLinks(workers: number): Promise<Cost> {
  const scenario: ThroughputScenario = {
    kind: 'throughput',
    about: 'every worker to every other one',
    byDefault: false,
    quick: false,
    publishers: workers,
    subscribers: workers,
    qos: 1,
    inFlight: 100,
    payloadBytes: 64,
    topics: 'one',
    filter: 'own topic',
    deliveriesPerMessage: workers,
    version: 4,
    userProperties: 0,
  }
  return measureScenario(scenario, workers)
}

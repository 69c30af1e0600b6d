import { BrokerProcess, type Cores } from './broker-process.ts'
import { brokers, ours } from './brokers.ts'
import type { Broker } from './brokers.ts'
import { runLoad } from './load-process.ts'
import type { LoadPlan } from './load/measure.ts'
import type { LoadResult } from './load/result.ts'
import type { Scenario } from './scenarios.ts'

export type Durations = Pick<LoadPlan, 'warmUpSeconds' | 'measureSeconds' | 'capSeconds'>

/** What came of one run. */
export type Outcome = { readonly result: LoadResult } | { readonly failure: string }

/** Runs one scenario on a broker that is started for it, with a load process of its own. Never rejects. */
export async function measureOnce(
  broker: Broker,
  scenario: Scenario,
  durations: Durations,
  cores: Cores | undefined,
): Promise<Outcome> {
  let started: BrokerProcess | undefined
  let far: BrokerProcess | undefined
  let reading: NodeJS.Timeout | undefined
  try {
    // It shares the core of the load: the broker that is measured has one of its own.
    if (scenario.bridged === true) far = await BrokerProcess.start(brokers[ours], cores?.load)
    const bridgeTo = far === undefined ? {} : { bridgeTo: far.port }
    started = await BrokerProcess.start(broker, cores?.broker, { ...scenario, ...bridgeTo })
    if (broker.hasMetrics === true) reading = readEverySecond(`http://127.0.0.1:${started.port + 1}/metrics`)
    const subscriberPort = far === undefined ? {} : { subscriberPort: far.port }
    const plan = { port: started.port, ...subscriberPort, brokerPid: started.pid, ...durations }
    const result = await runLoad({ scenario, plan }, cores?.load)
    return started.running ? { result } : { failure: 'the broker ended' }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  } finally {
    clearInterval(reading)
    await started?.close()
    await far?.close()
  }
}

/** Fifteen times as often as Prometheus does by itself, since a run is short. */
function readEverySecond(url: string): NodeJS.Timeout {
  return setInterval(() => {
    // The last one may come when the broker has ended.
    fetch(url)
      .then(response => response.text())
      .catch(() => undefined)
  }, 1000)
}

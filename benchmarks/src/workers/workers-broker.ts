import { setTimeout as wait } from 'node:timers/promises'
import { BrokerProcess } from '../broker-process.ts'
import { type Broker, brokers, ours } from '../brokers.ts'
import { cpuOf, processesOf } from '../load/process-usage.ts'

const lookEveryMs = 300
/** CPU seconds in that time, of all processes together: they have started. */
const settledSeconds = 0.03
const longestStartMs = 30_000

/** Our broker with so many workers, in memory. */
export function brokerWith(workers: number, ...parameters: readonly string[]): Broker {
  const store = ['--memory', '--workers', `${workers}`, ...parameters]
  const { command } = brokers[ours]
  return { ...brokers[ours], command: (port, directory, served) => command(port, directory, { ...served, store }) }
}

/** Started, and every worker accepts connections.
 * @param core for all of its processes; undefined: wherever the system puts them */
export async function startWorkers(broker: Broker, workers: number, core?: number): Promise<BrokerProcess> {
  const started = await BrokerProcess.start(broker, core, {}, longestStartMs)
  const wanted = workers === 1 ? 1 : workers + 1
  for (let waited = 0; waited < longestStartMs; waited += lookEveryMs) {
    const before = used(started.pid)
    await wait(lookEveryMs)
    if (processesOf(started.pid).length >= wanted && used(started.pid) - before < settledSeconds) return started
  }
  await started.close()
  throw new Error(`${workers} workers were not there, or not quiet, after ${longestStartMs} ms`)
}

function used(pid: number): number {
  return processesOf(pid).reduce((sum, one) => {
    const { user = 0, kernel = 0 } = cpuOf(one) ?? {}
    return sum + user + kernel
  }, 0)
}

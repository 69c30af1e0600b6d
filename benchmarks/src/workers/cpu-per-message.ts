import { chooseCores } from '../broker-process.ts'
import { runLoad } from '../load-process.ts'
import type { LoadResult } from '../load/result.ts'
import { compact } from '../report.ts'
import type { Scenario, ScenarioName } from '../scenarios.ts'
import { scenarios } from '../scenarios.ts'
import { median } from '../statistics.ts'
import { brokerWith, startWorkers } from './workers-broker.ts'

const measureSeconds = 1.5
const capSeconds = 30
const mostWarmUpSeconds = 4

/** Each process compiles its code, and on one core they do so one after the other. */
function warmUpSecondsOf(workers: number): number {
  return Math.min(workers, mostWarmUpSeconds)
}

/** Those of the README that the number of workers concerns. */
export const usualScenarios = ['publishers-1000', 'pairs-100', 'fanout-1000', 'connect-storm', 'latency-1-1'] as const

/** What one message (acknowledgement, delivery, connection) takes of all the broker's processes together, in µs. */
export interface Cost {
  readonly all: number
  /** The part of it in the kernel. */
  readonly kernel: number
  /** The part of it in the primary; without one, that of the only process. */
  readonly first: number
  /** Messages a second, on the core that all the processes share; of `latency-1-1` the median in µs. */
  readonly figure: number
}

/** @throws Error when nothing can be measured here, or the broker has lost something */
export function costOf(result: LoadResult, seconds: number): Cost {
  const { brokerCpu, brokerKernelCpu, brokerFirstCpu, metrics, delivered, expected } = result
  if (brokerCpu === null || brokerKernelCpu === null || brokerFirstCpu === null)
    throw new Error('CPU time of other processes is unknown here')
  if (delivered !== expected) throw new Error(`${delivered} of ${expected} delivered`)
  const figure = metrics[0]?.value ?? Number.NaN
  const perSecond = metrics[0]?.name === 'rate' ? figure : delivered / seconds
  const each = (share: number): number => (share / perSecond) * 1e6
  return { all: each(brokerCpu), kernel: each(brokerKernelCpu), first: each(brokerFirstCpu), figure }
}

/** All the broker's processes share one core, and the load has another one: what workers cost shows, not what they bring. */
export async function measureCost(name: ScenarioName, workers: number, runs: number): Promise<Cost> {
  const costs: Cost[] = []
  for (let run = 0; run < runs; run += 1) costs.push(await measureScenario(scenarios[name], workers))
  const middle = (part: keyof Cost): number => median(costs.map(cost => cost[part]))
  return { all: middle('all'), kernel: middle('kernel'), first: middle('first'), figure: middle('figure') }
}

/** Of a scenario that need not be one of the list. */
export async function measureScenario(scenario: Scenario, workers: number): Promise<Cost> {
  const cores = chooseCores()
  const broker = await startWorkers(brokerWith(workers), workers, cores?.broker)
  try {
    const plan = {
      port: broker.port,
      brokerPid: broker.pid,
      warmUpSeconds: warmUpSecondsOf(workers),
      measureSeconds,
      capSeconds,
    }
    return costOf(await runLoad({ scenario, plan }, cores?.load), measureSeconds)
  } finally {
    await broker.close('SIGTERM')
  }
}

/** `10.7 µs (6.1 kernel, 0.2 primary)` */
export function costText({ all, kernel, first }: Cost, workers: number): string {
  const primary = workers === 1 ? '' : `, ${compact(first)} primary`
  return `${compact(all)} µs (${compact(kernel)} kernel${primary})`
}

// What workers cost and bring: the figures of the README of @x/emitter-mesh, in Markdown. Each `--part` takes under a minute.
import { parseArgs } from 'node:util'
import { places, sharesOf } from '../cpu-profile.ts'
import { busyness, describeMachine, gitCommit } from '../machine.ts'
import { profilesOf } from '../profiled.ts'
import { compact, table } from '../report.ts'
import { scenarios } from '../scenarios.ts'
import { type Cost, costText, measureCost, usualScenarios } from './cpu-per-message.ts'
import { crossScenarios, links, measureCross } from './cross.ts'
import { measureIdleUse } from './idle.ts'
import { measureLinks } from './links.ts'
import { type StepCosts, project, projectionText } from './model.ts'
import { measurePinned } from './pinned.ts'
import { brokerWith, startWorkers } from './workers-broker.ts'

type Rows = readonly (readonly string[])[]

const splitSeconds = 1
const manyWorkers = 16

async function cost(counts: readonly number[]): Promise<Rows> {
  const rows: string[][] = []
  for (const name of named) {
    const costs: Cost[] = []
    for (const workers of counts) costs.push(await measureCost(name, workers, runs))
    const [first] = costs
    const ratios = costs.slice(1).map(({ all }) => compact(all / (first?.all ?? Number.NaN)))
    const cells = costs.map((one, index) => costText(one, counts[index] ?? 1))
    say(rows, [name, ...cells, ratios.join('; ')])
  }
  return [['CPU per message', ...counts.map(count => `${count}`), '× one'], ...rows]
}

async function split(counts: readonly number[]): Promise<Rows> {
  const rows: string[][] = []
  for (const name of named) {
    for (const workers of counts) {
      const start = { measureSeconds: splitSeconds, start: startOf(workers) }
      const shares = sharesOf(await profilesOf(brokerWith(workers), scenarios[name], start))
      const cells = places.map(place => `${Math.round(100 * (shares.get(place) ?? 0))} %`)
      say(rows, [name, `${workers}`, ...cells])
    }
  }
  return [['CPU split', 'workers', ...places], ...rows]
}

function startOf(
  workers: number,
): (...wanted: [ReturnType<typeof brokerWith>, number | undefined]) => ReturnType<typeof startWorkers> {
  return (broker, core) => startWorkers(broker, workers, core)
}

async function pinned(): Promise<Rows> {
  const rates = (await measurePinned()) ?? []
  const [one] = rates
  const rows = rates.map(({ name, rate, brokerCpu, loadCpu }) => [
    name,
    compact(rate),
    compact(rate / (one?.rate ?? Number.NaN)),
    `${Math.round(100 * brokerCpu)} %`,
    `${Math.round(100 * loadCpu)} %`,
    compact((brokerCpu / rate) * 1e6),
  ])
  return [['publishers-1000', 'a second', '× one worker', 'CPU', 'CPU of the load', 'µs each'], ...rows]
}

async function idle(counts: readonly number[]): Promise<Rows> {
  const rows: string[][] = []
  for (const workers of counts) {
    const { memoryBytes, cpu } = await measureIdleUse(workers)
    say(rows, [`${workers}`, `${compact(memoryBytes / 2 ** 20)} MiB`, `${compact(cpu * 100)} %`])
  }
  return [['idle, workers', 'memory', 'CPU'], ...rows]
}

async function linked(counts: readonly number[]): Promise<Rows> {
  const rows: string[][] = []
  for (const workers of counts) {
    const { all, figure } = await measureLinks(workers)
    say(rows, [`${workers}`, `${workers * (workers - 1)}`, compact(figure), `${compact(all)} µs`])
  }
  return [['workers', 'links', 'deliveries a second', 'CPU for each'], ...rows]
}

async function cross(): Promise<Rows> {
  const rows: string[][] = []
  for (const name of crossScenarios) {
    const cells: string[] = []
    for (const link of links) cells.push(await measureCross(link, name))
    say(rows, [name, ...cells])
  }
  return [['from broker to broker', ...links], ...rows]
}

async function costAt(name: (typeof usualScenarios)[number], workers: number): Promise<Cost> {
  return measureCost(name, workers, runs)
}

async function model(): Promise<Rows> {
  const [pair, pairs] = [await costAt('pairs-100', 1), await costAt('pairs-100', manyWorkers)]
  const [delivery, deliveries] = [await costAt('fanout-1000', 1), await costAt('fanout-1000', manyWorkers)]
  const storm = await costAt('connect-storm', manyWorkers)
  const others = (manyWorkers - 1) / manyWorkers
  const costs: StepCosts = {
    publish: (await costAt('publishers-1000', manyWorkers)).all,
    pair: pair.all,
    crossing: Math.max(0, pairs.all - pair.all) / others,
    delivery: delivery.all,
    copy: (Math.max(0, deliveries.all - delivery.all) * 1000) / (manyWorkers - 1),
    connection: storm.all - storm.first,
    handOut: storm.first,
  }
  console.error(JSON.stringify(costs))
  const cores = [4, 16, 64]
  const columns = cores.map(count => project(costs, count))
  const cellsOf = (index: number): string[] =>
    columns.map(column => {
      const row = column[index]
      return row === undefined ? '' : projectionText(row)
    })
  const rows = (columns[0] ?? []).map(({ name }, index) => [name].concat(cellsOf(index)))
  return [['projected, a second', ...cores.map(count => `${count} cores`)], ...rows]
}

const parts: Readonly<Record<string, (counts: readonly number[]) => Promise<Rows>>> = {
  cost,
  split,
  pinned,
  idle,
  links: linked,
  cross,
  model,
}
const usualCounts: Readonly<Record<string, readonly number[]>> = { idle: [1, 2, 4, 8, 16], links: [1, 2, 4, 8, 16] }

/** What has been measured is not lost when the rest fails. */
function say(rows: string[][], row: string[]): void {
  rows.push(row)
  console.error(row.join(' | '))
}

const { values } = parseArgs({
  options: {
    part: { type: 'string' },
    workers: { type: 'string' },
    runs: { type: 'string', default: '1' },
    scenario: { type: 'string' },
  },
})
const runs = Number(values.runs)
const named = usualScenarios.filter(name => values.scenario?.split(',').includes(name) ?? true)
const wanted = values.part?.split(',') ?? Object.keys(parts)
const unknown = wanted.find(name => parts[name] === undefined)
if (unknown !== undefined || !Number.isInteger(runs) || runs < 1) {
  console.error(`--part is one of ${Object.keys(parts).join(', ')}; --runs a whole number from 1`)
  process.exit(2)
}
for (const name of wanted) {
  const counts = values.workers?.split(',').map(Number) ?? usualCounts[name] ?? [1, 2, 4]
  console.log(`\n${table((await parts[name]?.(counts)) ?? [], 1)}`)
}
console.log(
  `\n${gitCommit()}; ${Object.values(describeMachine()).join(', ')}; load average ${busyness().toFixed(2)} per core`,
)

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Cores, chooseCores } from './broker-process.ts'
import { type BrokerName, brokerNames, brokers, ours } from './brokers.ts'
import { type Durations, measureOnce } from './measure-once.ts'
import { busyness, describeMachine, gitCommit } from './machine.ts'
import { type BenchOptions, OptionError, defaultScenarios, helpText, parseOptions } from './options.ts'
import { progressLine, report } from './report.ts'
import { type ScenarioName, quickened, scenarios } from './scenarios.ts'
import { type Run, type Summary, faults, ratiosOf, summarize, underFloor } from './summary.ts'

const full: Durations = { warmUpSeconds: 0.4, measureSeconds: 2, capSeconds: 15 }
const short: Durations = { warmUpSeconds: 0.2, measureSeconds: 0.5, capSeconds: 5 }

/** Load average per core above which something else is running. */
const quietMachine = 0.25

const results = fileURLToPath(new URL('../results', import.meta.url))

/** The brokers to measure, with versions. Throws OptionError when one that was asked for cannot be run. */
function runnable(asked: readonly BrokerName[] | undefined): Map<BrokerName, string> {
  const found = new Map<BrokerName, string>()
  for (const name of asked ?? brokerNames.filter(one => brokers[one].onlyWhenAsked !== true)) {
    const { version, whenMissing } = brokers[name]
    const text = version()
    if (text !== undefined) found.set(name, text)
    else if (asked !== undefined) throw new OptionError(`broker '${name}' cannot be run here: ${whenMissing}`)
    else console.error(`without ${name}: ${whenMissing}`)
  }
  return found
}

async function runOnce(scenario: ScenarioName, name: BrokerName, options: BenchOptions, cores?: Cores): Promise<Run> {
  const sized = options.quick ? quickened(scenarios[scenario]) : scenarios[scenario]
  const outcome = await measureOnce(brokers[name], sized, options.quick ? short : full, cores)
  return { scenario, broker: name, ...outcome }
}

/** Runs everything, brokers taking turns (A B C A B C), so that a change of the machine's mood meets all of them. */
async function runAll(options: BenchOptions, names: readonly BrokerName[], cores?: Cores): Promise<Run[]> {
  const runs: Run[] = []
  for (const scenario of options.scenarios) {
    for (let index = 1; index <= options.runs; index++) {
      for (const name of names) {
        if (brokers[name].lacks.includes(scenario)) continue
        const run = await runOnce(scenario, name, options, cores)
        runs.push(run)
        const outcome = 'result' in run ? progressLine(run.result) : `failed: ${run.failure}`
        console.error(`${scenario} ${index}/${options.runs} ${name}: ${outcome}`)
      }
    }
  }
  return runs
}

/** Which run it was. */
interface Identity {
  readonly date: string
  readonly commit: string
  readonly options: BenchOptions
}

/** Writes `content` to a file named after date and commit, in place of earlier ones; returns the file's name. What has not measured
 * everything takes no place: it is called `part-…`, and is not kept in the repository. */
function save({ date, commit, options }: Identity, content: object): string {
  mkdirSync(results, { recursive: true })
  const isWhole =
    options.brokers === undefined &&
    !options.quick &&
    defaultScenarios(false).every(name => options.scenarios.includes(name))
  const earlier = isWhole ? readdirSync(results).filter(name => name.endsWith('.json')) : []
  for (const name of earlier) rmSync(join(results, name))
  const file = join(results, `${isWhole ? '' : 'part-'}${date.replaceAll(/[:.]/g, '-')}-${commit}.json`)
  writeFileSync(file, `${JSON.stringify(content, undefined, 1)}\n`)
  return file
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (options.help) {
    console.log(helpText())
    return 0
  }
  const versions = runnable(options.brokers)
  const names = [...versions.keys()]
  const cores = chooseCores()
  if (cores === undefined) console.error('broker and load share the cores: taskset or a second core is missing')
  const before = busyness()
  if (before > quietMachine)
    console.error(`the machine is busy (load average ${before.toFixed(2)} per core): numbers will be low`)
  const date = new Date().toISOString()
  const runs = await runAll(options, names, cores)
  const summaries = options.scenarios
    .flatMap(scenario => names.map(name => summarize(runs, scenario, name)))
    .filter((summary): summary is Summary => summary !== undefined)
  const ratios = ratiosOf(summaries)
  const machine = describeMachine()
  console.log(report(summaries, ratios, names))
  console.log(
    `${[...versions].map(([name, version]) => `${name} ${version}`).join(', ')}; ${Object.values(machine).join(', ')}`,
  )
  const commit = gitCommit()
  const identity = { date, commit, machine, versions: Object.fromEntries(versions), cores, options, busyness: before }
  console.log(`written to ${save(identity, { ...identity, summaries, ratios, runs })}`)
  const failures = [...faults(runs), ...(options.check ? underFloor(ratios) : [])]
  if (options.check && !versions.has(ours)) failures.push('nothing to check: our broker was not measured')
  for (const failure of failures) console.error(`FAILED ${failure}`)
  return failures.length === 0 ? 0 : 1
}

const interrupted = 130
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(interrupted))

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof OptionError)) throw error
  console.error(`${error.message}\nTry --help.`)
  process.exitCode = 2
}

// Where the broker's time goes: a CPU profile of our broker in each scenario, by part. Prints Markdown.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BrokerProcess, chooseCores } from './broker-process.ts'
import { type Broker, brokers, ours } from './brokers.ts'
import { type CpuProfile, places, sharesOf } from './cpu-profile.ts'
import { runLoad } from './load-process.ts'
import { describeMachine, gitCommit } from './machine.ts'
import { table } from './report.ts'
import { type ScenarioName, scenarioNames, scenarios } from './scenarios.ts'

const durations = { warmUpSeconds: 0.4, measureSeconds: 4, capSeconds: 30 }

/** Where one event is one message, and batching hides nothing; and the two ends of the scale. */
const usual: readonly ScenarioName[] = [
  'qos0-1-1',
  'qos0-1-1-topics',
  'qos1-1-1',
  'qos2-1-1',
  'fanout-1000',
  'pairs-100',
  'publishers-1000',
  'shared-fanin',
  'latency-1-1',
  'connect-storm',
  'offline-queue',
  'wildcard-100k',
]

function readScenarios(): readonly ScenarioName[] {
  const { values } = parseArgs({ options: { scenario: { type: 'string' } } })
  const wanted = values.scenario?.split(',') ?? usual
  const unknown = wanted.find(name => !(scenarioNames as readonly string[]).includes(name))
  if (unknown !== undefined) throw new RangeError(`unknown scenario '${unknown}'; known: ${scenarioNames.join(', ')}`)
  return wanted as readonly ScenarioName[]
}

async function profileOf(name: ScenarioName): Promise<CpuProfile> {
  const directory = mkdtempSync(join(tmpdir(), 'profile-'))
  const [node, ...rest] = [process.execPath, '--cpu-prof', `--cpu-prof-dir=${directory}`] as const
  const profiled: Broker = {
    ...brokers[ours],
    command: (...wanted) => [node, ...rest, ...brokers[ours].command(...wanted).slice(1)],
  }
  try {
    const broker = await BrokerProcess.start(profiled, cores?.broker, scenarios[name])
    try {
      const plan = { port: broker.port, brokerPid: broker.pid, ...durations }
      await runLoad({ scenario: scenarios[name], plan }, cores?.load)
    } finally {
      await broker.close('SIGTERM')
    }
    const [file] = readdirSync(directory)
    if (file === undefined) throw new Error(`${name}: no profile was written`)
    return JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const cores = chooseCores()
try {
  const rows: string[][] = [['scenario', ...places]]
  for (const name of readScenarios()) {
    const shares = sharesOf(await profileOf(name))
    rows.push([name, ...places.map(place => `${Math.round(100 * (shares.get(place) ?? 0))} %`)])
    console.error(rows.at(-1)?.join(', '))
  }
  console.log(`\n${table(rows, 1)}\n\n${gitCommit()}; ${Object.values(describeMachine()).join(', ')}`)
} catch (error) {
  if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error
  console.error(error.message)
  process.exitCode = 2
}

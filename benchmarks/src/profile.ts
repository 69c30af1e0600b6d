// Where the broker's time goes: a CPU profile of our broker in each scenario, by part. Prints Markdown.
import { parseArgs } from 'node:util'
import { brokers, ours } from './brokers.ts'
import { places, sharesOf } from './cpu-profile.ts'
import { describeMachine, gitCommit } from './machine.ts'
import { profilesOf } from './profiled.ts'
import { table } from './report.ts'
import { type ScenarioName, scenarioNames, scenarios } from './scenarios.ts'

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

try {
  const rows: string[][] = [['scenario', ...places]]
  for (const name of readScenarios()) {
    const shares = sharesOf(await profilesOf(brokers[ours], scenarios[name]))
    rows.push([name, ...places.map(place => `${Math.round(100 * (shares.get(place) ?? 0))} %`)])
    console.error(rows.at(-1)?.join(', '))
  }
  console.log(`\n${table(rows, 1)}\n\n${gitCommit()}; ${Object.values(describeMachine()).join(', ')}`)
} catch (error) {
  if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error
  console.error(error.message)
  process.exitCode = 2
}

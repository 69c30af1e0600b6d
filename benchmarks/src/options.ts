import { parseArgs } from 'node:util'
import { type BrokerName, brokerNames } from './brokers.ts'
import { type ScenarioName, scenarioNames, scenarios } from './scenarios.ts'

/** A command line that cannot be obeyed; the message says what was wrong and what is possible. */
export class OptionError extends Error {
  readonly code = 'OPTION_INVALID'
}

/** What a run measures. */
export interface BenchOptions {
  readonly scenarios: readonly ScenarioName[]
  /** Undefined takes those that can be run here. */
  readonly brokers: readonly BrokerName[] | undefined
  /** Measured runs of each scenario and broker; the median counts. */
  readonly runs: number
  readonly quick: boolean
  readonly check: boolean
  readonly help: boolean
}

const mostRuns = 100
const defaultRuns = 3

/** Reads the command line. Throws OptionError for anything unknown. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { scenario, brokers, runs, quick, check, help } = parseFlags(args)
  return {
    scenarios: scenario === undefined ? defaultScenarios(quick) : names('scenario', scenario, scenarioNames),
    brokers: brokers === undefined ? undefined : names('broker', brokers, brokerNames),
    runs: runs === undefined ? (quick ? 1 : defaultRuns) : parseRuns(runs),
    quick,
    check,
    help,
  }
}

interface Flags {
  readonly scenario?: string
  readonly brokers?: string
  readonly runs?: string
  readonly quick: boolean
  readonly check: boolean
  readonly help: boolean
}

function parseFlags(args: readonly string[]): Flags {
  try {
    return parseArgs({
      args: [...args],
      options: {
        scenario: { type: 'string' },
        brokers: { type: 'string' },
        runs: { type: 'string' },
        quick: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (cause) {
    throw new OptionError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/** What is measured unless scenarios are named. */
export function defaultScenarios(quick: boolean): readonly ScenarioName[] {
  return scenarioNames.filter(name => (quick ? scenarios[name].quick : scenarios[name].byDefault))
}

function names<Name extends string>(what: string, list: string, known: readonly Name[]): readonly Name[] {
  if (list === 'all') return known
  const wanted = list.split(',').map(name => name.trim())
  for (const name of wanted) {
    if (!known.some(one => one === name)) {
      throw new OptionError(`unknown ${what} '${name}'; known: ${known.join(', ')}, or all`)
    }
  }
  return known.filter(name => wanted.includes(name))
}

function parseRuns(text: string): number {
  const runs = Number(text)
  if (!Number.isInteger(runs) || runs < 1 || runs > mostRuns) {
    throw new OptionError(`--runs '${text}' is not a whole number from 1 to ${mostRuns}`)
  }
  return runs
}

/** The text of `--help`. */
export function helpText(): string {
  const width = Math.max(...scenarioNames.map(name => name.length))
  const rows = scenarioNames.map(name => {
    const { about, byDefault, quick } = scenarios[name]
    return `  ${name.padEnd(width)}  ${byDefault ? 'd' : ' '}${quick ? 'q' : ' '}  ${about}`
  })
  return `Compares this broker with others, in one run and as ratios.

Usage: npm run bench -- [options]
  --scenario NAME[,NAME]  what to measure, or 'all'; without it those marked d, or q with --quick
  --brokers NAME[,NAME]   of ${brokerNames.join(', ')}; without it all that can be run here, but x-metrics and x-tracing
  --runs N                runs of each, the median counts (default ${defaultRuns}, 1 with --quick)
  --quick                 shorter and fewer: tells that everything runs, not how fast
  --check                 fail when a ratio is under its floor
  --help                  this text

Scenarios:
${rows.join('\n')}

Exit code: 0; 1 when our broker lost or duplicated a message, failed, or (--check) is under a floor; 2 for bad options.
`
}

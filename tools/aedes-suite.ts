// Runs Aedes's own tests, as its npm package brings them, against this broker: only `../aedes.js` is another. Each test passes or
// stands in MIGRATION.md with its reason; a row there of a test that passes is an error too.
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const tests = join(root, 'packages/aedes-compat/node_modules/aedes/test')
const inside = (file: string): string => join(root, 'tools/aedes-suite', file)
/** Needs Docker. */
const left = new Set(['drain-toxiproxy.js', 'helper.js'])
/** What `timed-test.mjs` puts before the name of a private test. */
const mark = 'private: '
/** They wait for less than one of our ticks takes, or measure the machine. */
const passAtTimes = new Set([
  'will.js: delete old broker',
  'drain-timeout.js: E2E: drainTimeout disconnects slow client after TCP backpressure',
  'drain-timeout.js: E2E: without drainTimeout, slow client impairs system throughput',
])
/** They mostly wait. */
const filesAtATime = 6

interface Outcome {
  readonly file: string
  readonly name: string
  /** It tests what Aedes neither exports nor documents. */
  readonly isPrivate: boolean
  readonly passed: boolean
  readonly error: string
}

function outcomeOf(line: string, file: string): Outcome {
  const told = JSON.parse(line) as Omit<Outcome, 'file' | 'isPrivate'>
  return { ...told, file, name: told.name.replace(mark, ''), isPrivate: told.name.startsWith(mark) }
}

function runFile(file: string): Promise<readonly Outcome[]> {
  const parameters = [
    '--no-warnings',
    '--test-force-exit',
    '--test-reporter-destination=stdout',
    `--test-reporter=${inside('reporter.mjs')}`,
    `--import=${inside('replace-import.mjs')}`,
    join(tests, file),
  ]
  return new Promise((resolve, reject) => {
    let lines = ''
    const child = spawn(process.execPath, parameters, { cwd: join(tests, '..'), stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.on('data', chunk => (lines += chunk))
    child.on('error', reject)
    child.on('close', () => {
      const outcomes = lines.split('\n').filter(line => line.startsWith('{"name"'))
      resolve(outcomes.map(line => outcomeOf(line, file)))
    })
  })
}

async function runAll(): Promise<readonly Outcome[]> {
  const waiting = readdirSync(tests).filter(file => /\.c?js$/.test(file) && !left.has(file))
  const outcomes: Outcome[] = []
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) outcomes.push(...(await runFile(file)))
  }
  await Promise.all(Array.from({ length: filesAtATime }, work))
  return outcomes
}

/** Some tests give the broker 50 ms, or open 500 connections: where others have the cores, they fail. Their files run once more, one at
 * a time, and what passes then passes. */
async function againAlone(outcomes: readonly Outcome[]): Promise<readonly Outcome[]> {
  const passedAlone = new Set<string>()
  for (const file of new Set(outcomes.filter(isUnexplained).map(outcome => outcome.file))) {
    for (const outcome of await runFile(file)) if (outcome.passed) passedAlone.add(titleOf(outcome))
  }
  return outcomes.map(outcome => ({ ...outcome, passed: outcome.passed || passedAlone.has(titleOf(outcome)) }))
}

/** Rows of the tables under "Aedes's tests that do not pass": file and name, as `| file.js | name | reason |`. */
function explained(): ReadonlySet<string> {
  const [, section = ''] = readFileSync(join(root, 'packages/broker/MIGRATION.md'), 'utf8').split(
    "\n## Aedes's own tests\n",
  )
  const rows = [...section.matchAll(/^\| `(?<file>[^`]+)` +\| `(?<name>[^`]+)` +\|/gm)]
  return new Set(rows.map(({ groups = {} }) => `${groups['file']}: ${groups['name']}`))
}

const titleOf = ({ file, name }: Outcome): string => `${file}: ${name.trim().replaceAll('|', '\\|')}`
const reasons = explained()
const isUnexplained = (outcome: Outcome): boolean => !outcome.passed && !reasons.has(titleOf(outcome))
const outcomes = await againAlone(await runAll())
const unexplained = outcomes.filter(isUnexplained)
const passedAfterAll = outcomes.filter(
  outcome => outcome.passed && reasons.has(titleOf(outcome)) && !passAtTimes.has(titleOf(outcome)),
)
for (const outcome of unexplained) {
  console.error(`not in MIGRATION.md: ${titleOf(outcome)}\n    ${outcome.error.replaceAll(/\s+/g, ' ').slice(0, 200)}`)
}
for (const outcome of passedAfterAll) console.error(`passes, but is in MIGRATION.md: ${titleOf(outcome)}`)
const passing = (some: readonly Outcome[]): string => `${some.filter(({ passed }) => passed).length} of ${some.length}`
console.log(
  `${passing(outcomes.filter(({ isPrivate }) => !isPrivate))} tests of what Aedes exports and documents pass, and ` +
    `${passing(outcomes.filter(({ isPrivate }) => isPrivate))} of its own parts; MIGRATION.md has ${reasons.size} of the others`,
)
process.exitCode = unexplained.length + passedAfterAll.length > 0 ? 1 : 0

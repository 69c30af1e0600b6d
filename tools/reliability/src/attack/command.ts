import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measure } from './measurement.ts'
import type { Measurement } from './measurement.ts'
import { tableOf, writeTable } from './report.ts'
import type { Row } from './row.ts'
import { allRows } from './rows.ts'

const report = fileURLToPath(new URL('../../../../packages/broker/RELIABILITY.md', import.meta.url))
const usage = `npm run attack -- [NAME…] [--list] [--json]
  NAME     runs the rows whose name has this in it; all without one
  --list   lists the names
  --json   prints one JSON object for each row
Without a name the table in packages/broker/RELIABILITY.md is written anew. The exit code is 1 when a bound is exceeded.
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const chosen = positionals.length === 0 ? allRows : positionals.flatMap(rowsOf)
if (values.help || chosen.length === 0) {
  process.stderr.write(usage)
  process.exitCode = 2
} else if (values.list) {
  for (const { name, input } of chosen) process.stdout.write(`${name.padEnd(34)} ${input}\n`)
} else {
  await attackAll()
}

async function attackAll(): Promise<void> {
  const measurements: Measurement[] = []
  for (const row of chosen) {
    const measurement = await measure(row)
    measurements.push(measurement)
    process.stdout.write(values.json ? `${JSON.stringify(measurement)}\n` : `${lineOf(measurement)}\n`)
  }
  if (positionals.length === 0) writeTable(report, tableOf(measurements))
  process.exitCode = measurements.every(({ exceeded }) => exceeded.length === 0) ? 0 : 1
}

function lineOf({ name, cpu, longestTurn, peakMemory, heldMemory, probe99, exceeded }: Measurement): string {
  const figures = [
    `${(cpu / 1000).toFixed(2)} s CPU`,
    `turn ${longestTurn.toFixed(0)} ms`,
    `peak ${(peakMemory / 2 ** 20).toFixed(0)} MB`,
    `held ${(heldMemory / 2 ** 20).toFixed(0)} MB`,
    `p99 ${probe99.toFixed(0)} ms`,
  ]
  return `${exceeded.length === 0 ? 'ok  ' : 'FAIL'} ${name.padEnd(34)} ${figures.join('  ')}${exceeded.length === 0 ? '' : `  [${exceeded.join('; ')}]`}`
}

/** The one with this name, or those that have it in their names. */
function rowsOf(part: string): readonly Row[] {
  const named = allRows.filter(({ name }) => name === part)
  return named.length > 0 ? named : allRows.filter(({ name }) => name.includes(part))
}

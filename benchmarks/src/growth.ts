// How cost grows: our broker alone, one table for each quantity. Prints Markdown.
import { parseArgs } from 'node:util'
import { chooseCores } from './broker-process.ts'
import { brokers, ours } from './brokers.ts'
import { growthTables, type GrowthTable } from './growth-tables.ts'
import type { LoadResult } from './load/result.ts'
import { describeMachine, gitCommit } from './machine.ts'
import { measureOnce } from './measure-once.ts'
import { compact, table } from './report.ts'
import { median } from './statistics.ts'

const durations = { warmUpSeconds: 0.4, measureSeconds: 2, capSeconds: 60 }

interface Options {
  readonly tables: readonly GrowthTable[]
  readonly runs: number
}

function readOptions(): Options {
  const { values } = parseArgs({ options: { table: { type: 'string' }, runs: { type: 'string', default: '3' } } })
  const runs = Number(values.runs)
  if (!Number.isInteger(runs) || runs < 1) throw new RangeError(`--runs '${values.runs}' is not a whole number from 1`)
  const known = growthTables.map(({ name }) => name)
  const wanted = values.table?.split(',') ?? known
  const unknown = wanted.find(name => !known.includes(name))
  if (unknown !== undefined) throw new RangeError(`unknown table '${unknown}'; known: ${known.join(', ')}`)
  return { tables: growthTables.filter(({ name }) => wanted.includes(name)), runs }
}

async function measureTable({ about, quantity, columns, sizes }: GrowthTable, runs: number): Promise<boolean> {
  const rows: string[][] = [[quantity, ...columns.map(({ title }) => title)]]
  let whole = true
  for (const { size, scenario } of sizes) {
    const results: LoadResult[] = []
    for (let run = 0; run < runs; run += 1) {
      const outcome = await measureOnce(brokers[ours], scenario, durations, cores)
      if ('failure' in outcome) {
        console.error(`FAILED ${quantity} ${size}: ${outcome.failure}`)
        whole = false
        continue
      }
      const { result } = outcome
      if (!result.capped && result.delivered !== result.expected) {
        console.error(`FAILED ${quantity} ${size}: ${result.delivered} of ${result.expected} delivered`)
        whole = false
      }
      results.push(result)
    }
    const cells = columns.map(({ value }) => (results.length === 0 ? '-' : compact(median(results.map(value)))))
    console.error(`${quantity} ${size}: ${cells.join(', ')}`)
    rows.push([size, ...cells])
  }
  console.log(`\n${about}\n\n${table(rows, 1)}`)
  return whole
}

const cores = chooseCores()
try {
  const { tables, runs } = readOptions()
  for (const one of tables) if (!(await measureTable(one, runs))) process.exitCode = 1
  console.log(`\n${gitCommit()}; ${Object.values(describeMachine()).join(', ')}; medians of ${runs}`)
} catch (error) {
  if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error
  console.error(error.message)
  process.exitCode = 2
}

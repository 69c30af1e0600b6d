import { readFileSync, writeFileSync } from 'node:fs'
import type { Measurement } from './measurement.ts'
import { bounds, megabyte } from './row.ts'

const beginning = '<!-- attack table: written by npm run attack -->'
const ending = '<!-- end of the attack table -->'

/** A table in Markdown, worst first among its own. */
export function tableOf(measurements: readonly Measurement[]): string {
  const rows = [
    ['attack', 'CPU', 'longest turn', 'peak memory', 'held', "others' p99", 'bounds beside 50 ms and 64 MB'],
    ...measurements.map(row => [
      row.input,
      `${seconds(row.cpu)} s`,
      marked(milliseconds(row.longestTurn), row.longestTurn > bounds.turn),
      marked(megabytes(row.peakMemory), row.peakMemory > row.memoryBound),
      megabytes(row.heldMemory),
      marked(milliseconds(row.probe99), row.probe99 > bounds.probe),
      boundOf(row),
    ]),
  ]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)))
  const lines = rows.map(row => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
  const rule = `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

/** Puts the table between its two markers.
 * @throws Error without them */
export function writeTable(file: string, table: string): void {
  const text = readFileSync(file, 'utf8')
  const [start, end] = [text.indexOf(beginning), text.indexOf(ending)]
  if (start < 0 || end < start) throw new Error(`${file} has no "${beginning}" … "${ending}"`)
  writeFileSync(file, `${text.slice(0, start + beginning.length)}\n\n${table}\n\n${text.slice(end)}`)
}

function boundOf(row: Measurement): string {
  const words: string[] = []
  if (row.memoryOption !== undefined) words.push(`${Math.round(row.memoryBound / megabyte)} MB: ${row.memoryOption}`)
  if (row.also !== undefined) {
    const { name, unit, value, most } = row.also
    words.push(marked(`${name}: ${Math.round(value)} ${unit} of ${most}`, value > most))
  }
  if (Number.isNaN(row.cpu)) words.push(row.exceeded.join('; ').slice(0, 200))
  return words.join('; ')
}

function marked(text: string, isExceeded: boolean): string {
  return isExceeded ? `**${text}**` : text
}

function seconds(value: number): string {
  return Number.isNaN(value) ? '?' : (value / 1000).toFixed(1)
}

function milliseconds(value: number): string {
  return Number.isNaN(value) ? '?' : `${value.toFixed(0)} ms`
}

function megabytes(value: number): string {
  return Number.isNaN(value) ? '?' : `${(value / megabyte).toFixed(0)} MB`
}

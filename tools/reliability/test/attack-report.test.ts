import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Measurement } from '../src/attack/measurement.ts'
import { tableOf, writeTable } from '../src/attack/report.ts'

const within: Measurement = {
  name: 'ping',
  input: 'many pings',
  cpu: 1234,
  longestTurn: 12,
  peakMemory: 3 * 2 ** 20,
  heldMemory: 0,
  memoryBound: 64 * 2 ** 20,
  memoryOption: undefined,
  probe99: 5,
  also: undefined,
  exceeded: [],
}

test('what exceeds its bound is marked', () => {
  const table = tableOf([within, { ...within, input: 'worse', longestTurn: 51, peakMemory: 65 * 2 ** 20 }])
  const cells = table.split('\n').map(line => line.split('|').map(cell => cell.trim()))
  expect(cells[2]?.slice(1, 7)).toEqual(['many pings', '1.2 s', '12 ms', '3 MB', '0 MB', '5 ms'])
  expect(cells[3]?.slice(1, 7)).toEqual(['worse', '1.2 s', '**51 ms**', '**65 MB**', '0 MB', '5 ms'])
})

test('a table replaces the one that stands between the markers, and nothing else', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'attack-')), 'page.md')
  const page = (table: string): string =>
    `before\n<!-- attack table: written by npm run attack -->\n\n${table}\n\n<!-- end of the attack table -->\nbehind\n`
  writeFileSync(file, page('old'))
  writeTable(file, 'new')
  expect(readFileSync(file, 'utf8')).toBe(page('new'))
  expect(() => {
    writeFileSync(file, 'without markers')
    writeTable(file, 'new')
  }).toThrow('attack table')
})

import { parseArgs } from 'node:util'
import { judge, median } from './judgement.ts'
import { soak } from './run.ts'
import type { SoakResult } from './run.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
if (!(minutes > 0 && minutes <= 1440 && Number.isInteger(seed) && seed >= 0)) {
  process.stderr.write('soak: --minutes NUMBER (to 1440) --seed WHOLE_NUMBER\n')
  process.exit(2)
}
process.stdout.write(`seed ${seed}, ${minutes} minutes\n`)
const result = await soak(minutes * 60_000, seed)
for (const [name, value] of figures(result)) process.stdout.write(`${name.padEnd(42)} ${value}\n`)
const found = judge(result)
for (const sentence of found) process.stdout.write(`NOT RIGHT ${sentence}\n`)
process.exitCode = found.length === 0 ? 0 : 1

function figures({ lives, tally, first, between, last }: SoakResult): readonly (readonly [string, string])[] {
  const fifth = Math.max(1, Math.floor(between.length / 5))
  const [early, late] = [between.slice(0, fifth), between.slice(-fifth)]
  const memory = (name: 'heapUsed' | 'rss'): string =>
    [first[name], median(early, name), median(late, name), last[name]].map(megabytes).join(', ')
  return [
    ['visits of clients, connections accepted', `${lives}, ${tally.accepted}`],
    ['PUBLISH packets to the broker, from it', `${tally.sent.publishes}, ${tally.received.publishes}`],
    ['packets to the broker, from it', `${tally.sent.packets}, ${tally.received.packets}`],
    ['bytes to the broker, from it', `${tally.sent.bytes}, ${tally.received.bytes}`],
    ['taken over after their client had gone', `${last.toldOfTakeOver.length}`],
    ['heap at first, early, late, at last', memory('heapUsed')],
    ['resident at first, early, late, at last', memory('rss')],
    ['handles at first, at last', `${first.handles}, ${last.handles}`],
  ]
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`
}

import { parseArgs } from 'node:util'
import { reportOf } from './report.ts'
import { run } from './run.ts'
import type { StoreName } from './store-service.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    brokers: { type: 'string' },
    workers: { type: 'string', default: '1' },
    store: { type: 'string', default: 'redis' },
    replicated: { type: 'boolean', default: false },
    'small-disk': { type: 'boolean', default: false },
  },
})

const stores: readonly StoreName[] = ['redis', 'lmdb']
const store = stores.find(name => name === values.store)
const [minutes, seed, workers] = [Number(values.minutes), Number(values.seed), Number(values.workers)]
// One broker of several processes is what several brokers are otherwise.
const brokers = Number(values.brokers ?? (workers === 1 ? '3' : '1'))
const areNumbers =
  minutes > 0 &&
  minutes <= 1440 &&
  Number.isInteger(seed) &&
  seed >= 0 &&
  [brokers, workers].every(number => Number.isInteger(number) && number >= 1 && number <= 16)
const isOdd =
  (store === 'lmdb' && (values.replicated || (workers > 1 && brokers > 1))) ||
  (store === 'redis' && (values['small-disk'] || workers > 1))
if (store === undefined || !areNumbers || isOdd) {
  process.stderr.write(
    'chaos: --minutes NUMBER (to 1440) --seed WHOLE_NUMBER --brokers 1..16 --store redis|lmdb --replicated (redis) --small-disk (lmdb) --workers 1..16 (lmdb, one broker)\n',
  )
  process.exit(2)
}
process.stdout.write(
  `seed ${seed}, ${minutes} minutes of faults, ${brokers} brokers, ${store}${values.replicated ? ', primary and replica' : ''}${values['small-disk'] ? ', small disk' : ''}${workers > 1 ? `, ${workers} workers` : ''}\n`,
)
const ending = new AbortController()
process.once('SIGINT', () => ending.abort())
const milliseconds = minutes * 60_000
const disk = values['small-disk'] ? 'small' : 'large'
const result = await run({
  seed,
  milliseconds,
  brokers,
  store,
  replicated: values.replicated,
  disk,
  workers,
  signal: ending.signal,
})
for (const [name, value] of reportOf(result)) process.stdout.write(`${name.padEnd(56)} ${value}\n`)
for (const { check, message } of result.violations.slice(0, 50))
  process.stdout.write(`VIOLATION ${check}: ${message}\n`)
process.stdout.write(`history and logs: ${result.directory}\n`)
process.exit(result.violations.length === 0 ? 0 : 1)

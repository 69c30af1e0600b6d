import { parseArgs } from 'node:util'
import { runBridged } from './bridged-run.ts'
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
    bridged: { type: 'string' },
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
const version = ([4, 5] as const).find(one => String(one) === values.bridged)
const isBridgeOdd = values.bridged !== undefined && version === undefined
if (store === undefined || !areNumbers || isOdd || isBridgeOdd) {
  process.stderr.write(
    'chaos: --minutes NUMBER (to 1440) --seed WHOLE_NUMBER --brokers 1..16 --store redis|lmdb --replicated (redis) --small-disk (lmdb) --workers 1..16 (lmdb, one broker) --bridged 4|5\n',
  )
  process.exit(2)
}
const setting =
  version === undefined
    ? `${brokers} brokers, ${store}${values.replicated ? ', primary and replica' : ''}${values['small-disk'] ? ', small disk' : ''}${workers > 1 ? `, ${workers} workers` : ''}`
    : `two brokers with a bridge that speaks ${version}`
process.stdout.write(`seed ${seed}, ${minutes} minutes of faults, ${setting}\n`)
const ending = new AbortController()
process.once('SIGINT', () => ending.abort())
const milliseconds = minutes * 60_000
const disk = values['small-disk'] ? 'small' : 'large'
const { replicated } = values
const { signal } = ending
const result =
  version === undefined
    ? await run({ seed, milliseconds, brokers, store, replicated, disk, workers, signal })
    : await runBridged({ seed, milliseconds, version })
for (const [name, value] of reportOf(result)) process.stdout.write(`${name.padEnd(56)} ${value}\n`)
for (const { check, message } of result.violations.slice(0, 50))
  process.stdout.write(`VIOLATION ${check}: ${message}\n`)
process.stdout.write(`history and logs: ${result.directory}\n`)
process.exit(result.violations.length === 0 ? 0 : 1)

import { describeMachine } from '../machine.ts'
import { compact } from '../report.ts'
import { matchComparisons } from './match.ts'
import { publishComparisons } from './publish.ts'
import { Sink, compare } from './time.ts'

const sink = new Sink()
console.log('operations per second: ours, theirs, ratio')
for (const comparison of [...publishComparisons(sink), ...matchComparisons(sink)]) {
  const { about, ours, other } = compare(comparison)
  console.log(
    `${compact(ours).padStart(8)} ${compact(other).padStart(8)} ${(ours / other).toFixed(2).padStart(7)}  ${about}`,
  )
}
console.log(`${Object.values(describeMachine()).join(', ')}; checksum ${sink.sum}`)

/** The fuzzer's process: tries one case after the other, reduces what fails, and tells its parent. */
import { TurnMeter } from '../measure/turn-meter.ts'
import type { Case, Finding } from './case.ts'
import { generate } from './generator.ts'
import { describe, Incidents } from './incidents.ts'
import { reduce } from './reduce.ts'
import { Trial } from './trial.ts'

/** Conversations in one case. */
export const perCase = 40

const [first = '0', cases = '1', seconds = '0', shouldReduce = 'reduce'] = process.argv.slice(2)
const incidents = new Incidents()
incidents.watch()
const meter = new TurnMeter()
meter.start()
const ends = Number(seconds) === 0 ? Number.POSITIVE_INFINITY : performance.now() + Number(seconds) * 1000

async function runCase(trial: Case): Promise<readonly Finding[]> {
  try {
    return await new Trial(trial, { incidents, meter }).run()
  } catch (error) {
    return [{ check: 'call', message: describe(error) }]
  }
}

/** A turn that is long once may be the machine's doing. */
async function confirmed(trial: Case): Promise<readonly Finding[]> {
  let findings = await runCase(trial)
  for (let again = 0; again < 3 && findings.length > 0 && findings.every(({ check }) => check === 'turn'); again++) {
    findings = await runCase(trial)
  }
  return findings
}

for (let index = 0; index < Number(cases) && performance.now() < ends; index++) {
  const seed = Number(first) + index
  process.send?.({ kind: 'trying', seed })
  const trial = generate(seed, perCase)
  const findings = await confirmed(trial)
  if (findings.length > 0) {
    process.send?.({ kind: 'found', seed, findings, small: trial })
    if (shouldReduce === 'reduce') {
      const small = await reduce(trial, findings, runCase)
      process.send?.({ kind: 'reduced', seed, findings, small })
    }
  }
  if (index % 500 === 499) {
    globalThis.gc?.()
    process.send?.({ kind: 'memory', seed, heap: process.memoryUsage().heapUsed })
  }
}
process.send?.({ kind: 'done' })
process.disconnect()

import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Case } from '../src/fuzz/case.ts'
import { Incidents } from '../src/fuzz/incidents.ts'
import { Trial } from '../src/fuzz/trial.ts'
import { TurnMeter } from '../src/measure/turn-meter.ts'

const directory = new URL('./cases/', import.meta.url)
const incidents = new Incidents()
const meter = new TurnMeter()

for (const file of readdirSync(directory)) {
  test(`what the fuzzer once found stays mended: ${file.replace('.json', '').replaceAll('-', ' ')}`, async () => {
    const trial = JSON.parse(readFileSync(new URL(file, directory), 'utf8')) as Case
    incidents.watch()
    try {
      expect(await new Trial(trial, { incidents, meter }).run()).toEqual([])
    } finally {
      incidents.unwatch()
    }
  })
}

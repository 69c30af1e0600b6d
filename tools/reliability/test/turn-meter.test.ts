import { expect, test } from 'vitest'
import { TurnMeter } from '../src/measure/turn-meter.ts'

async function nextTurn(): Promise<void> {
  await new Promise<void>(resolve => void setImmediate(resolve))
}

function compute(milliseconds: number): void {
  const began = process.cpuUsage()
  const used = (): number => process.cpuUsage(began).user + process.cpuUsage(began).system
  while (used() < milliseconds * 1000) {
    // Uses the processor.
  }
}

test('the longest turn is what one turn computed, not what several did together', async () => {
  const meter = new TurnMeter()
  meter.start()
  await nextTurn()
  meter.reset()
  for (let turn = 0; turn < 5; turn++) {
    await nextTurn()
    compute(turn === 2 ? 80 : 20)
  }
  await nextTurn()
  await nextTurn()
  const { cpu, longestTurn } = meter.read()
  // The kernel's account of a thread is some ms late.
  expect(longestTurn).toBeGreaterThan(65)
  expect(longestTurn).toBeLessThan(130)
  expect(cpu).toBeGreaterThan(150)
})

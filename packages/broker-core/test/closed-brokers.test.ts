import { expect, test } from 'vitest'
import { Broker } from '../src/index.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'

/** ms of CPU for a hundred thousand promises, the least of three. */
async function costOfPromises(): Promise<number> {
  let least = Infinity
  for (let round = 0; round < 3; round += 1) {
    const before = process.cpuUsage()
    for (let index = 0; index < 100_000; index += 1) await Promise.resolve()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1000)
  }
  return least
}

test('what a broker has needed to call functions of the program costs nothing once it is closed', async () => {
  const before = await costOfPromises()
  for (let count = 0; count < 100; count += 1) {
    const broker = new Broker({ persistence: new MemoryPersistence() })
    await broker.subscribe('a', () => undefined)
    await broker.publish({ topic: 'a', payload: 'x' })
    await broker.close()
  }
  expect(await costOfPromises()).toBeLessThan(5 * before + 20)
})

import { createBroker } from '@x/broker'
import type { Persistence } from '@x/contract'
import { MemoryPersistence } from '@x/persistence-memory'
import { expect, onTestFinished, test } from 'vitest'
import { metrics } from '../src/index.ts'
import type { MetricsOptions } from '../src/index.ts'

/** A store whose numbers come when and how the test wants. */
function toldPersistence(counts: (plain: Persistence['counts']) => ReturnType<Persistence['counts']>): Persistence {
  const persistence = new MemoryPersistence()
  const plain = persistence.counts.bind(persistence)
  return Object.assign(persistence, { counts: () => counts(plain) })
}

async function start(persistence: Persistence, options: MetricsOptions = {}): Promise<string> {
  const plugin = metrics({ listen: { port: 0 }, storeTimeout: 50, ...options })
  const broker = createBroker({ persistence, plugins: [plugin] })
  onTestFinished(() => broker.close())
  await broker.ready
  return plugin.url ?? ''
}

async function ready(url: string): Promise<[status: number, body: unknown]> {
  const response = await fetch(`${url}/health/ready`)
  return [response.status, await response.json()]
}

test('a broker that works is ready, and alive', async () => {
  const url = await start(new MemoryPersistence())
  expect(await ready(url)).toEqual([200, { status: 'up', reasons: [] }])
  const live = await fetch(`${url}/health/live`)
  expect([live.status, await live.json()]).toEqual([200, { status: 'up', reasons: [] }])
})

test('a store that does not answer makes it unready, and keeps nobody waiting; it is alive all the same', async () => {
  const url = await start(toldPersistence(() => new Promise(() => undefined)))
  const reasons = ['the store has not answered for 50 ms']
  expect(await ready(url)).toEqual([503, { status: 'down', reasons }])
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
})

test('a store that fails is named with its reason, by the scrape too', async () => {
  const url = await start(toldPersistence(() => Promise.reject(new Error('no route to host'))))
  const [status, body] = await ready(url)
  expect(status).toBe(503)
  expect(JSON.stringify(body)).toMatch(/the store failed: .*no route to host/)
  const scrape = await fetch(`${url}/metrics`)
  expect(scrape.status).toBe(503)
  expect(await scrape.text()).toContain('no route to host')
})

test('a store that comes back makes it ready again', async () => {
  let failing = true
  const url = await start(toldPersistence(plain => (failing ? Promise.reject(new Error('away')) : plain())))
  expect((await ready(url))[0]).toBe(503)
  failing = false
  expect((await ready(url))[0]).toBe(200)
})

test('requests that come together ask the store once', async () => {
  let asked = 0
  const url = await start(
    toldPersistence(() => {
      asked += 1
      return new Promise(() => undefined)
    }),
  )
  const answers = await Promise.all(Array.from({ length: 20 }, () => ready(url)))
  expect(answers.every(([status]) => status === 503)).toBe(true)
  expect(asked).toBeLessThan(20)
})

test('the program has a say, also by throwing', async () => {
  const reasons: string[] = ['the configuration is being loaded']
  const url = await start(new MemoryPersistence(), { readiness: () => reasons })
  expect(await ready(url)).toEqual([503, { status: 'down', reasons }])
  reasons.pop()
  expect((await ready(url))[0]).toBe(200)
  const throwing = await start(new MemoryPersistence(), {
    readiness: () => {
      throw new Error('oops')
    },
  })
  expect(await ready(throwing)).toEqual([503, { status: 'down', reasons: ['the option readiness threw: oops'] }])
})

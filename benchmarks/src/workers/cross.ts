import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawnRedis } from '@x/redis-connection/testing'
import { BrokerProcess } from '../broker-process.ts'
import { type Broker, brokers, ours } from '../brokers.ts'
import { runLoad } from '../load-process.ts'
import { compact } from '../report.ts'
import type { RedisJob } from '../redis/load.ts'
import { type RedisScenarioName, redisScenarios } from '../redis/scenarios.ts'

/** Brokers that messages go between. */
export const links = ['emitter-mesh', 'emitter-redis', 'Aedes, mqemitter-redis'] as const
export type Link = (typeof links)[number]
export const crossScenarios = ['redis-cross-qos0', 'redis-cross-qos1', 'redis-wildcard-10000'] as const

const durations = { warmUpSeconds: 0.4, measureSeconds: 1, capSeconds: 10 }
const longestStartMs = 30_000
const longestLoadMs = 60_000
const loadFile = fileURLToPath(new URL('../redis/load.js', import.meta.url))
const aedesServer = fileURLToPath(new URL('../redis/aedes-server.js', import.meta.url))

/** From one broker to another one, deliveries a second and what the publisher's broker takes for each. Brokers and load share the cores. */
export async function measureCross(link: Link, name: RedisScenarioName): Promise<string> {
  const scenario = redisScenarios.find(one => one.name === name)
  if (scenario === undefined) throw new RangeError(`unknown '${name}'`)
  const redis = link === 'emitter-mesh' ? undefined : await spawnRedis()
  const directory = mkdtempSync(join(tmpdir(), 'mesh-'))
  const started: BrokerProcess[] = []
  try {
    const broker = brokerOf(link, redis?.port ?? 0, directory)
    for (let count = 0; count < scenario.brokers; count += 1)
      started.push(await BrokerProcess.start(broker, undefined, {}, longestStartMs))
    const [first] = started
    const plan = { port: first?.port ?? 0, brokerPid: first?.pid ?? 0, ...durations }
    const job: RedisJob = { scenario, plan, ports: started.map(({ port }) => port) }
    const { metrics, brokerCpu } = await runLoad(job, undefined, { file: loadFile, longestMs: longestLoadMs })
    const rate = metrics[0]?.value ?? Number.NaN
    return `${compact(rate)} msg/s, ${compact(((brokerCpu ?? Number.NaN) / rate) * 1e6)} µs`
  } finally {
    for (const one of started) await one.close()
    await redis?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

function brokerOf(link: Link, redisPort: number, directory: string): Broker {
  if (link === 'Aedes, mqemitter-redis')
    return { ...brokers.aedes, command: port => [process.execPath, aedesServer, `${port}`, `${redisPort}`] }
  const store =
    link === 'emitter-mesh' ? ['--memory', '--mesh', directory] : ['--redis', `redis://127.0.0.1:${redisPort}`]
  const { command } = brokers[ours]
  return { ...brokers[ours], command: (port, own, served) => command(port, own, { ...served, store }) }
}

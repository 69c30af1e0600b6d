// This broker beside Aedes with aedes-persistence-redis and mqemitter-redis, all on one Redis that is started for it.
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { spawnRedis } from '@x/redis-connection/testing'
import type { SpawnedRedis } from '@x/redis-connection/testing'
import { BrokerProcess } from '../broker-process.ts'
import { type Broker, brokers } from '../brokers.ts'
import { runLoad } from '../load-process.ts'
import type { LoadResult } from '../load/result.ts'
import { describeMachine, gitCommit } from '../machine.ts'
import { progressLine, report } from '../report.ts'
import { type Run, faults, ratiosOf, summarize } from '../summary.ts'
import type { RedisJob } from './load.ts'
import { type RedisScenario, quickenedRedis, redisScenarios } from './scenarios.ts'

const names = ['x', 'aedes'] as const
type Name = (typeof names)[number]

const full = { warmUpSeconds: 0.4, measureSeconds: 2, capSeconds: 15 }
const short = { warmUpSeconds: 0.2, measureSeconds: 0.5, capSeconds: 5 }
/** 100 000 sessions take their time. */
const longestLoadMs = 600_000
const longestStartMs = 120_000
const loadFile = fileURLToPath(new URL('load.js', import.meta.url))
const aedesServer = fileURLToPath(new URL('aedes-server.js', import.meta.url))

function brokerOf(name: Name, redis: SpawnedRedis): Broker {
  const { command } = brokers[name]
  return {
    ...brokers[name],
    command: (port, directory, served) =>
      name === 'x'
        ? command(port, directory, { ...served, store: ['--redis', redis.url] })
        : [process.execPath, aedesServer, `${port}`, `${redis.port}`],
  }
}

async function measureOnce(scenario: RedisScenario, name: Name, redis: SpawnedRedis): Promise<LoadResult> {
  const broker = brokerOf(name, redis)
  const started: BrokerProcess[] = []
  const start = async (): Promise<BrokerProcess> => {
    const one = await BrokerProcess.start(broker, undefined, {}, longestStartMs)
    started.push(one)
    return one
  }
  const load = async (step?: RedisJob['step']): Promise<LoadResult> => {
    // The publisher's; of stored sessions the one that was started beside them.
    const measured = (step === undefined ? started[0] : started.at(-1)) as BrokerProcess
    const plan = { port: measured.port, brokerPid: measured.pid, ...durations }
    const ports = started.map(({ port }) => port)
    const job: RedisJob = { scenario, plan, ports, ...(step !== undefined && { step }) }
    return runLoad(job, undefined, { file: loadFile, longestMs: longestLoadMs })
  }
  try {
    if (scenario.name !== 'redis-sessions-100000') {
      for (let count = 0; count < scenario.brokers; count += 1) await start()
      return await load()
    }
    await start()
    const filled = await load('fill')
    await started[0]?.close('SIGTERM')
    const startedAt = Date.now()
    await start()
    const opened = await load({ startedAt })
    return { ...opened, metrics: [...filled.metrics, ...opened.metrics] }
  } finally {
    for (const one of started) await one.close()
  }
}

async function runOnce(scenario: RedisScenario, name: Name): Promise<Run> {
  // As empty as the first time: nothing that another broker has left, nor its memory.
  const redis = await spawnRedis()
  try {
    return { scenario: scenario.name, broker: name, result: await measureOnce(scenario, name, redis) }
  } catch (error) {
    return { scenario: scenario.name, broker: name, failure: error instanceof Error ? error.message : String(error) }
  } finally {
    await redis.stop()
  }
}

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    runs: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
  },
})
const durations = values.quick ? short : full
const wanted = values.scenario?.split(',') ?? redisScenarios.map(({ name }) => name as string)
const unknown = wanted.find(name => redisScenarios.every(one => one.name !== name))
const count = values.quick ? 1 : Number(values.runs)
if (unknown !== undefined || !Number.isInteger(count) || count < 1) {
  console.error(unknown === undefined ? `--runs '${values.runs}' is not a whole number from 1` : `unknown '${unknown}'`)
  for (const { name, about } of redisScenarios) console.error(`  ${name.padEnd(22)} ${about}`)
  process.exit(2)
}
const runs: Run[] = []
for (const scenario of redisScenarios.filter(({ name }) => wanted.includes(name))) {
  for (let index = 1; index <= count; index += 1) {
    for (const name of names) {
      const run = await runOnce(values.quick ? quickenedRedis(scenario) : scenario, name)
      runs.push(run)
      const outcome = 'result' in run ? progressLine(run.result) : `failed: ${run.failure}`
      console.error(`${scenario.name} ${index}/${count} ${name}: ${outcome}`)
    }
  }
}
const summaries = wanted.flatMap(scenario => names.flatMap(name => summarize(runs, scenario, name) ?? []))
console.log(report(summaries, ratiosOf(summaries), names))
console.log(`${gitCommit()}; ${Object.values(describeMachine()).join(', ')}; medians of ${count}`)
for (const fault of faults(runs)) {
  console.error(`FAILED ${fault}`)
  process.exitCode = 1
}

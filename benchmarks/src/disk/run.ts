// This broker with its directory beside itself in memory, Aedes on LevelDB, and Mosquitto with its persistence, all on the same disk.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { BrokerProcess } from '../broker-process.ts'
import { type Broker, brokers } from '../brokers.ts'
import { runLoad } from '../load-process.ts'
import { describeMachine, gitCommit } from '../machine.ts'
import { compact, table } from '../report.ts'
import { type DiskScenario, diskScenarios } from './scenarios.ts'

const durations = { warmUpSeconds: 0.3, measureSeconds: 1.5, capSeconds: 15 }
const longestMs = 120_000
const longestStartMs = 20_000
const loadFile = fileURLToPath(new URL('load.js', import.meta.url))
const aedesServer = fileURLToPath(new URL('aedes-server.js', import.meta.url))

function ours(...parameters: readonly string[]): Broker {
  const { command } = brokers.x
  return {
    ...brokers.x,
    command: (port, directory, served) => {
      const store = parameters.map(parameter => (parameter === 'DIR' ? join(directory, 'data') : parameter))
      return command(port, directory, { ...served, store })
    },
  }
}

function mosquitto(...lines: readonly string[]): Broker {
  return {
    ...brokers.mosquitto,
    command: (port, directory) => {
      // It gives its rights away before it writes.
      chmodSync(directory, 0o777)
      const file = join(directory, 'mosquitto.conf')
      const own = ['persistence true', `persistence_location ${directory}/`, ...lines]
      const always = ['allow_anonymous true', 'log_dest none', 'max_queued_messages 0', 'max_inflight_messages 0']
      const where = `listener ${port} 127.0.0.1`
      writeFileSync(file, [where, ...always, 'set_tcp_nodelay true', 'sys_interval 0', ...own, ''].join('\n'))
      return ['mosquitto', '-c', file]
    },
  }
}

const variants: Readonly<Record<string, Broker>> = {
  'x, disk': ours('--data', 'DIR'),
  'x, process': ours('--data', 'DIR', '--data-durability', 'process'),
  'x, interval:1000': ours('--data', 'DIR', '--data-durability', 'interval:1000'),
  'x, memory': ours('--memory'),
  'Aedes, Level': {
    ...brokers.aedes,
    command: (port, directory) => [process.execPath, aedesServer, `${port}`, directory],
  },
  'Mosquitto, every s': mosquitto('autosave_interval 1'),
  'Mosquitto, on change': mosquitto('autosave_interval 1', 'autosave_on_changes true'),
}

async function cellOf(scenario: DiskScenario, broker: Broker): Promise<string> {
  if (broker.version() === undefined) return broker.whenMissing
  const started = await BrokerProcess.start(broker, undefined, {}, longestStartMs)
  try {
    const job = { scenario, plan: { port: started.port, brokerPid: started.pid, ...durations } }
    const { metrics, capped } = await runLoad(job, undefined, { file: loadFile, longestMs })
    const text = metrics
      .filter(({ name }) => name === 'rate' || name === 'written')
      .map(({ value, unit }) => `${compact(value)} ${unit}`)
    return `${text.join(', ')}${capped ? ' (cut short)' : ''}`
  } catch (error) {
    process.exitCode = 1
    return `failed: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    await started.close()
  }
}

const { values } = parseArgs({ options: { scenario: { type: 'string' }, broker: { type: 'string' } } })
const wanted = values.scenario?.split(',') ?? diskScenarios.map(({ name }) => name as string)
const rows: string[][] = []
for (const scenario of diskScenarios.filter(({ name }) => wanted.includes(name))) {
  for (const [name, broker] of Object.entries(variants)) {
    if (values.broker !== undefined && !name.startsWith(values.broker)) continue
    const cell = await cellOf(scenario, broker)
    console.error(`${scenario.name} ${name}: ${cell}`)
    rows.push([scenario.name, name, cell])
  }
}
console.log(table([['scenario', 'broker', 'result'], ...rows], 3))
console.log(`${gitCommit()}; ${Object.values(describeMachine()).join(', ')}`)

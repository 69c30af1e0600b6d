import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BrokerProcess } from '../broker-process.ts'
import { chooseCores } from '../broker-process.ts'
import { brokers } from '../brokers.ts'
import { cpuOf, processesOf } from '../load/process-usage.ts'
import { brokerWith, startWorkers } from './workers-broker.ts'

const source = fileURLToPath(new URL('../../native/publishers.c', import.meta.url))
const connections = 1000
const warmUpSeconds = 1
const measureSeconds = 3

/** What publishers-1000 has come to with a load that needs little. */
export interface PinnedRate {
  readonly name: string
  /** Acknowledgements a second. */
  readonly rate: number
  /** Shares of a core. */
  readonly brokerCpu: number
  readonly loadCpu: number
}

interface Counted {
  readonly acknowledged: number
  readonly seconds: number
  readonly cpuSeconds: number
}

/** One worker, two workers and Mosquitto, each process on one core; the load where there is room. Undefined: there is no C compiler,
 * no second core, or no `taskset`. */
export async function measurePinned(): Promise<readonly PinnedRate[] | undefined> {
  const cores = chooseCores()
  if (cores === undefined || spawnSync('cc', ['--version']).status !== 0) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'publishers-'))
  try {
    const program = join(directory, 'publishers')
    execFileSync('cc', ['-O2', '-o', program, source])
    const rates: PinnedRate[] = []
    const one = await startWorkers(brokerWith(1), 1, cores.broker)
    rates.push(await rateOf({ name: 'one worker', broker: one, program, core: cores.load }))
    const two = await startWorkers(brokerWith(2), 2)
    const [, ...workers] = processesOf(two.pid)
    for (const [index, pid] of workers.entries())
      execFileSync('taskset', ['-a', '-p', '-c', `${index === 0 ? cores.broker : cores.load}`, `${pid}`])
    rates.push(await rateOf({ name: 'two workers', broker: two, program, core: undefined }))
    if (brokers.mosquitto.version() === undefined) return rates
    const mosquitto = await startWorkers(brokers.mosquitto, 1, cores.broker)
    rates.push(await rateOf({ name: 'Mosquitto', broker: mosquitto, program, core: cores.load }))
    return rates
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Pinned {
  readonly name: string
  readonly broker: BrokerProcess
  readonly program: string
  readonly core: number | undefined
}

async function rateOf({ name, broker, program, core }: Pinned): Promise<PinnedRate> {
  try {
    const parameters = [program, `${broker.port}`, `${connections}`, `${warmUpSeconds}`]
    const command = [...(core === undefined ? [] : ['taskset', '-c', `${core}`]), ...parameters]
    const [file = '', ...rest] = command
    // Twice: the first time the code is compiled.
    execFileSync(file, [...rest, '0.1'])
    const before = usedBy(broker)
    const startedAt = performance.now()
    const text = execFileSync(file, [...rest, `${measureSeconds}`], { encoding: 'utf8' })
    const seconds = (performance.now() - startedAt) / 1000
    const { acknowledged, seconds: measured, cpuSeconds } = JSON.parse(text) as Counted
    // Connecting is a small part of it.
    const brokerCpu = (usedBy(broker) - before) / seconds
    return { name, rate: acknowledged / measured, brokerCpu, loadCpu: cpuSeconds / measured }
  } finally {
    await broker.close('SIGTERM')
  }
}

/** CPU seconds of all its processes. */
function usedBy(broker: BrokerProcess): number {
  return processesOf(broker.pid).reduce((all, pid) => {
    const { user, kernel } = cpuOf(pid) ?? { user: 0, kernel: 0 }
    return all + user + kernel
  }, 0)
}

import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { processesOf } from '../load/process-usage.ts'
import { brokerWith, startWorkers } from './workers-broker.ts'

const watchMs = 4000
const kibibyte = 1024

/** What a broker takes when no client is there. */
export interface IdleUse {
  readonly workers: number
  /** Of all processes together; what they share counts once. */
  readonly memoryBytes: number
  /** Share of a core. */
  readonly cpu: number
}

/** @throws Error where /proc does not tell */
export async function measureIdleUse(workers: number): Promise<IdleUse> {
  const broker = await startWorkers(brokerWith(workers), workers)
  try {
    const before = usedSeconds(broker.pid)
    await wait(watchMs)
    const cpu = (usedSeconds(broker.pid) - before) / (watchMs / 1000)
    const memoryBytes = processesOf(broker.pid).reduce((sum, pid) => sum + proportionalBytes(pid), 0)
    return { workers, memoryBytes, cpu }
  } finally {
    await broker.close('SIGTERM')
  }
}

/** From the scheduler, which counts nanoseconds where `stat` counts hundredths of a second. */
function usedSeconds(pid: number): number {
  const threads = processesOf(pid).flatMap(one => readdirSync(`/proc/${one}/task`).map(id => `/proc/${one}/task/${id}`))
  return threads.reduce(
    (sum, thread) => sum + Number(readFileSync(`${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9,
    0,
  )
}

function proportionalBytes(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) * kibibyte
}

import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'

/** Linux reports CPU time to user space in these, whatever the kernel's own tick is. */
const ticksPerSecond = 100
const kibibyte = 1024

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // not Linux, or the process has ended: the value is reported as unknown
  }
}

/** User and system time of all threads of a process in seconds, from the text of /proc/PID/stat. */
export function cpuSecondsOf(stat: string): number {
  // The command name stands in parentheses and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Resident memory in bytes, or null where /proc does not tell. */
export function residentBytes(pid: number): number | null {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')
  return line === null ? null : Number(line[1]) * kibibyte
}

/** Shares of one core, 0…1 (above for several threads). */
export interface CpuShares {
  readonly loadCpu: number
  readonly brokerCpu: number | null
}

/** Measures this process's and the broker's CPU time from its creation on. */
export class CpuMeter {
  readonly #brokerPid: number
  readonly #startedAt = performance.now()
  readonly #load = process.cpuUsage()
  readonly #broker: string | undefined

  constructor(brokerPid: number) {
    this.#brokerPid = brokerPid
    this.#broker = read(`/proc/${brokerPid}/stat`)
  }

  read(): CpuShares {
    const seconds = (performance.now() - this.#startedAt) / 1000
    const { user, system } = process.cpuUsage(this.#load)
    const broker = read(`/proc/${this.#brokerPid}/stat`)
    const loadCpu = (user + system) / 1e6 / seconds
    if (broker === undefined || this.#broker === undefined) return { loadCpu, brokerCpu: null }
    return { loadCpu, brokerCpu: (cpuSecondsOf(broker) - cpuSecondsOf(this.#broker)) / seconds }
  }
}

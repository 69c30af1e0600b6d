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

/** CPU seconds of all threads of a process. */
export interface CpuSeconds {
  readonly user: number
  readonly kernel: number
}

/** From the text of /proc/PID/stat. */
export function cpuSecondsOf(stat: string): CpuSeconds {
  // The command name stands in parentheses and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { user: Number(fields[11]) / ticksPerSecond, kernel: Number(fields[12]) / ticksPerSecond }
}

/** A process and those that it has started, which are the workers of a broker; itself first. */
export function processesOf(pid: number): readonly number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`) ?? ''
  return [pid, ...children.split(' ').filter(Boolean).map(Number)]
}

/** What a process has used until now, or undefined where /proc does not tell. */
export function cpuOf(pid: number): CpuSeconds | undefined {
  const stat = read(`/proc/${pid}/stat`)
  return stat === undefined ? undefined : cpuSecondsOf(stat)
}

/** Resident memory in bytes, or null where /proc does not tell. */
export function residentBytes(pid: number): number | null {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')
  return line === null ? null : Number(line[1]) * kibibyte
}

/** Shares of one core, 0…1 (above for several threads or processes). */
export interface CpuShares {
  readonly loadCpu: number
  /** Of the broker's process and those that it has started. */
  readonly brokerCpu: number | null
  /** The part of it that was spent in the kernel. */
  readonly brokerKernelCpu: number | null
  /** The part of it that the broker's first process took: all of it, or with workers what handing out connections costs. */
  readonly brokerFirstCpu: number | null
}

/** Measures this process's and the broker's CPU time from its creation on. */
export class CpuMeter {
  readonly #startedAt = performance.now()
  readonly #load = process.cpuUsage()
  readonly #before: readonly (readonly [pid: number, used: CpuSeconds])[]

  constructor(brokerPid: number) {
    this.#before = processesOf(brokerPid).flatMap(pid => {
      const used = cpuOf(pid)
      return used === undefined ? [] : [[pid, used] as const]
    })
  }

  read(): CpuShares {
    const seconds = (performance.now() - this.#startedAt) / 1000
    const { user, system } = process.cpuUsage(this.#load)
    const loadCpu = (user + system) / 1e6 / seconds
    const used = this.#before.map(([pid, before]) => {
      const now = cpuOf(pid)
      return now === undefined ? undefined : { user: now.user - before.user, kernel: now.kernel - before.kernel }
    })
    const known = used.filter(one => one !== undefined)
    const [first] = known
    if (first === undefined || known.length < used.length)
      return { loadCpu, brokerCpu: null, brokerKernelCpu: null, brokerFirstCpu: null }
    const kernel = known.reduce((sum, one) => sum + one.kernel, 0)
    const all = known.reduce((sum, one) => sum + one.user, kernel)
    return {
      loadCpu,
      brokerCpu: all / seconds,
      brokerKernelCpu: kernel / seconds,
      brokerFirstCpu: (first.user + first.kernel) / seconds,
    }
  }
}

import { readFileSync, writeFileSync } from 'node:fs'

const bytesPerKilobyte = 1024

/** Resident bytes of a process, now and at most since {@link resetPeak}. Linux only. */
export function residentMemory(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return { now: kilobytes(status, 'VmRSS') * bytesPerKilobyte, peak: kilobytes(status, 'VmHWM') * bytesPerKilobyte }
}

/** From here on {@link residentMemory} looks for a new peak. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

function kilobytes(status: string, name: string): number {
  const line = status.split('\n').find(candidate => candidate.startsWith(`${name}:`))
  return Number(line?.match(/\d+/)?.[0] ?? 0)
}

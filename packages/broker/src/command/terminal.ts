import { writeSync } from 'node:fs'

const standardOutput = 1

/** Whether standard output is a terminal that was closed: it takes nothing, not even nothing. */
export function isTerminalGone(): boolean {
  if (!process.stdout.isTTY) return false
  try {
    writeSync(standardOutput, '')
    return false
  } catch {
    return true
  }
}

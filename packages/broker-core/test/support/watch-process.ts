import { expect, onTestFinished } from 'vitest'

/** What would have ended the process, and what it was warned of. */
export interface WatchedProcess {
  /** Codes of the warnings. */
  readonly warnings: string[]
  /** Lets what is on its way come out, and expects that none of it would have ended the process. */
  expectCalm(): Promise<void>
}

/** Listens to the process for the length of one test. */
export function watchProcess(): WatchedProcess {
  const fatal: unknown[] = []
  const warnings: string[] = []
  const onFatal = (reason: unknown): void => void fatal.push(reason)
  const onWarning = (warning: Error & { code?: string }): void => void warnings.push(warning.code ?? warning.name)
  process.on('unhandledRejection', onFatal)
  process.on('uncaughtException', onFatal)
  process.on('warning', onWarning)
  onTestFinished(() => {
    process.off('unhandledRejection', onFatal)
    process.off('uncaughtException', onFatal)
    process.off('warning', onWarning)
  })
  return {
    warnings,
    expectCalm: async () => {
      for (let turns = 0; turns < 3; turns += 1) await new Promise(setImmediate)
      expect(fatal).toEqual([])
    },
  }
}

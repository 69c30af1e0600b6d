import { spawnSync } from 'node:child_process'
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os'

/** What a result has to be read with. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
}

/** Describes this machine. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: `${platform()} ${release()} ${arch()}`,
    node: process.version,
  }
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

/** The commit that is checked out, with `+changes` when the working tree differs; `unknown` outside of git. */
export function gitCommit(): string {
  const commit = git('rev-parse', '--short=12', 'HEAD')
  if (commit === undefined) return 'unknown'
  return git('status', '--porcelain', '--untracked-files=no') === '' ? commit : `${commit}+changes`
}

/** Processes that wanted to run during the last minute, per core: near 0 on a quiet machine. */
export function busyness(): number {
  const [lastMinute = 0] = loadavg()
  return lastMinute / availableParallelism()
}

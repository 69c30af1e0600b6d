import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endWithUs, pinned } from './broker-process.ts'
import type { DiskJob } from './disk/load.ts'
import type { LoadJob } from './load.ts'
import type { RedisJob } from './redis/load.ts'
import type { LoadResult } from './load/result.ts'

const loadFile = fileURLToPath(new URL('load.js', import.meta.url))
/** Anything above setting up, warming up and the cap of a run: the load process itself hangs. */
const longestRunMs = 120_000
/** Fewer pauses of the load's own garbage collector in a run, MiB. */
const youngGenerationMiB = 64
const stderrTail = 600

interface LoadProgram {
  readonly file: string
  readonly longestMs: number
}

/** Runs one job in a process of its own. Rejects, with the end of its stderr, when it fails or takes over two minutes.
 * @param program of another kind of job */
export function runLoad(
  job: LoadJob | RedisJob | DiskJob,
  core: number | undefined,
  program: LoadProgram = { file: loadFile, longestMs: longestRunMs },
): Promise<LoadResult> {
  const node = [process.execPath, `--max-semi-space-size=${youngGenerationMiB}`, program.file] as const
  const [file, ...args] = pinned(core, [...node, JSON.stringify(job)])
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: program.longestMs,
      killSignal: 'SIGKILL',
    })
    endWithUs(child)
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(output) as LoadResult)
      else reject(new Error(`load process ended with ${signal ?? code}: ${reasonIn(errors)}`))
    })
  })
}

function reasonIn(errors: string): string {
  return /^\w*Error: .*$/m.exec(errors)?.[0] ?? errors.slice(-stderrTail)
}

import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerProcess, chooseCores } from './broker-process.ts'
import type { Broker } from './brokers.ts'
import type { CpuProfile } from './cpu-profile.ts'
import { runLoad } from './load-process.ts'
import type { Scenario } from './scenarios.ts'

const usual = { warmUpSeconds: 0.4, measureSeconds: 4, capSeconds: 30 }

/** How a profiled run differs from the usual one. */
export interface ProfiledRun {
  readonly measureSeconds: number
  /** Starts the broker, and settles when all its processes are there. */
  readonly start: (broker: Broker, core: number | undefined) => Promise<BrokerProcess>
}

/** CPU profiles of all processes of a broker of Node.js while a scenario runs. */
export async function profilesOf(
  broker: Broker,
  scenario: Scenario,
  run: ProfiledRun = {
    measureSeconds: usual.measureSeconds,
    start: (profiled, core) => BrokerProcess.start(profiled, core, scenario),
  },
): Promise<readonly CpuProfile[]> {
  const cores = chooseCores()
  const directory = mkdtempSync(join(tmpdir(), 'profile-'))
  const [node, ...rest] = [process.execPath, '--cpu-prof', `--cpu-prof-dir=${directory}`] as const
  const profiled: Broker = {
    ...broker,
    command: (...wanted) => [node, ...rest, ...broker.command(...wanted).slice(1)],
  }
  try {
    const started = await run.start(profiled, cores?.broker)
    try {
      const plan = { port: started.port, brokerPid: started.pid, ...usual, measureSeconds: run.measureSeconds }
      await runLoad({ scenario, plan }, cores?.load)
    } finally {
      await started.close('SIGTERM')
    }
    const files = readdirSync(directory)
    if (files.length === 0) throw new Error('no profile was written')
    return files.map(file => JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

import { AuthError } from '@x/auth'
import { BrokerError } from '@x/broker-core'
import { stringify } from 'yaml'
import { ConfigProblem } from '../config/config-problem.ts'
import { withoutSecrets } from '../config/hidden-secrets.ts'
import { loadConfig } from '../config/load-config.ts'
import type { Config } from '../config/schema.ts'
import { OwnWorker } from '../workers/own-worker.ts'
import { becomeUser } from './become-user.ts'
import { CommandLog, prettyFormat } from './command-log.ts'
import { BrokerProcess } from './broker-process.ts'
import { PrimaryProcess, workersOf } from './primary-process.ts'
import { print } from './print.ts'
import { readAll } from './read-all.ts'
import type { RunCommand } from './read-all.ts'
import { writePidFile } from './service.ts'
import { startProblem } from './start-problem.ts'

/** Exit codes, as Mosquitto has them where it has one. */
const exitCodes = { start: 1, commandLine: 2, configuration: 3, unreadable: 13, account: 14 } as const

function checkConfiguration(command: RunCommand): void {
  const read = tried(() => readAll(command))
  if (read === undefined) return
  for (const notice of read.notices) print(process.stderr, `${notice}\n`)
  print(process.stderr, `${command.file}: the configuration is OK\n`)
}

function printConfiguration({ task, file, flags }: RunCommand): void {
  const loaded = tried(() => loadConfig({ file, flags, environment: process.env }))
  if (loaded === undefined) return
  const given = stringify(JSON.parse(JSON.stringify(loaded.config)))
  const shown = task === 'printSecrets' ? given : stringify(JSON.parse(JSON.stringify(withoutSecrets(loaded.config))))
  const notices = [...loaded.notices, ...(shown === given ? [] : ['secrets are hidden: --show-secrets prints them'])]
  print(process.stdout, `${notices.map(notice => `# ${notice}\n`).join('')}${shown}`)
}

async function runBroker(command: RunCommand): Promise<void> {
  const worker = OwnWorker.find()
  await startProcess(command, worker)
  // Its channel to the primary would keep a worker that could not start.
  if (worker !== undefined && process.exitCode !== undefined) process.exit()
}

async function startProcess(command: RunCommand, worker: OwnWorker | undefined): Promise<void> {
  // First, since the primary may say, as soon as the configuration is read, that it has changed.
  const pretty = await prettyFormat()
  const read = tried(() => readAll(command, { place: worker?.place }))
  if (read === undefined) return
  const { config } = read
  const lines = { pretty, worker: worker?.place.number }
  const log = tried(() => new CommandLog(config.log ?? {}, lines), exitCodes.start)
  if (log === undefined) return
  if (worker === undefined && tried(() => becomeService(config), exitCodes.account) === undefined) return
  const parts = { command, read, log }
  const isAlone = worker !== undefined || workersOf(config) === 1
  const started = tried(() => (isAlone ? new BrokerProcess(parts, worker) : new PrimaryProcess(parts)))
  await started?.start()
}

/** Workers are forked by the user that this process has become. */
function becomeService({ user, pidFile }: Config): true {
  if (user !== undefined) becomeUser(user)
  if (pidFile !== undefined) writePidFile(pidFile)
  return true
}

/** Undefined: it can't be, and it was said why. */
function tried<Value>(attempt: () => Value, code?: number): Value | undefined {
  try {
    return attempt()
  } catch (error) {
    const lines = error instanceof ConfigProblem ? error.problems : [startProblem(error)]
    const isOption = error instanceof BrokerError && error.code === 'OPTION_INVALID'
    const advice = isOption ? 'Try x-broker --help.\n' : ''
    print(process.stderr, `${lines.map(line => `x-broker: ${line}\n`).join('')}${advice}`)
    process.exitCode = code ?? (isOption ? exitCodes.commandLine : codeOf(error))
    return undefined
  }
}

function codeOf(error: unknown): number {
  if (error instanceof ConfigProblem) return exitCodes.configuration
  if (!(error instanceof AuthError)) return exitCodes.start
  return error.code === 'FILE_UNREADABLE' ? exitCodes.unreadable : exitCodes.configuration
}

/** What the command does, by its task. */
export const tasks: Readonly<Record<RunCommand['task'], (command: RunCommand) => void | Promise<void>>> = {
  run: runBroker,
  check: checkConfiguration,
  print: printConfiguration,
  printSecrets: printConfiguration,
}

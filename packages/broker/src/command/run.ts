import { writeSync } from 'node:fs'
import { homedir } from 'node:os'
import { pino } from 'pino'
import type { Logger } from 'pino'
import type { LmdbPersistenceOptions } from '@x/persistence-lmdb'
import { sysTopics } from '@x/sys-topics'
import { createBroker } from '../create-broker.ts'
import type { Broker, BrokerOptions, Listening } from '../create-broker.ts'
import { speaksTls } from '../listener/protocols.ts'
import type { Command, LogLevel } from './command-line.ts'
import { LogOutput } from './log-output.ts'
import { readMesh } from './mesh-line.ts'
import { print } from './print.ts'
import { startProblem } from './start-problem.ts'
import { StartingLogger } from './starting-logger.ts'
import { stateDirectory } from './state-directory.ts'
import { readTlsFiles } from './tls-files.ts'
import type { TlsFiles } from './tls-files.ts'

const standardOutput = 1

type RunCommand = Extract<Command, { kind: 'run' }>

/** Runs a broker as the command line wants it, until a signal ends it. */
export async function runBroker(wanted: RunCommand): Promise<void> {
  const { listeners, tls, trustedProxies, redis, redisDurability, mesh, logLevel, logBuffer, sysInterval } = wanted
  const logger = await createLogger(logLevel, logBuffer)
  const startingLogger = new StartingLogger(logger)
  const plugins = sysInterval === 0 ? [] : [sysTopics({ interval: sysInterval * 1000 })]
  const data = dataOf(wanted)
  const made = brokerOf(() => ({
    logger: startingLogger,
    plugins,
    ...(data !== undefined && { data }),
    ...(redis !== undefined && { redis: { redis, durability: redisDurability } }),
    ...(mesh !== undefined && { mesh: readMesh(mesh) }),
    ...(trustedProxies !== undefined && { trustProxy: true, trustedProxies }),
  }))
  if (made === undefined) return
  const broker: Broker = made
  // One listener for both times: Deno calls one that is added while a signal is handled for that signal.
  let isStopping = false
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => void stop(name))
  const secured: Listening[] = []
  process.on('SIGHUP', () => hangUp())
  try {
    const secrets = tls && readTlsFiles(tls)
    await broker.ready
    startingLogger.started()
    if (data !== undefined) logger.debug({}, `sessions and retained messages are kept in ${data.directory}`)
    for (const listener of listeners) {
      const isSecured = secrets !== undefined && speaksTls(listener.protocols ?? [])
      const listening = await broker.listen({ ...listener, ...(isSecured && { tls: secrets }) })
      if (isSecured) secured.push(listening)
    }
  } catch (error) {
    print(process.stderr, `x-broker: ${startProblem(error)}\n`)
    process.exitCode = 1
    await broker.close().catch(() => undefined)
  }

  /** By whom it is sent can't be told: by somebody who has new certificates, or by a terminal that is gone. */
  function hangUp(): void {
    if (process.stdout.isTTY && !isWritable(standardOutput)) void stop('SIGHUP')
    else if (tls === undefined) logger.info({}, 'SIGHUP: there are no keys and certificates to read again')
    else reload(tls)
  }

  /** All listeners take the new files or none does. */
  function reload(files: TlsFiles): void {
    try {
      const secrets = readTlsFiles(files)
      for (const listening of secured) listening.reloadTls(secrets)
      logger.info({}, 'SIGHUP: keys and certificates are read again')
    } catch (error) {
      logger.error(
        { err: error },
        `SIGHUP: the old keys and certificates stay: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }

  async function stop(signal: NodeJS.Signals): Promise<void> {
    // A second signal ends the process at once.
    if (isStopping) process.exit(1)
    isStopping = true
    logger.info({ signal }, `${signal}: closing`)
    await broker.close()
    logger.info({}, 'closed')
    process.exit()
  }
}

/** Brokers share a directory when each of them is told its name; nobody shares the platform's by accident. */
function dataOf({ data, memory, redis, dataDurability }: RunCommand): LmdbPersistenceOptions | undefined {
  if (data !== undefined) return { directory: data, durability: dataDurability }
  if (memory || redis !== undefined) return undefined
  const directory = stateDirectory({ platform: process.platform, environment: process.env, home: homedir() })
  return { directory, durability: dataDurability, exclusive: true }
}

/** A terminal that was closed takes nothing, not even nothing. */
function isWritable(file: number): boolean {
  try {
    writeSync(file, '')
    return true
  } catch {
    return false
  }
}

/** Undefined: the options can't be, and it was said why. */
function brokerOf(options: () => BrokerOptions): Broker | undefined {
  try {
    return createBroker(options())
  } catch (error) {
    print(process.stderr, `x-broker: ${error instanceof Error ? error.message : String(error)}\nTry x-broker --help.\n`)
    process.exitCode = 2
    return undefined
  }
}

async function createLogger(level: LogLevel, buffer: number): Promise<Logger> {
  const output = new LogOutput(buffer, dropped => {
    logger.warn({ dropped }, `${dropped} line(s) of the log were dropped: the output took none`)
  })
  const format = process.stdout.isTTY ? await prettyFormat() : (line: string): string => line
  const logger = pino({ level, base: null }, { write: line => output.write(format(line)) })
  return logger
}

/** Lines for people, of what is loaded for them alone. */
async function prettyFormat(): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty')
  return prettyFactory({ colorize: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' })
}

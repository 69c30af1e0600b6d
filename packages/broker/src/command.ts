#!/usr/bin/env node
import { readFileSync, writeSync } from 'node:fs'
import { homedir } from 'node:os'
import { pino } from 'pino'
import type { Logger } from 'pino'
import { prettyFactory } from 'pino-pretty'
import type { LmdbPersistenceOptions } from '@x/persistence-lmdb'
import { sysTopics } from '@x/sys-topics'
import { parseCommandLine, usage } from './command/command-line.ts'
import type { Command, LogLevel } from './command/command-line.ts'
import { dataUsage } from './command/data-command-line.ts'
import { runDataTask } from './command/data-command.ts'
import { LogOutput } from './command/log-output.ts'
import { passwd } from './command/passwd.ts'
import { print } from './command/print.ts'
import { startProblem } from './command/start-problem.ts'
import { StartingLogger } from './command/starting-logger.ts'
import { stateDirectory } from './command/state-directory.ts'
import { readTlsFiles } from './command/tls-files.ts'
import type { TlsFiles } from './command/tls-files.ts'
import { createBroker } from './create-broker.ts'
import type { Broker, BrokerOptions, Listening } from './create-broker.ts'
import { speaksTls } from './listener/protocols.ts'

const standardOutput = 1

type RunCommand = Extract<Command, { kind: 'run' }>

const [word, ...further] = process.argv.slice(2)
const command = word === 'passwd' ? ({ kind: 'passwd' } as const) : parseCommandLine(process.argv.slice(2))
switch (command.kind) {
  case 'passwd':
    process.exitCode = await passwd(further)
    break
  case 'help':
    print(process.stdout, usage)
    break
  case 'version':
    print(process.stdout, `${readVersion()}\n`)
    break
  case 'refuse':
    print(process.stderr, `x-broker: ${command.message}\nTry x-broker --help.\n`)
    process.exitCode = 2
    break
  case 'dataHelp':
    print(process.stdout, dataUsage)
    break
  case 'data':
    process.exitCode = await runDataTask(command.task)
    break
  case 'run':
    void run(command)
    break
}

async function run(wanted: RunCommand): Promise<void> {
  const { listeners, tls, trustedProxies, redis, redisDurability, logLevel, logBuffer, sysInterval } = wanted
  const logger = createLogger(logLevel, logBuffer)
  const startingLogger = new StartingLogger(logger)
  const plugins = sysInterval === 0 ? [] : [sysTopics({ interval: sysInterval * 1000 })]
  const data = dataOf(wanted)
  const made = brokerOf({
    logger: startingLogger,
    plugins,
    ...(data !== undefined && { data }),
    ...(redis !== undefined && { redis: { redis, durability: redisDurability } }),
    ...(trustedProxies !== undefined && { trustProxy: true, trustedProxies }),
  })
  if (made === undefined) return
  const broker: Broker = made
  process.once('SIGINT', () => void stop('SIGINT'))
  process.once('SIGTERM', () => void stop('SIGTERM'))
  const secured: Listening[] = []
  process.on('SIGHUP', () => hangUp())
  try {
    const secrets = tls && readTlsFiles(tls)
    await broker.ready
    startingLogger.started()
    if (data !== undefined) logger.info({}, `sessions and retained messages are kept in ${data.directory}`)
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
    // Another signal ends the process at once: whoever sends it twice means it.
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1))
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
function brokerOf(options: BrokerOptions): Broker | undefined {
  try {
    return createBroker(options)
  } catch (error) {
    print(process.stderr, `x-broker: ${error instanceof Error ? error.message : String(error)}\nTry x-broker --help.\n`)
    process.exitCode = 2
    return undefined
  }
}

function createLogger(level: LogLevel, buffer: number): Logger {
  const output = new LogOutput(buffer, dropped => {
    logger.warn({ dropped }, `${dropped} line(s) of the log were dropped: the output took none`)
  })
  const format = process.stdout.isTTY
    ? prettyFactory({ colorize: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' })
    : (line: string): string => line
  const logger = pino({ level, base: null }, { write: line => output.write(format(line)) })
  return logger
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}

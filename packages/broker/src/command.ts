#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import type { Logger } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { sysTopics } from '@x/sys-topics'
import { parseCommandLine, usage } from './command/command-line.ts'
import type { Command, LogLevel } from './command/command-line.ts'
import { LogOutput } from './command/log-output.ts'
import { readTlsFiles } from './command/tls-files.ts'
import type { TlsFiles } from './command/tls-files.ts'
import { createBroker } from './create-broker.ts'
import type { Broker, BrokerOptions, Listening } from './create-broker.ts'
import { ListenError } from './listener/listen-error.ts'
import { speaksTls } from './listener/protocols.ts'

const command = parseCommandLine(process.argv.slice(2))
switch (command.kind) {
  case 'help':
    process.stdout.write(usage)
    break
  case 'version':
    process.stdout.write(`${readVersion()}\n`)
    break
  case 'refuse':
    process.stderr.write(`x-broker: ${command.message}\nTry x-broker --help.\n`)
    process.exitCode = 2
    break
  case 'run':
    void run(command)
    break
}

async function run(wanted: Extract<Command, { kind: 'run' }>): Promise<void> {
  const {
    listeners,
    tls,
    trustedProxies,
    data,
    dataDurability,
    redis,
    redisDurability,
    logLevel,
    logBuffer,
    sysInterval,
  } = wanted
  const logger = createLogger(logLevel, logBuffer)
  const plugins = sysInterval === 0 ? [] : [sysTopics({ interval: sysInterval * 1000 })]
  const made = brokerOf({
    logger,
    plugins,
    ...(data !== undefined && { data: { directory: data, durability: dataDurability } }),
    ...(redis !== undefined && { redis: { redis, durability: redisDurability } }),
    ...(trustedProxies !== undefined && { trustProxy: true, trustedProxies }),
  })
  if (made === undefined) return
  const broker: Broker = made
  process.once('SIGINT', () => void stop('SIGINT'))
  process.once('SIGTERM', () => void stop('SIGTERM'))
  try {
    await broker.ready
    const secrets = tls && readTlsFiles(tls)
    const secured: Listening[] = []
    for (const listener of listeners) {
      const isSecured = secrets !== undefined && speaksTls(listener.protocols ?? [])
      const listening = await broker.listen({ ...listener, ...(isSecured && { tls: secrets }) })
      if (isSecured) secured.push(listening)
    }
    if (tls !== undefined) process.on('SIGHUP', () => reload(tls, secured))
  } catch (error) {
    const advice = error instanceof ListenError ? '; choose another with --port, --host or --listen' : ''
    process.stderr.write(`x-broker: ${error instanceof Error ? error.message : String(error)}${advice}\n`)
    process.exitCode = 1
    await broker.close()
  }

  /** All listeners take the new files or none does. */
  function reload(files: TlsFiles, secured: readonly Listening[]): void {
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

/** Undefined: the options can't be, and it was said why. */
function brokerOf(options: BrokerOptions): Broker | undefined {
  try {
    return createBroker(options)
  } catch (error) {
    process.stderr.write(`x-broker: ${error instanceof Error ? error.message : String(error)}\nTry x-broker --help.\n`)
    process.exitCode = 2
    return undefined
  }
}

function createLogger(level: LogLevel, buffer: number): Logger {
  const output = new LogOutput(buffer, dropped => {
    logger.warn({ dropped }, `${dropped} line(s) of the log were dropped: the output took none`)
  })
  const format = process.stdout.isTTY
    ? prettyFactory({ colorize: true, translateTime: 'SYS:HH:MM:ss.l' })
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

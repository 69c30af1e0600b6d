import { loadConfig } from '../config/load-config.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { prepare } from '../config/prepare.ts'
import type { Prepared } from '../config/prepare.ts'
import type { Command } from './command-line.ts'

export type RunCommand = Extract<Command, { kind: 'run' }>

export interface ReadConfig extends LoadedConfig {
  readonly prepared: Prepared
}

/** The configuration of a command line, and all its files.
 * @throws ConfigProblem, AuthError, TlsFileError */
export function readAll({ file, flags }: RunCommand): ReadConfig {
  const loaded = loadConfig({ file, flags, environment: process.env })
  return { ...loaded, prepared: prepare(loaded.config, file === undefined ? '--tls-' : 'tls.') }
}

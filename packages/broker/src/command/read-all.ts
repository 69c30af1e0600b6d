import { loadConfig } from '../config/load-config.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import type { DynamicSecurity } from '@x/auth'
import { prepare } from '../config/prepare.ts'
import type { Prepared } from '../config/prepare.ts'
import type { Config } from '../config/schema.ts'
import type { WorkerPlace } from '../workers/worker-messages.ts'
import type { Command } from './command-line.ts'

/** The command that runs a broker. */
export type RunCommand = Extract<Command, { kind: 'run' }>

/** A configuration with what was made of it. */
export interface ReadConfig extends LoadedConfig {
  readonly prepared: Prepared
}

interface Surroundings {
  readonly place?: WorkerPlace | undefined
  readonly dynamicSecurity?: DynamicSecurity | undefined
}

/** The configuration of a command line, and all its files.
 * @param surroundings the running broker's users and rights, which go on; and the place of this process among several workers, which has
 * its store and its mesh from there
 * @throws ConfigProblem, AuthError, TlsFileError */
export function readAll({ file, flags }: RunCommand, { place, dynamicSecurity }: Surroundings = {}): ReadConfig {
  const { config, notices } = loadConfig({ file, flags, environment: process.env })
  const own = place === undefined ? config : { ...config, ...ofPlace(place) }
  const tlsPrefix = file === undefined ? '--tls-' : undefined
  return { config: own, notices, prepared: prepare(own, { tlsPrefix, dynamicSecurity }) }
}

function ofPlace({ store, mesh }: WorkerPlace): Pick<Config, 'store' | 'mesh'> {
  return { store, mesh: mesh === undefined ? undefined : { directory: mesh } }
}

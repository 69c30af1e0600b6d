import { realpathSync } from 'node:fs'
import type { AdminOptions, MosquittoApiListener } from '@x/admin'
import { readTlsFiles } from '../command/tls-files.ts'
import type { AdminConfig, HttpApiConfig } from './admin-schema.ts'
import { ConfigProblem } from './config-problem.ts'

/** The options that a configuration makes, with its files read.
 * @throws TlsFileError */
export function preparedAdmin(config: AdminConfig | undefined): AdminOptions | undefined {
  if (config === undefined) return undefined
  const { port, host, tls, ...rest } = config
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  const { cert, key } = tls === undefined ? {} : readTlsFiles(tls, 'admin.tls.')
  return {
    ...given,
    listen: { ...(port !== undefined && { port }), ...(host !== undefined && { host }) },
    ...(cert !== undefined && key !== undefined && { tls: { cert, key } }),
  }
}

/** Places of Mosquitto's HTTP API, with their files read.
 * @throws TlsFileError, ConfigProblem */
export function preparedHttpApis(configs: readonly HttpApiConfig[]): readonly MosquittoApiListener[] {
  return configs.map(({ port, host = ['127.0.0.1'], tls, directory }, index) => {
    const { cert, key } = tls === undefined ? {} : readTlsFiles(tls, `httpApi[${index}].tls.`)
    return {
      name: httpApiName(index),
      hosts: [host].flat(),
      port,
      ...(cert !== undefined && key !== undefined && { tls: { cert, key } }),
      ...(directory !== undefined && { directory: existing(directory, `httpApi[${index}].directory`) }),
    }
  })
}

/** Rights go by the name of the listener; no listener of the broker has this one by chance. */
export function httpApiName(index: number): string {
  return `http_api[${index}]`
}

function existing(directory: string, option: string): string {
  try {
    return realpathSync(directory)
  } catch {
    throw new ConfigProblem([`${option} ${directory}: there is no such directory`])
  }
}

import type { AdminOptions } from '@x/admin'
import { readTlsFiles } from '../command/tls-files.ts'
import type { AdminConfig } from './admin-schema.ts'

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

import { adjustableLimits } from '@x/broker-core'
import type { Logger } from '@x/contract'
import type { Prepared } from '../config/prepare.ts'
import type { Config } from '../config/schema.ts'
import type { ReadConfig } from './read-all.ts'

/** Nobody is to wonder why a device on the network does not get in. */
export function tellAccess(logger: Logger, { config: { listeners = [] }, prepared: { closed } }: ReadConfig): void {
  if (listeners.every(({ host, socketPath }) => host === undefined && socketPath === undefined)) {
    logger.info(
      {},
      "only this machine can connect: --host '*' opens the port to others, with --password-file FILE or --allow-anonymous",
    )
  }
  for (const name of closed) {
    logger.warn({ listener: name }, `listener ${name} lets in nobody: give --password-file FILE, or --allow-anonymous`)
  }
}

/** Where it can be seen how the broker is. */
export function tellMetrics(logger: Logger, { metrics }: Prepared): void {
  if (metrics?.url !== undefined) logger.info({ metrics: metrics.url }, `metrics on ${metrics.url}/metrics`)
}

/** What a configuration that was read again does not change, or not as it says. */
export function tellReload(logger: Logger, before: ReadConfig, after: ReadConfig): void {
  for (const notice of after.notices) logger.warn({}, notice)
  const late = needRestart(before.config, after.config)
  if (late.length > 0) logger.warn({}, `SIGHUP: ${late.join(', ')} will be taken at the next start`)
}

const adjustable: ReadonlySet<string> = new Set(adjustableLimits)

/** Keys that differ and that a running broker can't take. */
function needRestart(before: Config, after: Config): string[] {
  const sections = [
    'store',
    'mesh',
    'workers',
    'statistics',
    'metrics',
    'admin',
    'tracing',
    'id',
    'responseInformation',
    'pidFile',
    'user',
  ] as const
  const changed: string[] = sections.filter(key => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
  const [old, next] = [before.limits ?? {}, after.limits ?? {}] as Record<string, unknown>[]
  const names = new Set([...Object.keys(old ?? {}), ...Object.keys(next ?? {})])
  for (const name of names) if (old?.[name] !== next?.[name] && !adjustable.has(name)) changed.push(`limits.${name}`)
  return changed
}

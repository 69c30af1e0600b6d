import type { AdminControl } from '@x/admin'
import type { Logger } from '@x/contract'

/** What can be done with the level of a logger; nothing with one that does not show its level, as pino's do.
 * @param changed told that it is another one */
export function levelControl(
  logger: Logger | null | undefined,
  changed: () => void,
): Pick<AdminControl, 'logLevel' | 'setLogLevel'> {
  if (logger === null || logger === undefined || !hasLevel(logger)) return {}
  return {
    logLevel: () => logger.level,
    setLogLevel: level => {
      logger.level = level
      changed()
    },
  }
}

function hasLevel(logger: Logger): logger is Logger & { level: string } {
  return 'level' in logger && typeof logger.level === 'string'
}

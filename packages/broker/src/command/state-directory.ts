import { isAbsolute, join } from 'node:path'

/** What the place of a user's files depends on. */
export interface Surroundings {
  readonly platform: NodeJS.Platform
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The user's home directory. */
  readonly home: string
}

const name = 'x-broker'

/** The directory in which the platform keeps a program's state for this user: `XDG_STATE_HOME` or `~/.local/state`,
 * `~/Library/Application Support`, `%LOCALAPPDATA%`. */
export function stateDirectory({ platform, environment, home }: Surroundings): string {
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', name)
  if (platform === 'win32') return join(environment['LOCALAPPDATA'] || join(home, 'AppData', 'Local'), name)
  const stateHome = environment['XDG_STATE_HOME'] ?? ''
  // The XDG Base Directory Specification has relative paths ignored.
  return join(isAbsolute(stateHome) ? stateHome : join(home, '.local', 'state'), name)
}

import { AuthError } from './auth-error.ts'
import { linesOf } from './text-file.ts'

const longestName = 65_535

/** The text of a password file with this user's line replaced, or added at its end. Other lines stay as they are.
 * @throws AuthError `PASSWORD_INVALID` for a name that can't stand in the file */
export function withUser(text: string, username: string, hash: string): string {
  checkName(username)
  const lines = linesOf(text)
  const found = lines.findIndex(line => nameOf(line) === username)
  const line = `${username}:${hash}`
  return joined(found < 0 ? [...lines, line] : lines.with(found, line))
}

/** Without this user; undefined: there is none. */
export function withoutUser(text: string, username: string): string | undefined {
  const lines = linesOf(text)
  const kept = lines.filter(line => nameOf(line) !== username)
  return kept.length === lines.length ? undefined : joined(kept)
}

/** A file with passwords in plain text, hashed.
 * @param hash what makes a hash of a password
 * @throws AuthError `PASSWORD_FILE_INVALID` for a line that is no `name:password`; `PASSWORD_INVALID` */
export async function withHashes(
  { text, file }: { readonly text: string; readonly file: string },
  hash: (password: string) => Promise<string>,
): Promise<string> {
  const lines: string[] = []
  for (const [index, line] of linesOf(text).entries()) {
    const colon = line.indexOf(':')
    const password = line.slice(colon + 1).trimEnd()
    if (colon < 1 || line.startsWith('#') || password === '') {
      throw new AuthError('PASSWORD_FILE_INVALID', 'the line is no name:password', { file, line: index + 1 })
    }
    lines.push(`${line.slice(0, colon)}:${await hash(password)}`)
  }
  return joined(lines)
}

function nameOf(line: string): string | undefined {
  return line.startsWith('#') || !line.includes(':') ? undefined : line.slice(0, line.indexOf(':')).trim()
}

function joined(lines: readonly string[]): string {
  return lines.map(line => `${line}\n`).join('')
}

function checkName(username: string): void {
  const fault =
    username === '' || username !== username.trim()
      ? 'is empty, or begins or ends with a space'
      : Buffer.byteLength(username) > longestName
        ? `exceeds ${longestName} bytes`
        : /[:\n\r\0]/.test(username)
          ? 'has a colon or a line end'
          : username.startsWith('#')
            ? 'begins with #, as comments do'
            : undefined
  if (fault !== undefined) throw new AuthError('PASSWORD_INVALID', `user name '${username.slice(0, 50)}' ${fault}`)
}

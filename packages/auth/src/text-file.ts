import { readFileSync } from 'node:fs'
import { AuthError } from './auth-error.ts'

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The whole file. Synchronous, since it is read at the start and on a reload, before anything of the old one is let go.
 * @throws AuthError `FILE_UNREADABLE` */
export function readTextFile(file: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException
    throw new AuthError('FILE_UNREADABLE', reasons[code] ?? message, { file }, cause)
  }
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new AuthError('FILE_UNREADABLE', 'it is no UTF-8', { file, line: lineOfBadByte(bytes) }, cause)
  }
}

function lineOfBadByte(bytes: Buffer): number {
  let line = 1
  for (let start = 0; start < bytes.length; line += 1) {
    const end = bytes.indexOf(0x0a, start)
    const row = bytes.subarray(start, end < 0 ? bytes.length : end)
    if (!Buffer.from(row.toString('utf8'), 'utf8').equals(row)) break
    start += row.length + 1
  }
  return line
}

/** Splits a text into lines as Mosquitto does: nothing behind the last line end is no line. */
export function linesOf(text: string): readonly string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

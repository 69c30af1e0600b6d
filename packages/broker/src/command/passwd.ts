import { chownSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { AuthError, hashAlgorithms, hashPassword, withHashes, withUser, withoutUser } from '@x/auth'
import type { HashAlgorithm } from '@x/auth'
import { print } from './print.ts'
import { readSecret } from './read-secret.ts'

const usage = `x-broker passwd: users of a password file

  x-broker passwd [-c] [-H HASH] [-I N] FILE USER             asks for the password, or reads it from a pipe
  x-broker passwd [-c] [-H HASH] [-I N] -b FILE USER PASSWORD takes it from the command line
  x-broker passwd -D FILE USER                                takes the user out
  x-broker passwd -U [-H HASH] [-I N] FILE                    hashes the plain passwords of a file

  -c   makes the file, in place of one that is there
  -H   ${hashAlgorithms.join(', ')} (default ${hashAlgorithms[0]}; Mosquitto 2.0 reads sha512-pbkdf2)
  -I   rounds of sha512-pbkdf2 (default 1000), passes of argon2id (default 1)
`

const options = {
  create: { type: 'boolean', short: 'c' },
  batch: { type: 'boolean', short: 'b' },
  delete: { type: 'boolean', short: 'D' },
  upgrade: { type: 'boolean', short: 'U' },
  hash: { type: 'string', short: 'H' },
  iterations: { type: 'string', short: 'I' },
  help: { type: 'boolean', short: 'h' },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

/** What is wrong with the command line, or with what it is about. */
class Refusal extends Error {}

/** `x-broker passwd …`; returns its exit code: 0, or 1 as `mosquitto_passwd` has it. */
export async function passwd(parameters: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ args: [...parameters], strict: true, allowPositionals: true, options })
    if (values.help === true) print(process.stdout, usage)
    else await change(values, positionals)
    return 0
  } catch (error) {
    const known = error instanceof Refusal || error instanceof AuthError || (error instanceof Error && 'code' in error)
    if (!known) throw error
    const [message = ''] = error.message.split('\n')
    print(process.stderr, `x-broker passwd: ${message}\n`)
    return 1
  }
}

async function change(values: Values, positionals: readonly string[]): Promise<void> {
  const [file, user, password] = positionals
  const count = values.upgrade === true ? 1 : values.batch === true ? 3 : 2
  if (file === undefined || positionals.length !== count) {
    throw new Refusal(`${positionals.length} parameters are given, it must be ${count}; try x-broker passwd --help`)
  }
  const modes = [values.create, values.delete, values.upgrade].filter(one => one === true).length
  if (modes > 1 || (values.batch === true && (values.delete === true || values.upgrade === true))) {
    throw new Refusal('only one of -c, -D and -U may be given, and -b with neither -D nor -U')
  }
  const hash = hasher(values)
  if (values.upgrade === true) replace(file, await withHashes({ text: textOf(file), file }, hash))
  else if (values.delete === true) remove(file, user ?? '')
  else {
    const text = values.create === true ? '' : textOf(file)
    // Refused before anybody has typed a password.
    withUser(text, user ?? '', '')
    replace(file, withUser(text, user ?? '', await hash(password ?? (await readSecret()))))
  }
}

function hasher({ hash = hashAlgorithms[0], iterations }: Values): (password: string) => Promise<string> {
  const algorithm = hashAlgorithms.find(one => one === hash)
  if (algorithm === undefined) throw new Refusal(`-H is '${hash}', it must be one of ${hashAlgorithms.join(', ')}`)
  const rounds = roundsOf(iterations, algorithm)
  return password => hashPassword(password, { algorithm, ...(rounds !== undefined && { iterations: rounds }) })
}

const mostRounds: Readonly<Record<HashAlgorithm, number>> = {
  argon2id: 1000,
  'sha512-pbkdf2': 100_000_000,
  sha512: 0,
}

function roundsOf(text: string | undefined, algorithm: HashAlgorithm): number | undefined {
  if (text === undefined) return undefined
  const most = mostRounds[algorithm]
  if (most === 0) throw new Refusal(`-I has no meaning for ${algorithm}`)
  const rounds = Number(text)
  if (/^\d{1,9}$/.test(text) && rounds >= 1 && rounds <= most) return rounds
  throw new Refusal(`-I is '${text}', it must be a whole number from 1 to ${most}`)
}

function remove(file: string, user: string): void {
  const text = withoutUser(textOf(file), user)
  if (text === undefined) throw new Refusal(`${file} has no user '${user}'`)
  replace(file, text)
}

function textOf(file: string): string {
  if (!existsSync(file)) throw new Refusal(`${file} is not there; -c makes it`)
  return readFileSync(file, 'utf8')
}

/** In one step, so that a broker that reads it again finds the old file or the new one. It keeps its owner and its mode; a new one can be
 * read by its owner alone. */
function replace(file: string, text: string): void {
  const before = existsSync(file) ? statSync(file) : undefined
  const next = `${file}.new`
  try {
    rmSync(next, { force: true })
    writeFileSync(next, text, { mode: before === undefined ? 0o600 : before.mode & 0o777, flag: 'wx' })
    if (before !== undefined && process.getuid?.() === 0) chownSync(next, before.uid, before.gid)
    renameSync(next, file)
  } catch (error) {
    rmSync(next, { force: true })
    throw error
  }
}

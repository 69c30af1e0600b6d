import type { MaybePromise } from '@x/contract'
import { AuthError } from './auth-error.ts'
import { HashQueue } from './hash-queue.ts'
import type { Acceptance, Login, LoginCheck, LoginVerdict, Proof } from './login-check.ts'
import { parsePasswordHash } from './password-hash.ts'
import type { PasswordHash } from './password-hash.ts'
import { linesOf, readTextFile } from './text-file.ts'

const longestLine = 65_535

interface User {
  /** As the file has it: another hash of the same password is another one. */
  readonly text: string
  readonly hash: PasswordHash
}

/** Options of a password file. */
export interface PasswordOptions {
  /** Passwords compared at a time; more wait. 1 to 64, by default 2 of the four threads that Node has for such work. */
  readonly maximumConcurrentHashes?: number
  /** What becomes of a name that is not in the file: `refuse` by default; `defer`: other checks are asked about it. */
  readonly unknownUsers?: 'refuse' | 'defer'
}

/** Users and their passwords, as Mosquitto keeps them in a file. It does not decide about a client without user name; an unknown name,
 * a missing or empty password and a wrong one are refused alike, and an unknown name takes as long as a wrong password. */
export class PasswordUsers implements LoginCheck {
  readonly #users: ReadonlyMap<string, User>
  readonly #queue: HashQueue
  readonly #unknownUsers: 'refuse' | 'defer'
  /** Computed for a name that does not exist. Undefined: there are no names to hide. */
  readonly #decoy: PasswordHash | undefined

  constructor(users: ReadonlyMap<string, User>, options: PasswordOptions = {}) {
    const { maximumConcurrentHashes: limit = 2, unknownUsers = 'refuse' } = options
    if (!Number.isInteger(limit) || limit < 1 || limit > 64) {
      throw new RangeError(`option maximumConcurrentHashes is ${String(limit)}, it must be a whole number from 1 to 64`)
    }
    this.#users = users
    this.#unknownUsers = unknownUsers
    this.#queue = new HashQueue(limit)
    const [first] = users.values()
    this.#decoy = first?.hash
  }

  get size(): number {
    return this.#users.size
  }

  check({ username, password }: Login): MaybePromise<LoginVerdict | Acceptance> {
    if (username === undefined) return 'unknown'
    const user = this.#users.get(username)
    if (user === undefined && this.#unknownUsers === 'defer') return 'defer'
    const hash = user?.hash ?? this.#decoy
    if (hash === undefined || password === undefined || password.length === 0) return 'refuse'
    return this.#queue
      .verify(hash, password)
      .then(isRight => (isRight && user !== undefined ? { evidence: user.text } : 'refuse'))
  }

  /** A password that was set again since has to be given again, even when it is the same. */
  recheck({ username, evidence }: Proof): LoginVerdict {
    if (username === undefined) return 'unknown'
    const text = this.#users.get(username)?.text
    if (text === undefined) return this.#unknownUsers
    return text === evidence ? 'accept' : 'refuse'
  }
}

/** @param file its name, for errors
 * @throws AuthError `PASSWORD_FILE_INVALID` with file and line */
export function parsePasswordFile(text: string, file: string, options?: PasswordOptions): PasswordUsers {
  const users = new Map<string, User>()
  for (const [index, line] of linesOf(text).entries()) {
    const entry = entryOf(line, { file, line: index + 1 })
    if (entry === undefined) continue
    if (users.has(entry.username)) throw wrong(`user '${entry.username}' stands there twice`, { file, line: index + 1 })
    users.set(entry.username, entry)
  }
  return new PasswordUsers(users, options)
}

/** @throws AuthError `FILE_UNREADABLE`, `PASSWORD_FILE_INVALID` */
export function readPasswordFile(file: string, options?: PasswordOptions): PasswordUsers {
  return parsePasswordFile(readTextFile(file), file, options)
}

interface Place {
  readonly file: string
  readonly line: number
}

/** `username:hash`; what follows a second colon counts for nothing. A line without a colon is none. */
function entryOf(line: string, place: Place): (User & { readonly username: string }) | undefined {
  if (Buffer.byteLength(line) > longestLine) throw wrong(`the line exceeds ${longestLine} bytes`, place)
  if (line.startsWith('#') || !line.includes(':')) return undefined
  const [name = '', password = ''] = line.split(':')
  const username = name.trim()
  const text = password.trim()
  if (username === '') throw wrong('the user name is empty', place)
  if (text === '') throw wrong(`user '${username}' has no password`, place)
  try {
    return { username, text, hash: parsePasswordHash(text) }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw wrong(`user '${username}': ${error.message}`, place)
  }
}

function wrong(what: string, place: Place): AuthError {
  return new AuthError('PASSWORD_FILE_INVALID', what, place)
}

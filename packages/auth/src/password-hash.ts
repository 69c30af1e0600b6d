import { createHash, pbkdf2, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { AuthError } from './auth-error.ts'

/** Mosquitto's names of the ways in which a password is kept. */
export const hashAlgorithms = ['argon2id', 'sha512-pbkdf2', 'sha512'] as const
/** The name of an algorithm in which passwords are hashed. */
export type HashAlgorithm = (typeof hashAlgorithms)[number]

/** How a password is hashed. */
export interface HashOptions {
  readonly algorithm?: HashAlgorithm
  /** Rounds of `sha512-pbkdf2`, passes of `argon2id`. */
  readonly iterations?: number
}

/** A password as a file keeps it. */
export type PasswordHash =
  | { readonly algorithm: 'sha512'; readonly salt: Buffer; readonly hash: Buffer }
  | { readonly algorithm: 'sha512-pbkdf2'; readonly iterations: number; readonly salt: Buffer; readonly hash: Buffer }
  | {
      readonly algorithm: 'argon2id'
      readonly memoryCost: number
      readonly timeCost: number
      readonly parallelism: number
      readonly salt: Buffer
      readonly hash: Buffer
    }

const digest = 'sha512'
const hashBytes = 64
const saltBytes = 64
/** Of Mosquitto 1 and 2.0. */
const shortSaltBytes = 12
/** KiB, passes and lanes of Mosquitto 2.1. */
const argonDefaults = { memoryCost: 47_104, timeCost: 1, parallelism: 1 } as const
const pbkdf2Iterations = 1000
/** What Node takes. */
const mostIterations = 2_147_483_647
const argonLimits = { memoryCost: 4_194_304, timeCost: 1_000_000, parallelism: 255 } as const

const derive = promisify(pbkdf2)

/** `$6$SALT$HASH`, `$7$ROUNDS$SALT$HASH` or `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
 * @throws RangeError with what is wrong with it */
export function parsePasswordHash(text: string): PasswordHash {
  const [before, kind, ...parts] = text.split('$')
  if (before !== '' || kind === undefined)
    throw new RangeError('the password is not hashed: it must begin with $6$, $7$ or $argon2id$')
  switch (kind) {
    case '6':
      return { algorithm: 'sha512', ...saltAndHash(parts) }
    case '7': {
      const [iterations = '', ...rest] = parts
      return {
        algorithm: 'sha512-pbkdf2',
        iterations: whole('rounds', iterations, mostIterations),
        ...saltAndHash(rest),
      }
    }
    case 'argon2id':
      return parseArgon(parts)
    default:
      throw new RangeError(`the hash begins with $${kind.slice(0, 20)}$, it must begin with $6$, $7$ or $argon2id$`)
  }
}

/** The hash as a file keeps it. */
export function formatPasswordHash(hash: PasswordHash): string {
  const standard = [hash.salt, hash.hash].map(bytes => bytes.toString('base64')).join('$')
  switch (hash.algorithm) {
    case 'sha512':
      return `$6$${standard}`
    case 'sha512-pbkdf2':
      return `$7$${hash.iterations}$${standard}`
    default: {
      const { memoryCost, timeCost, parallelism } = hash
      return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${standard.replaceAll('=', '')}`
    }
  }
}

/** A new hash, with a salt of its own. Off the event loop.
 * @throws AuthError `PASSWORD_INVALID` for an empty password */
export async function hashPassword(password: string | Buffer, options: HashOptions = {}): Promise<string> {
  const { algorithm = 'argon2id', iterations } = options
  if (password.length === 0) throw new AuthError('PASSWORD_INVALID', 'the password is empty')
  const salt = randomBytes(saltBytes)
  const empty = Buffer.alloc(hashBytes)
  const wanted: PasswordHash =
    algorithm === 'sha512'
      ? { algorithm, salt, hash: empty }
      : algorithm === 'sha512-pbkdf2'
        ? { algorithm, iterations: iterations ?? pbkdf2Iterations, salt, hash: empty }
        : { algorithm, ...argonDefaults, timeCost: iterations ?? argonDefaults.timeCost, salt, hash: empty }
  return formatPasswordHash({ ...wanted, hash: await compute(wanted, Buffer.from(password)) })
}

/** A hash as Mosquitto 2 has it, made at once: for the few that are needed before a broker runs. */
export function hashPasswordNow(password: string): string {
  const salt = randomBytes(saltBytes)
  const hash = pbkdf2Sync(password, salt, pbkdf2Iterations, hashBytes, digest)
  return formatPasswordHash({ algorithm: 'sha512-pbkdf2', iterations: pbkdf2Iterations, salt, hash })
}

/** Whether it is the hash of this password; takes as long whether it is or not. */
export async function verifyPassword(hash: PasswordHash, password: Buffer): Promise<boolean> {
  const computed = await compute(hash, password)
  return computed.length === hash.hash.length && timingSafeEqual(computed, hash.hash)
}

async function compute(hash: PasswordHash, password: Buffer): Promise<Buffer> {
  switch (hash.algorithm) {
    case 'sha512':
      return createHash(digest).update(password).update(hash.salt).digest()
    case 'sha512-pbkdf2':
      return derive(password, hash.salt, hash.iterations, hashBytes, digest)
    default: {
      // Loaded when it is needed: few files have it, and it is a megabyte.
      const { hashRaw } = await import('@node-rs/argon2')
      const { memoryCost, timeCost, parallelism, salt } = hash
      return hashRaw(password, { memoryCost, timeCost, parallelism, salt, outputLen: hash.hash.length })
    }
  }
}

function saltAndHash(parts: readonly string[]): { salt: Buffer; hash: Buffer } {
  const [salt = '', hash = ''] = parts
  if (parts.length !== 2)
    throw new RangeError(`the hash has ${parts.length} fields behind its kind, it must have a salt and a hash`)
  const bytes = { salt: base64('salt', salt), hash: base64('hash', hash) }
  if (bytes.hash.length !== hashBytes)
    throw new RangeError(`the hash has ${bytes.hash.length} bytes, it must have ${hashBytes}`)
  if (bytes.salt.length !== shortSaltBytes && bytes.salt.length !== saltBytes) {
    throw new RangeError(`the salt has ${bytes.salt.length} bytes, it must have ${shortSaltBytes} or ${saltBytes}`)
  }
  return bytes
}

function parseArgon(parts: readonly string[]): PasswordHash {
  const [version, parameters = '', salt = '', hash = '', ...more] = parts
  if (version !== 'v=19' || more.length > 0)
    throw new RangeError('the hash must be $argon2id$v=19$m=…,t=…,p=…$salt$hash')
  const found = /^m=(\d+),t=(\d+),p=(\d+)$/.exec(parameters)
  if (found === null)
    throw new RangeError(`the parameters of argon2id are '${parameters.slice(0, 50)}', they must be m=…,t=…,p=…`)
  const [, memory = '', time = '', lanes = ''] = found
  const bytes = { salt: base64('salt', salt), hash: base64('hash', hash) }
  if (bytes.salt.length < 8 || bytes.hash.length < 4)
    throw new RangeError('the salt of argon2id needs 8 bytes, its hash 4')
  return {
    algorithm: 'argon2id',
    memoryCost: whole('m', memory, argonLimits.memoryCost),
    timeCost: whole('t', time, argonLimits.timeCost),
    parallelism: whole('p', lanes, argonLimits.parallelism),
    ...bytes,
  }
}

/** Padding may be missing, as PHC strings have it. */
function base64(name: string, text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  const plain = text.replace(/={0,2}$/, '')
  if (text === '' || bytes.toString('base64').replace(/=*$/, '') !== plain)
    throw new RangeError(`the ${name} is no base64`)
  return bytes
}

function whole(name: string, text: string, greatest: number): number {
  const number = Number(text)
  if (/^\d{1,10}$/.test(text) && number >= 1 && number <= greatest) return number
  throw new RangeError(`${name} of the hash is '${text.slice(0, 20)}', it must be a whole number from 1 to ${greatest}`)
}

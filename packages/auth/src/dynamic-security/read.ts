import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { AuthError } from '../auth-error.ts'
import { hashPasswordNow } from '../password-hash.ts'
import { readTextFile } from '../text-file.ts'
import { databaseJson } from './database-json.ts'
import { DynamicSecurity } from './dynamic-security.ts'
import { initialDatabase } from './initial-database.ts'

/** Options of dynamic security. */
export interface DynamicSecurityOptions {
  /** Passwords compared at a time; more wait. 1 to 64, by default 2 of the four threads that Node has for such work. */
  readonly maximumConcurrentHashes?: number
  /** Password of the client `admin` in a file that is not there yet, 12 characters or more. By default one is made up. */
  readonly initialPassword?: string
}

const leastPassword = 12
const madeUpBytes = 15

/** Reads the file of Mosquitto's plugin for dynamic security. A file that is not there will be made by `begin`, with a client `admin` who
 * may send all commands, and with its password in `FILE.pw` unless one is given.
 * @throws AuthError `FILE_UNREADABLE`, `DYNAMIC_SECURITY_INVALID`, `PASSWORD_INVALID` */
export function readDynamicSecurity(file: string, options: DynamicSecurityOptions = {}): DynamicSecurity {
  const { maximumConcurrentHashes: limit = 2 } = options
  if (!Number.isInteger(limit) || limit < 1 || limit > 64) {
    throw new RangeError(`option maximumConcurrentHashes is ${String(limit)}, it must be a whole number from 1 to 64`)
  }
  if (existsSync(file)) {
    return new DynamicSecurity({ file, json: readTextFile(file), maximumConcurrentHashes: limit, missing: new Map() })
  }
  return newDynamicSecurity(file, options.initialPassword, limit)
}

function newDynamicSecurity(file: string, given: string | undefined, maximumConcurrentHashes: number): DynamicSecurity {
  if (given !== undefined && given.length < leastPassword) {
    const what = `the first password of admin has ${given.length} characters, it must have ${leastPassword} or more`
    throw new AuthError('PASSWORD_INVALID', what)
  }
  const password = given ?? madeUp()
  const database = initialDatabase(hashPasswordNow(password))
  const missing = new Map<string, string>()
  if (given === undefined) {
    const demonstration = madeUp()
    const client = database.addClient('democlient')
    client.encodedPassword = hashPasswordNow(demonstration)
    client.roles.set('client', -1)
    missing.set(`${file}.pw`, `admin ${password}\ndemoclient ${demonstration}\n`)
  }
  const json = databaseJson(database)
  missing.set(file, json)
  return new DynamicSecurity({ file, json, maximumConcurrentHashes, missing })
}

/** 20 characters. */
function madeUp(): string {
  return randomBytes(madeUpBytes).toString('base64url')
}

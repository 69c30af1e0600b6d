import { readFileSync } from 'node:fs'
import {
  AuthError,
  HttpAuthority,
  HttpLogin,
  OwnRules,
  TokenLogin,
  parseKeySet,
  readAclFile,
  readDynamicSecurity,
  readPasswordFile,
} from '@x/auth'
import type { AccessPolicy, AccessRules, DynamicSecurity, LoginCheck, TokenOptions } from '@x/auth'
import type { AccessConfig } from './access-schema.ts'
import { readText } from './config-file.ts'
import type { TokensConfig } from './login-schema.ts'

/** Hashes are slow, and logins of one address may not fill their queue. */
const hashesAtATime = 8
/** Those that wait for a server hold up no others. */
const questionsAtATime = 64

/** Logins that may be decided about at a time, where these decide; 0: nothing is said of that. */
export function loginsOf(accesses: readonly (AccessConfig | undefined)[]): number {
  const deciding = accesses.filter(one => one !== undefined).filter(one => hasLogins(one))
  const waiting = deciding.map(({ http, tokens }) => {
    const questions = http?.login === undefined ? 0 : (http.maximumRequests ?? questionsAtATime)
    return questions + (tokens?.keysUrl === undefined ? 0 : questionsAtATime)
  })
  return deciding.length === 0 ? 0 : waiting.reduce((sum, one) => sum + one, hashesAtATime)
}

/** Whether somebody can come in by a name. */
export function hasLogins({ passwordFile, dynamicSecurityFile, tokens, http }: AccessConfig): boolean {
  return [passwordFile, dynamicSecurityFile, tokens, http?.login].some(one => one !== undefined)
}

/** A file that several listeners name is read once. */
export class PolicyFiles {
  readonly #passwords = new Map<string, ReturnType<typeof readPasswordFile>>()
  readonly #rules = new Map<string, ReturnType<typeof readAclFile>>()
  readonly #hashes: number | undefined
  readonly #running: DynamicSecurity | undefined
  #dynamicSecurity: DynamicSecurity | undefined

  constructor(hashes: number | undefined, running: DynamicSecurity | undefined) {
    this.#hashes = hashes
    this.#running = running
  }

  get dynamicSecurity(): DynamicSecurity | undefined {
    return this.#dynamicSecurity
  }

  policyOf(config: AccessConfig): AccessPolicy {
    const {
      dynamicSecurityFile,
      dynamicSecurityPasswordFile,
      http: { authorize, login: _login, ...http } = {},
    } = config
    const options = this.#hashes === undefined ? {} : { maximumConcurrentHashes: this.#hashes }
    const [logins, rules] = [this.#loginsOf(config, options), this.#rulesOf(config)]
    return {
      ...(logins.length > 0 && { logins }),
      ...(rules.length > 0 && { rules }),
      ...(authorize !== undefined && { authority: new HttpAuthority({ url: authorize, ...present(http) }) }),
      ...(dynamicSecurityFile !== undefined && {
        dynamicSecurity: this.#readDynamicSecurity(dynamicSecurityFile, {
          ...options,
          passwordFile: dynamicSecurityPasswordFile,
        }),
      }),
    }
  }

  /** Files are asked before servers: who stands in one waits for nobody else. */
  #loginsOf(config: AccessConfig, options: { readonly maximumConcurrentHashes?: number }): LoginCheck[] {
    const { passwordFile, tokens, http: { login, authorize: _authorize, ...http } = {} } = config
    const passwords = { ...options, unknownUsers: login === undefined ? ('refuse' as const) : ('defer' as const) }
    return [
      ...(tokens === undefined ? [] : [new TokenLogin(tokenOptions(tokens))]),
      ...(passwordFile === undefined
        ? []
        : [once(this.#passwords, passwordFile, file => readPasswordFile(file, passwords))]),
      ...(login === undefined ? [] : [new HttpLogin({ url: login, ...present(http) })]),
    ]
  }

  /** Rules that tokens and servers bring need somebody who reads them. */
  #rulesOf({ aclFile, rules, groups = {}, roles = {}, tokens }: AccessConfig): AccessRules[] {
    const own = rules ?? (tokens?.rulesClaim === undefined ? undefined : [])
    return [
      ...(aclFile === undefined ? [] : [once(this.#rules, aclFile, file => readAclFile(file))]),
      ...(own === undefined ? [] : [new OwnRules({ rules: own, groups, roles })]),
    ]
  }

  #readDynamicSecurity(
    file: string,
    options: { readonly maximumConcurrentHashes?: number; readonly passwordFile: string | undefined },
  ): DynamicSecurity {
    const { passwordFile, ...others } = options
    const known = this.#running?.file === file ? this.#running : this.#dynamicSecurity
    this.#dynamicSecurity = known ?? readDynamicSecurity(file, { ...others, ...firstPassword(passwordFile) })
    return this.#dynamicSecurity
  }
}

function firstPassword(file: string | undefined): { initialPassword?: string } {
  const { MOSQUITTO_DYNSEC_PASSWORD: given } = process.env
  const [initialPassword] = file === undefined ? [given] : readText(file).split(/\r?\n/)
  return initialPassword === undefined ? {} : { initialPassword }
}

function once<Value>(known: Map<string, Value>, file: string, read: (file: string) => Value): Value {
  const found = known.get(file) ?? read(file)
  known.set(file, found)
  return found
}

function tokenOptions({ secretFile, publicKeyFile, keysFile, ...others }: TokensConfig): TokenOptions {
  return {
    ...present(others),
    ...(secretFile !== undefined && { secret: readBytes(secretFile) }),
    ...(publicKeyFile !== undefined && { publicKey: readBytes(publicKeyFile).toString('utf8') }),
    ...(keysFile !== undefined && { keys: parseKeySet(readBytes(keysFile).toString('utf8'), keysFile) }),
  }
}

/** Those that have a value. */
function present<Values extends object>(values: Values): { [Name in keyof Values]?: Exclude<Values[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Values]?: Exclude<Values[Name], undefined>
  }
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new AuthError('FILE_UNREADABLE', (cause as Error).message, { file }, cause)
  }
}

import { createHash } from 'node:crypto'
import type { MaybePromise } from '@x/contract'
import { jwtVerify } from 'jose'
import type { JWTPayload, JWTVerifyGetKey } from 'jose'
import { AuthError } from '../auth-error.ts'
import { isTexts } from '../http/http-answer.ts'
import type { Acceptance, Login, LoginCheck, LoginVerdict, Proof } from '../login-check.ts'
import { parseRule } from '../rule-text.ts'
import { invalid } from './key-set.ts'
import { tokenKeysOf } from './token-keys.ts'
import type { TokenKeyOptions, TokenKeys } from './token-keys.ts'

/** What tokens must be, and what their claims mean. */
export interface TokenOptions extends TokenKeyOptions {
  /** What `iss` must be, or one of them. */
  readonly issuer?: string | readonly string[]
  /** What `aud` must have, or one of them. */
  readonly audience?: string | readonly string[]
  /** Fewer than those that the keys are good for. */
  readonly algorithms?: readonly string[]
  /** The claim that is the user name, whatever CONNECT says; a token without it is refused. `sub` by default. */
  readonly usernameClaim?: string
  /** A claim that the client identifier must be; any identifier will do unless given. */
  readonly clientIdClaim?: string
  /** A claim with a list of groups for rules. */
  readonly groupsClaim?: string
  /** A claim with a list of roles for rules. */
  readonly rolesClaim?: string
  /** A claim with a list of rules in words, which hold beside all others. */
  readonly rulesClaim?: string
  /** Seconds by which clocks may differ; 0 by default. */
  readonly clockTolerance?: number
}

const form = /^[\w-]+\.[\w-]+\.[\w-]*$/
/** Characters. */
const longestToken = 16_384

/** What an accepted login stands on. */
class TokenEvidence {
  /** Keys and options that have accepted it. */
  readonly basis: string
  /** ms since 1970. */
  readonly expiresAt: number

  constructor(basis: string, expiresAt: number) {
    this.basis = basis
    this.expiresAt = expiresAt
  }
}

/** A JSON Web Token in place of the password. It does not decide about a password that does not have the form of a token. */
export class TokenLogin implements LoginCheck {
  readonly #options: TokenOptions
  readonly #keys: TokenKeys
  readonly #basis: string

  /** @throws AuthError `TOKEN_KEYS_INVALID`; RangeError for another option that is wrong */
  constructor(options: TokenOptions) {
    const { algorithms, clockTolerance = 0 } = options
    this.#options = options
    const keys = tokenKeysOf(options)
    const wrong = algorithms?.find(one => !keys.algorithms.includes(one))
    if (wrong !== undefined)
      throw new RangeError(`option algorithms has '${wrong}', with these keys it may be ${keys.algorithms.join(', ')}`)
    if (!Number.isInteger(clockTolerance) || clockTolerance < 0 || clockTolerance > 3600)
      throw new RangeError(`option clockTolerance is ${clockTolerance}, it must be a whole number from 0 to 3600`)
    this.#keys = { ...keys, algorithms: algorithms ?? keys.algorithms }
    this.#basis = createHash('sha256').update(JSON.stringify(options)).digest('base64')
  }

  check({ clientId, username, password }: Login): MaybePromise<LoginVerdict | Acceptance> {
    const token = password?.toString('latin1') ?? ''
    if (!form.test(token)) return username === undefined ? 'unknown' : 'defer'
    return token.length > longestToken ? 'refuse' : this.#check(token, clientId)
  }

  recheck({ username, evidence }: Proof): LoginVerdict {
    if (!(evidence instanceof TokenEvidence)) return username === undefined ? 'unknown' : 'defer'
    return evidence.basis === this.#basis && Date.now() < evidence.expiresAt ? 'accept' : 'refuse'
  }

  async #check(token: string, clientId: string): Promise<LoginVerdict | Acceptance> {
    const {
      usernameClaim = 'sub',
      clientIdClaim,
      groupsClaim,
      rolesClaim,
      rulesClaim,
      clockTolerance = 0,
    } = this.#options
    const claims = await this.#verified(token)
    if (claims === undefined) return 'refuse'
    const username = claims[usernameClaim]
    if (typeof username !== 'string' || username === '') return 'refuse'
    if (clientIdClaim !== undefined && claims[clientIdClaim] !== clientId) return 'refuse'
    const listed = (name: string | undefined): unknown => (name === undefined ? [] : (claims[name] ?? []))
    const [groups, roles, rules] = [listed(groupsClaim), listed(rolesClaim), listed(rulesClaim)]
    if (!isTexts(groups) || !isTexts(roles) || !isTexts(rules) || !rules.every(isRule)) return 'refuse'
    const expiresAt = claims.exp === undefined ? Number.MAX_SAFE_INTEGER : (claims.exp + clockTolerance) * 1000
    return {
      username,
      evidence: new TokenEvidence(this.#basis, expiresAt),
      details: { claims: new Map(Object.entries(claims)), groups, roles, rules },
      ...(claims.exp !== undefined && { expiresAt }),
    }
  }

  /** Undefined: it does not hold.
   * @throws AuthError `HTTP_UNAVAILABLE` where its keys can't be had */
  async #verified(token: string): Promise<JWTPayload | undefined> {
    const { issuer, audience, clockTolerance = 0 } = this.#options
    try {
      const { payload } = await jwtVerify(token, this.#keys.key as JWTVerifyGetKey, {
        algorithms: [...this.#keys.algorithms],
        clockTolerance,
        ...(issuer !== undefined && { issuer: [issuer].flat() }),
        ...(audience !== undefined && { audience: [audience].flat() }),
      })
      return payload
    } catch (error) {
      if (error instanceof AuthError) throw error
      return undefined
    }
  }
}

function isRule(text: string): boolean {
  try {
    parseRule(text)
    return true
  } catch {
    return false
  }
}

/** Keys of tokens in the text of a file, a JSON Web Key Set.
 * @throws AuthError `TOKEN_KEYS_INVALID` */
export function parseKeySet(text: string, file: string): NonNullable<TokenKeyOptions['keys']> {
  try {
    return JSON.parse(text) as NonNullable<TokenKeyOptions['keys']>
  } catch (cause) {
    throw invalid(`${file} is no JSON: ${(cause as Error).message}`, cause)
  }
}

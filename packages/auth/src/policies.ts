import type { MaybePromise } from '@x/contract'
import type { AccessRules } from './access-rules.ts'
import type { DynamicSecurity } from './dynamic-security/dynamic-security.ts'
import type { Login, LoginCheck, LoginVerdict, Proof } from './login-check.ts'

/** Who may come in, and what they may do then. */
export interface AccessPolicy {
  /** Asked in this order until one decides. */
  readonly logins?: readonly LoginCheck[]
  /** All of them must permit a message. Without one, every topic is free but those of the broker (`$SYS/…`). */
  readonly rules?: readonly AccessRules[]
  /** Users and rules that are changed by commands while the broker runs: asked before `logins`, and beside `rules`. */
  readonly dynamicSecurity?: DynamicSecurity
  /** Whether clients come in about whom no check has decided: those without user name, and all of them where there is no check.
   * False by default. */
  readonly allowAnonymous?: boolean
  /** What every client identifier must begin with; empty by default. */
  readonly clientIdPrefix?: string
}

/** Options of `accessControl`. */
export interface AccessOptions extends AccessPolicy {
  /** In place of the above for the clients of a listener, by its name. */
  readonly listeners?: Readonly<Record<string, AccessPolicy>>
}

/** What holds now, for each listener. */
export class Policies {
  readonly #options: AccessOptions
  readonly #general: CompletePolicy
  readonly #listeners = new Map<string, CompletePolicy>()

  constructor(options: AccessOptions) {
    const { listeners = {}, ...general } = options
    this.#options = options
    this.#general = complete(general)
    for (const [name, policy] of Object.entries(listeners)) this.#listeners.set(name, complete(policy))
  }

  /** The same ones; what was found by these is found again. */
  again(): Policies {
    return new Policies(this.#options)
  }

  get dynamicSecurity(): readonly DynamicSecurity[] {
    const { listeners = {}, ...general } = this.#options
    return [...new Set([general, ...Object.values(listeners)].flatMap(policy => policy.dynamicSecurity ?? []))]
  }

  for({ listener }: { readonly listener?: string | undefined }): CompletePolicy {
    return (listener === undefined ? undefined : this.#listeners.get(listener)) ?? this.#general
  }
}

/** With dynamic security among the others. */
export type CompletePolicy = Required<Omit<AccessPolicy, 'dynamicSecurity'>>

function complete(policy: AccessPolicy): CompletePolicy {
  const { logins = [], rules = [], dynamicSecurity, allowAnonymous = false, clientIdPrefix = '' } = policy
  const dynamic = dynamicSecurity === undefined ? [] : [dynamicSecurity]
  return { logins: [...dynamic, ...logins], rules: [...dynamic, ...rules], allowAnonymous, clientIdPrefix }
}

/** What a policy says; undefined: nothing. */
export interface Decision {
  readonly verdict: LoginVerdict
  /** Who has decided; undefined: nobody. */
  readonly by: LoginCheck | undefined
}

/** What the first of the checks says that has an opinion; synchronous as long as they are. */
export function checked(
  logins: readonly LoginCheck[],
  login: Login,
  undecided: 'unknown' | 'defer' = 'unknown',
): MaybePromise<Decision> {
  const [by, ...others] = logins
  if (by === undefined) return { verdict: undecided, by }
  const next = (verdict: LoginVerdict): MaybePromise<Decision> =>
    isUndecided(verdict) ? checked(others, login, verdict === 'defer' ? verdict : undecided) : { verdict, by }
  const verdict = by.check(login)
  return typeof verdict === 'string' ? next(verdict) : verdict.then(next)
}

/** Whether a client that came in would do so now. */
export function stillIn({ logins, allowAnonymous }: CompletePolicy, { username, evidence }: Proof): boolean {
  let isDeferred = false
  for (const login of logins) {
    const verdict = login.recheck({ username, evidence })
    if (!isUndecided(verdict)) return verdict === 'accept'
    isDeferred ||= verdict === 'defer'
  }
  return allowAnonymous && !(isDeferred && username !== undefined)
}

/** Whether others have to be asked. */
export function isUndecided(verdict: LoginVerdict): boolean {
  return verdict === 'unknown' || verdict === 'defer'
}

import type { MaybePromise } from '@x/contract'
import type { AccessRules } from './access-rules.ts'
import type { DynamicSecurity } from './dynamic-security/dynamic-security.ts'
import type { Acceptance, Login, LoginCheck, LoginVerdict, Proof } from './login-check.ts'
import type { TopicAuthority } from './topic-authority.ts'

/** Who may come in, and what they may do then. */
export interface AccessPolicy {
  /** Asked in this order until one decides. */
  readonly logins?: readonly LoginCheck[]
  /** All of them must permit a message. Without one, every topic is free but those of the broker (`$SYS/…`). */
  readonly rules?: readonly AccessRules[]
  /** Users and rules that are changed by commands while the broker runs: asked before `logins`, and beside `rules`. */
  readonly dynamicSecurity?: DynamicSecurity
  /** Asked, after `rules`, about each PUBLISH, will and SUBSCRIBE that they permit. */
  readonly authority?: TopicAuthority
  /** Whether clients come in about whom no check has decided: those without user name, and all of them where there is no check.
   * False by default. */
  readonly allowAnonymous?: boolean
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

  get hasAuthority(): boolean {
    const { listeners = {}, ...general } = this.#options
    return [general, ...Object.values(listeners)].some(({ authority }) => authority !== undefined)
  }

  for({ listener }: { readonly listener?: string | undefined }): CompletePolicy {
    return (listener === undefined ? undefined : this.#listeners.get(listener)) ?? this.#general
  }
}

/** With dynamic security among the others. */
export type CompletePolicy = Required<Omit<AccessPolicy, 'dynamicSecurity' | 'authority'>> &
  Pick<AccessPolicy, 'authority'>

function complete(policy: AccessPolicy): CompletePolicy {
  const { logins = [], rules = [], dynamicSecurity, authority, allowAnonymous = false } = policy
  const dynamic = dynamicSecurity === undefined ? [] : [dynamicSecurity]
  return {
    logins: [...dynamic, ...logins],
    rules: [...dynamic, ...rules],
    allowAnonymous,
    ...(authority !== undefined && { authority }),
  }
}

/** What a policy says; undefined: nothing. */
export interface Decision {
  readonly verdict: LoginVerdict
  /** What is known of a client that is accepted. */
  readonly acceptance: Acceptance
}

/** What the first of the checks says that has an opinion; synchronous as long as they are. */
export function checked(
  logins: readonly LoginCheck[],
  login: Login,
  undecided: 'unknown' | 'defer' = 'unknown',
): MaybePromise<Decision> {
  const [by, ...others] = logins
  if (by === undefined) return { verdict: undecided, acceptance: {} }
  const next = (found: LoginVerdict | Acceptance): MaybePromise<Decision> => {
    if (typeof found !== 'string') return { verdict: 'accept', acceptance: found }
    if (!isUndecided(found)) return { verdict: found, acceptance: {} }
    return checked(others, login, found === 'defer' ? found : undecided)
  }
  const found = by.check(login)
  return found instanceof Promise ? found.then(next) : next(found)
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

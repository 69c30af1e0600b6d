import type { MaybePromise } from '@x/contract'
import type { AccessRules } from './access-rules.ts'
import { Identity } from './identity.ts'
import type { LoginCheck, LoginVerdict } from './login-check.ts'

/** Who may come in, and what they may do then. */
export interface AccessPolicy {
  /** Asked in this order until one decides. */
  readonly logins?: readonly LoginCheck[]
  /** All of them must permit a message. Without one, every topic is free but those of the broker (`$SYS/…`). */
  readonly rules?: readonly AccessRules[]
  /** Whether clients come in about whom no check has decided: those without user name, and all of them where there is no check.
   * False by default. */
  readonly allowAnonymous?: boolean
  /** What every client identifier must begin with; empty by default. */
  readonly clientIdPrefix?: string
}

export interface AccessOptions extends AccessPolicy {
  /** In place of the above for the clients of a listener, by its name. */
  readonly listeners?: Readonly<Record<string, AccessPolicy>>
}

/** What is needed of a client; the broker's fits. */
export interface AccessClient {
  readonly id: string
  readonly listener?: string | undefined
  /** Whom the transport has proved it to be, by a certificate for instance: no password is asked for then. */
  readonly identity?: string | undefined
}

/** The publisher of a message that was kept. */
export interface PublisherName {
  readonly clientId: string
  readonly username: string | undefined
  /** The one it came by. */
  readonly listener: string | undefined
}

/** A client that came in. */
interface Admitted {
  readonly username: string | undefined
  /** What the check knew that has accepted it. */
  readonly evidence: unknown
  /** Policies that the rest was made for. */
  readonly policies: Policies
  readonly rules: readonly AccessRules[]
  /** Made when the client first publishes or receives: an idle one needs none. */
  identity: Identity | undefined
}

/** Users and rules of one broker: give it `hooks`. Policies can be replaced while it runs.
 *
 * ```ts
 * const access = new AccessControl({ logins: [readPasswordFile('users')], rules: [readAclFile('acl')] })
 * const broker = createBroker({ ...access.hooks })
 * ``` */
export class AccessControl {
  #policies: Policies
  /** A client that is not in here did not come in by `authenticate`. */
  readonly #admitted = new WeakMap<object, Admitted>()

  constructor(options: AccessOptions) {
    this.#policies = new Policies(options)
  }

  /** Options for a broker. Bound: they may be handed on one by one. */
  get hooks(): {
    readonly authenticate: AccessControl['authenticate']
    readonly topicAccess: Pick<AccessControl, 'mayPublish' | 'mayReceive' | 'mayStillPublish'>
  } {
    return { authenticate: this.authenticate, topicAccess: this }
  }

  /** The hook `authenticate`. A client that the transport has identified is whom it has proved to be, whatever its CONNECT says. */
  readonly authenticate = (
    client: AccessClient,
    username: string | undefined,
    password: Buffer | undefined,
  ): MaybePromise<boolean> => {
    const policies = this.#policies
    const policy = policies.for(client)
    const admit = (evidence: unknown): boolean => {
      this.#admitted.set(client, { username, evidence, policies, rules: policy.rules, identity: undefined })
      return true
    }
    if (!client.id.startsWith(policy.clientIdPrefix)) return false
    if (client.identity !== undefined) return admit(undefined)
    const verdict = checked(policy.logins, { clientId: client.id, username, password })
    const decide = ({ verdict: found, by }: Decision): boolean => {
      if (found === 'unknown' ? !policy.allowAnonymous : found === 'refuse') return false
      return admit(by?.evidence(username))
    }
    return verdict instanceof Promise ? verdict.then(decide) : decide(verdict)
  }

  /** Whether the client may publish on the topic. */
  mayPublish(client: AccessClient, topic: string): boolean {
    return this.#identityOf(client).mayPublish(topic)
  }

  /** Whether the client may have messages of the topic. */
  mayReceive(client: AccessClient, topic: string): boolean {
    return this.#identityOf(client).mayReceive(topic)
  }

  /** Whether somebody who has published on the topic, and may have left, may publish there now. */
  mayStillPublish({ clientId, username, listener }: PublisherName, topic: string): boolean {
    const { rules } = this.#policies.for({ id: clientId, listener })
    return new Identity({ username, clientId }, rules).mayPublish(topic)
  }

  /** Other users and rules from now on; what clients may do changes with the next message. Those who may not even be connected any more
   * are returned, and may do nothing: the caller ends them. */
  replace<Client extends AccessClient>(options: AccessOptions, connected: Iterable<Client>): Client[] {
    const policies = new Policies(options)
    this.#policies = policies
    return [...connected].filter(client => !this.#renew(client, policies))
  }

  /** False: it may not be connected any more. */
  #renew(client: AccessClient, policies: Policies): boolean {
    const admitted = this.#admitted.get(client)
    // Not connected yet, or by other means: not this one's to end.
    if (admitted === undefined) return true
    const { username, evidence } = admitted
    const policy = policies.for(client)
    const isIn =
      client.id.startsWith(policy.clientIdPrefix) && (client.identity !== undefined || stillIn(policy, admitted))
    const rules = isIn ? policy.rules : [nothingAtAll]
    this.#admitted.set(client, { username, evidence, policies, rules, identity: undefined })
    return isIn
  }

  #identityOf(client: AccessClient): Identity {
    let admitted = this.#admitted.get(client)
    if (admitted === undefined || admitted.policies !== this.#policies) admitted = this.#admitAgain(client)
    admitted.identity ??= new Identity({ username: admitted.username, clientId: client.id }, admitted.rules)
    return admitted.identity
  }

  /** After a change; or a client that another hook let in, which has the rights of somebody without name. */
  #admitAgain(client: AccessClient): Admitted {
    const policies = this.#policies
    this.#renew(client, policies)
    const { rules } = policies.for(client)
    const unknown = { username: client.identity, evidence: undefined, policies, rules, identity: undefined }
    const admitted = this.#admitted.get(client) ?? unknown
    this.#admitted.set(client, admitted)
    return admitted
  }
}

const nothingAtAll: AccessRules = { rightsOf: () => ({ may: () => false }) }

class Policies {
  readonly #general: Required<AccessPolicy>
  readonly #listeners = new Map<string, Required<AccessPolicy>>()

  constructor({ listeners = {}, ...general }: AccessOptions) {
    this.#general = complete(general)
    for (const [name, policy] of Object.entries(listeners)) this.#listeners.set(name, complete(policy))
  }

  for({ listener }: AccessClient): Required<AccessPolicy> {
    return (listener === undefined ? undefined : this.#listeners.get(listener)) ?? this.#general
  }
}

function complete(policy: AccessPolicy): Required<AccessPolicy> {
  const { logins = [], rules = [], allowAnonymous = false, clientIdPrefix = '' } = policy
  return { logins, rules, allowAnonymous, clientIdPrefix }
}

interface Decision {
  readonly verdict: LoginVerdict
  /** Who has decided; undefined: nobody. */
  readonly by: LoginCheck | undefined
}

/** What the first of the checks says that has an opinion; synchronous as long as they are. */
function checked(logins: readonly LoginCheck[], login: Parameters<LoginCheck['check']>[0]): MaybePromise<Decision> {
  const [by, ...others] = logins
  if (by === undefined) return { verdict: 'unknown', by }
  const next = (verdict: LoginVerdict): MaybePromise<Decision> =>
    verdict === 'unknown' ? checked(others, login) : { verdict, by }
  const verdict = by.check(login)
  return typeof verdict === 'string' ? next(verdict) : verdict.then(next)
}

function stillIn({ logins, allowAnonymous }: Required<AccessPolicy>, { username, evidence }: Admitted): boolean {
  for (const login of logins) {
    const verdict = login.recheck({ username, evidence })
    if (verdict !== 'unknown') return verdict === 'accept'
  }
  return allowAnonymous
}

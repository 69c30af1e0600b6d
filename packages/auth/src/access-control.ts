import type { MaybePromise } from '@x/contract'
import { parseTopicFilter, parseTopicName } from '@x/topic-trie'
import type { AccessAction, AccessRules, Decision as AccessDecision, SubjectDetails } from './access-rules.ts'
import { addressOf } from './access-client.ts'
import type { AccessClient, AuthorityHooks, PublisherName } from './access-client.ts'
import { Identity } from './identity.ts'
import type { Subject } from './identity.ts'
import type { Acceptance } from './login-check.ts'
import { Policies, checked, isUndecided, stillIn } from './policies.ts'
import type { AccessOptions, Decision } from './policies.ts'
import { AuthError } from './auth-error.ts'
import { ExpiringClients } from './expiring-clients.ts'
import { nothingAtAll, responseAlone } from './no-rights.ts'
import { recheckWhenConnected } from './topic-authority.ts'
import type { AuthorityAction } from './topic-authority.ts'
import { DynamicSecurity } from './dynamic-security/dynamic-security.ts'
import type { Commander } from './dynamic-security/dynamic-security.ts'
import type { Affected } from './dynamic-security/commands.ts'

/** MQTT 5.0 §3.14.2.1 */
const notAuthorized = 0x87
const administrativeAction = 0x98

/** A client that came in. */
interface Admitted {
  readonly username: string | undefined
  /** What its login stands on. */
  readonly evidence: unknown
  readonly details: SubjectDetails
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
  /** What executes commands, by topic. Always current. */
  readonly controlEndpoints: ReadonlyMap<string, { execute(client: AccessClient, payload: Buffer): Promise<string> }>
  readonly #endpoints = new Map<string, { execute(client: AccessClient, payload: Buffer): Promise<string> }>()
  #policies: Policies
  /** End the watch on what can change. */
  #watches: (() => void)[] = []
  readonly #brokers = new Set<NonNullable<AccessClient['broker']>>()
  /** A client that is not in here did not come in by `authenticate`. */
  readonly #admitted = new WeakMap<object, Admitted>()
  /** Have sent commands whose response is not there yet, with how many. */
  readonly #commanding = new Map<AccessClient, number>()
  readonly #expiring = new ExpiringClients<AccessClient>(client => this.#expire(client))

  constructor(options: AccessOptions) {
    this.#policies = new Policies(options)
    this.controlEndpoints = this.#endpoints
    this.#watch()
  }

  /** Options for a broker. Bound: they may be handed on one by one. */
  get hooks(): {
    readonly authenticate: AccessControl['authenticate']
    readonly topicAccess: Pick<
      AccessControl,
      'mayPublish' | 'mayReceive' | 'mayStillPublish' | 'maySubscribe' | 'mayUnsubscribe'
    >
    readonly controlEndpoints?: AccessControl['controlEndpoints']
  } & Partial<AuthorityHooks> {
    const { authenticate, controlEndpoints } = this
    return {
      authenticate,
      topicAccess: this,
      ...this.authorityHooks,
      ...(controlEndpoints.size > 0 && { controlEndpoints }),
    }
  }

  /** Those of the hooks that ask an authority; none where there is none, since a hook that is set costs time. */
  get authorityHooks(): Partial<AuthorityHooks> {
    if (!this.#policies.hasAuthority) return {}
    return {
      authorizePublish: (client, { topic }) => {
        const isGranted = client === null || this.#isGranted(client, 'publish', topic)
        return isGranted instanceof Promise
          ? isGranted.then(isSo => assertGranted(isSo, topic))
          : assertGranted(isGranted, topic)
      },
      authorizeSubscribe: (client, subscription) => {
        const isGranted = this.#isGranted(client, 'subscribe', subscription.topic)
        if (isGranted instanceof Promise) return isGranted.then(isSo => (isSo ? subscription : null))
        return isGranted ? subscription : null
      },
    }
  }

  /** The hook `authenticate`. A client that the transport has identified is whom it has proved to be, whatever its CONNECT says. */
  readonly authenticate = (
    client: AccessClient,
    givenName: string | undefined,
    password: Buffer | undefined,
  ): MaybePromise<boolean> => {
    // An empty one is none, as with Mosquitto.
    const username = givenName === '' ? undefined : givenName
    const policies = this.#policies
    const policy = policies.for(client)
    if (client.broker !== undefined) this.#brokers.add(client.broker)
    const admit = ({ username: name = username, evidence, details = {}, expiresAt }: Acceptance): boolean => {
      const { rules } = policy
      this.#admitted.set(client, { username: name, evidence, details, policies, rules, identity: undefined })
      if (expiresAt !== undefined) this.#expiring.add(client, expiresAt)
      if (policy.authority !== undefined) {
        recheckWhenConnected(client, filter => this.#isGranted(client, 'subscribe', filter))
      }
      // While a check was waited for, users may have changed.
      return policies === this.#policies || this.#renew(client, this.#policies)
    }
    if (client.identity !== undefined) return admit({})
    const verdict = checked(policy.logins, { clientId: client.id, username, password })
    const decide = ({ verdict: found, acceptance }: Decision): boolean => {
      const isIn =
        found === 'accept' ||
        (isUndecided(found) && policy.allowAnonymous && !(found === 'defer' && username !== undefined))
      if (!isIn) return false
      return admit(acceptance)
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
    const { rules } = this.#policies.for({ listener })
    return new Identity({ username, clientId }, rules).mayPublish(topic)
  }

  /** Whether the client may subscribe to the filter. */
  maySubscribe(client: AccessClient, filter: string): boolean {
    return this.#identityOf(client).maySubscribe(filter)
  }

  /** Whether the client may end its subscription to the filter. */
  mayUnsubscribe(client: AccessClient, filter: string): boolean {
    return this.#identityOf(client).mayUnsubscribe(filter)
  }

  /** Which rule decides whether somebody may publish on a topic, receive it or subscribe to a filter, connected or not.
   * @throws TopicError for what is no topic, or no filter */
  explain(
    subject: Subject & { readonly listener?: string | undefined },
    action: AccessAction,
    topic: string,
  ): AccessDecision {
    if (action === 'subscribe') parseTopicFilter(topic)
    else parseTopicName(topic)
    return new Identity(subject, this.#policies.for(subject).rules).explain(action, topic)
  }

  /** Other users and rules from now on; what clients may do changes with the next message. Those who may not even be connected any more
   * are returned, and may do nothing: the caller ends them. */
  replace<Client extends AccessClient>(options: AccessOptions, connected: Iterable<Client>): Client[] {
    const policies = new Policies(options)
    this.#policies = policies
    this.#watch()
    return [...connected].filter(client => !this.#renew(client, policies))
  }

  /** Commands are executed by the one that is in the policies now. */
  #watch(): void {
    for (const end of this.#watches) end()
    this.#endpoints.clear()
    this.#watches = this.#policies.dynamicSecurity.map(one => {
      this.#endpoints.set(DynamicSecurity.topic, {
        execute: (client, payload) => this.#execute(one, client, payload),
      })
      return one.observe({ changed: affected => this.#changed(affected) })
    })
  }

  async #execute(security: DynamicSecurity, client: AccessClient, payload: Buffer): Promise<string> {
    this.#commanding.set(client, (this.#commanding.get(client) ?? 0) + 1)
    try {
      return await security.execute(this.#commander(client), payload)
    } finally {
      const others = (this.#commanding.get(client) ?? 1) - 1
      if (others === 0) this.#commanding.delete(client)
      else this.#commanding.set(client, others)
    }
  }

  #commander(client: AccessClient): Commander {
    return {
      clientId: client.id,
      username: this.#admitted.get(client)?.username,
      addressesOf: username =>
        this.#connected()
          .filter(one => this.#admitted.get(one)?.username === username)
          .flatMap(one => addressOf(one) ?? []),
    }
  }

  #connected(): AccessClient[] {
    for (const broker of this.#brokers) if (broker.closed) this.#brokers.delete(broker)
    return [...this.#brokers].flatMap(({ clients }) => Object.values(clients))
  }

  /** Earlier decisions are void. Those affected may do nothing from now on, but for having the response to a command of their own, and
   * are ended once it is sent: who changes its own rights would wait for it in vain. */
  #changed({ usernames, anonymous }: Readonly<Affected>): void {
    const policies = this.#policies.again()
    this.#policies = policies
    for (const client of this.#connected()) {
      const admitted = this.#admitted.get(client)
      if (admitted === undefined || client.close === undefined) continue
      const { username } = admitted
      if (username === undefined ? !anonymous : !usernames.has(username)) continue
      const rules = [this.#commanding.has(client) ? responseAlone : nothingAtAll]
      this.#admitted.set(client, { ...admitted, policies, rules, identity: undefined })
      setImmediate(() => client.close?.({ reasonCode: administrativeAction }))
    }
  }

  /** False: it may not be connected any more. */
  #renew(client: AccessClient, policies: Policies): boolean {
    const admitted = this.#admitted.get(client)
    // Not connected yet, or by other means: not this one's to end.
    if (admitted === undefined) return true
    const policy = policies.for(client)
    const isIn = client.identity !== undefined || stillIn(policy, admitted)
    const rules = isIn ? policy.rules : [nothingAtAll]
    this.#admitted.set(client, { ...admitted, policies, rules, identity: undefined })
    return isIn
  }

  /** Its right to be connected has ended; until it is gone it may do nothing. */
  #expire(client: AccessClient): void {
    const admitted = this.#admitted.get(client)
    if (admitted !== undefined) this.#admitted.set(client, { ...admitted, rules: [nothingAtAll], identity: undefined })
    client.close?.({ reasonCode: notAuthorized })
  }

  #isGranted(client: AccessClient, action: AuthorityAction, topic: string): MaybePromise<boolean> {
    const { authority } = this.#policies.for(client)
    return authority?.may(action, topic, subjectOf(client, this.#admittedNow(client))) ?? true
  }

  #admittedNow(client: AccessClient): Admitted {
    const admitted = this.#admitted.get(client)
    return admitted === undefined || admitted.policies !== this.#policies ? this.#admitAgain(client) : admitted
  }

  #identityOf(client: AccessClient): Identity {
    const admitted = this.#admittedNow(client)
    admitted.identity ??= new Identity(subjectOf(client, admitted), admitted.rules)
    return admitted.identity
  }

  /** After a change; or a client that another hook let in, which has the rights of somebody without name. */
  #admitAgain(client: AccessClient): Admitted {
    const policies = this.#policies
    this.#renew(client, policies)
    const { rules } = policies.for(client)
    const unknown = {
      username: client.identity,
      evidence: undefined,
      details: {},
      policies,
      rules,
      identity: undefined,
    }
    const admitted = this.#admitted.get(client) ?? unknown
    this.#admitted.set(client, admitted)
    return admitted
  }
}

function assertGranted(isGranted: boolean, topic: string): void {
  if (!isGranted) throw new AuthError('NOT_AUTHORIZED', `the authority does not allow it to publish on '${topic}'`)
}

function subjectOf(client: AccessClient, { username, details }: Admitted): Subject {
  const given = client.certificate?.subject?.CN
  const name: unknown = Array.isArray(given) ? given[0] : given
  const certificateName = typeof name === 'string' ? name : undefined
  return { ...details, username, clientId: client.id, certificateName }
}

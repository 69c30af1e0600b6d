import type { MaybePromise } from '@x/contract'
import { parseTopicFilter, parseTopicName } from '@x/topic-trie'
import type { AccessAction, AccessRules, Decision as AccessDecision } from './access-rules.ts'
import { Identity } from './identity.ts'
import type { Subject } from './identity.ts'
import type { LoginCheck } from './login-check.ts'
import { Policies, checked, isUndecided, stillIn } from './policies.ts'
import type { AccessOptions, Decision } from './policies.ts'
import { DynamicSecurity } from './dynamic-security/dynamic-security.ts'
import type { Commander } from './dynamic-security/dynamic-security.ts'
import type { Affected } from './dynamic-security/commands.ts'

/** What is needed of a client; the broker's fits. */
export interface AccessClient {
  readonly id: string
  readonly listener?: string | undefined
  /** Whom the transport has proved it to be, by a certificate for instance: no password is asked for then. */
  readonly identity?: string | undefined
  /** Its broker, of which the clients are looked at after each change. */
  readonly broker?: { readonly clients: Readonly<Record<string, AccessClient>>; readonly closed: boolean }
  readonly connDetails?: { readonly ipAddress?: string } | undefined
  readonly conn?: object
  /** The one that the listener has verified. */
  readonly certificate?: { readonly subject?: { readonly CN?: unknown } } | undefined
  close?(): void
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
  /** The check that has accepted it; undefined: none has. */
  readonly by: LoginCheck | undefined
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
  } {
    const { authenticate, controlEndpoints } = this
    return { authenticate, topicAccess: this, ...(controlEndpoints.size > 0 && { controlEndpoints }) }
  }

  /** The hook `authenticate`. A client that the transport has identified is whom it has proved to be, whatever its CONNECT says. */
  readonly authenticate = (
    client: AccessClient,
    username: string | undefined,
    password: Buffer | undefined,
  ): MaybePromise<boolean> => {
    const policies = this.#policies
    const policy = policies.for(client)
    if (client.broker !== undefined) this.#brokers.add(client.broker)
    const admit = (by?: LoginCheck): boolean => {
      const evidence: unknown = by?.evidence(username)
      this.#admitted.set(client, { username, evidence, by, policies, rules: policy.rules, identity: undefined })
      // While a check was waited for, users may have changed.
      return policies === this.#policies || this.#renew(client, this.#policies)
    }
    if (!client.id.startsWith(policy.clientIdPrefix)) return false
    if (client.identity !== undefined) return admit()
    const verdict = checked(policy.logins, { clientId: client.id, username, password })
    const decide = ({ verdict: found, by }: Decision): boolean => {
      const isIn =
        found === 'accept' ||
        (isUndecided(found) && policy.allowAnonymous && !(found === 'defer' && username !== undefined))
      if (!isIn) return false
      return admit(by)
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

  /** What was decided counts no more. Those affected may do nothing from now on, but for having the response to a command of their own, and
   * are ended once it is sent: who changes its own rights would wait for it in vain. */
  #changed({ usernames, anonymous }: Readonly<Affected>): void {
    const policies = this.#policies.again()
    this.#policies = policies
    for (const client of this.#connected()) {
      const admitted = this.#admitted.get(client)
      if (admitted === undefined || client.close === undefined) continue
      const { username, evidence, by } = admitted
      if (username === undefined ? !anonymous : !usernames.has(username)) continue
      const rules = [this.#commanding.has(client) ? responseAlone : nothingAtAll]
      this.#admitted.set(client, { username, evidence, by, policies, rules, identity: undefined })
      setImmediate(() => client.close?.())
    }
  }

  /** False: it may not be connected any more. */
  #renew(client: AccessClient, policies: Policies): boolean {
    const admitted = this.#admitted.get(client)
    // Not connected yet, or by other means: not this one's to end.
    if (admitted === undefined) return true
    const { username, evidence, by } = admitted
    const policy = policies.for(client)
    const isIn =
      client.id.startsWith(policy.clientIdPrefix) && (client.identity !== undefined || stillIn(policy, admitted))
    const rules = isIn ? policy.rules : [nothingAtAll]
    this.#admitted.set(client, { username, evidence, by, policies, rules, identity: undefined })
    return isIn
  }

  #identityOf(client: AccessClient): Identity {
    let admitted = this.#admitted.get(client)
    if (admitted === undefined || admitted.policies !== this.#policies) admitted = this.#admitAgain(client)
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
      by: undefined,
      policies,
      rules,
      identity: undefined,
    }
    const admitted = this.#admitted.get(client) ?? unknown
    this.#admitted.set(client, admitted)
    return admitted
  }
}

const nothingAtAll: AccessRules = {
  rightsOf: () => ({ may: () => false, maySubscribe: () => false }),
}

const responses = `${DynamicSecurity.topic}/response`
const responseAlone: AccessRules = {
  rightsOf: () => ({
    may: (access, topic) => access === 'receive' && topic === responses,
    maySubscribe: () => false,
    mayUnsubscribe: () => false,
  }),
}

function subjectOf(client: AccessClient, { username, evidence, by }: Admitted): Subject {
  const given = client.certificate?.subject?.CN
  const name: unknown = Array.isArray(given) ? given[0] : given
  const certificateName = typeof name === 'string' ? name : undefined
  return { ...by?.detailsOf?.(evidence), username, clientId: client.id, certificateName }
}

function addressOf({ connDetails, conn }: AccessClient): string | undefined {
  const address =
    connDetails?.ipAddress ?? (conn !== undefined && 'remoteAddress' in conn ? conn.remoteAddress : undefined)
  return typeof address === 'string' ? address : undefined
}

import { filterMatches, parseSharedFilter } from '@x/topic-trie'
import type { TopicFilter } from '@x/topic-trie'
import type { Access, AccessRules, Decision, Rights, SubjectDetails } from './access-rules.ts'
import { filterCovers, filtersMeet } from './covering.ts'
import { FilterSet } from './filter-set.ts'
import { filterFor, parseRule } from './rule-text.ts'
import type { Rule, RuleAction } from './rule-text.ts'

/** Rules in words, with the groups and roles that they name. */
export interface RuleTexts {
  /** `allow|deny publish|subscribe|receive FILTER [for user|client|group|role NAME, or for anonymous]`. */
  readonly rules: readonly string[]
  /** User names, by group. */
  readonly groups?: Readonly<Record<string, readonly string[]>>
  /** `user NAME`, `client ID` or `group NAME`, by role. */
  readonly roles?: Readonly<Record<string, readonly string[]>>
}

/** Who asks, with all that is known of it. */
interface Subject extends Omit<SubjectDetails, 'groups' | 'roles'> {
  readonly username: string | undefined
  readonly clientId: string
  readonly groups: ReadonlySet<string>
  readonly roles: ReadonlySet<string>
}

/** Rules of this broker's own kind. What none allows is refused, and what one denies is refused whatever others allow, so their order means
 * nothing. A variable whose value has `+`, `#` or `/` makes its rule not hold. */
export class OwnRules implements AccessRules {
  readonly #rules: readonly Rule[]
  readonly #groups: ReadonlyMap<string, readonly string[]>
  readonly #roles: ReadonlyMap<string, readonly string[]>

  /** @throws RangeError for a rule that is none; it says which, and what it must be */
  constructor({ rules, groups = {}, roles = {} }: RuleTexts) {
    this.#rules = rules.map((text, index) => {
      try {
        return parseRule(text)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        throw new RangeError(`rules[${index}] is '${text.slice(0, 200)}', it must be ${error.message}`, {
          cause: error,
        })
      }
    })
    this.#groups = new Map(Object.entries(groups))
    this.#roles = new Map(Object.entries(roles))
  }

  rightsOf(username: string | undefined, clientId: string, details: SubjectDetails = {}): Rights {
    const own = (details.rules ?? []).map(text => parseRule(text))
    return new OwnRights(rulesFor([...this.#rules, ...own], this.#subject(username, clientId, details)))
  }

  #subject(username: string | undefined, clientId: string, details: SubjectDetails): Subject {
    const groups = new Set(details.groups)
    for (const [name, users] of this.#groups) if (username !== undefined && users.includes(username)) groups.add(name)
    const own = [`client ${clientId}`, ...[...groups].map(name => `group ${name}`)]
    if (username !== undefined) own.push(`user ${username}`)
    const roles = new Set(details.roles)
    for (const [name, members] of this.#roles) if (members.some(member => own.includes(member))) roles.add(name)
    return { ...details, username, clientId, groups, roles }
  }
}

function rulesFor(rules: readonly Rule[], subject: Subject): HeldRule[] {
  return rules.flatMap(rule => {
    const filter = isFor(rule, subject) ? filterFor(rule, name => valueOf(name, subject)) : undefined
    return filter === undefined ? [] : [{ rule, filter }]
  })
}

/** A rule that holds for one client. */
interface HeldRule {
  readonly rule: Rule
  readonly filter: string
}

function isFor({ subject }: Rule, { username, clientId, groups, roles }: Subject): boolean {
  switch (subject.kind) {
    case 'everybody':
      return true
    case 'anonymous':
      return username === undefined
    case 'user':
      return username === subject.name
    case 'client':
      return clientId === subject.name
    case 'group':
      return groups.has(subject.name)
    default:
      return roles.has(subject.name)
  }
}

function valueOf(name: string, { username, clientId, certificateName, claims }: Subject): string | undefined {
  if (name === 'username') return username
  if (name === 'clientid') return clientId
  if (name === 'cert.cn') return certificateName
  const claim = claims?.get(name.slice('claim.'.length))
  return typeof claim === 'string' || typeof claim === 'number' ? String(claim) : undefined
}

/** The rules of one client, by what they are about. */
class OwnRights implements Rights {
  readonly #held: readonly HeldRule[]
  readonly #filters: Readonly<Record<Access, Readonly<Record<Rule['effect'], FilterSet>>>>

  constructor(held: readonly HeldRule[]) {
    this.#held = held
    const of = (action: RuleAction, effect: Rule['effect']): FilterSet =>
      new FilterSet(this.#about(action, effect).map(({ filter }) => filter))
    const both = (action: RuleAction): Record<Rule['effect'], FilterSet> => ({
      allow: of(action, 'allow'),
      deny: of(action, 'deny'),
    })
    this.#filters = { publish: both('publish'), receive: both('receive') }
  }

  may(access: Access, topic: string): boolean {
    const { allow, deny } = this.#filters[access]
    return !deny.matches(topic) && allow.matches(topic)
  }

  /** A rule that denies refuses every filter that could bring one of its topics. Of a shared subscription the filter behind its name counts. */
  maySubscribe(filter: string): boolean {
    return this.explain('subscribe', filter).isAllowed
  }

  explain(action: RuleAction, topic: string): Decision {
    const filter = parseSharedFilter(topic as TopicFilter)?.filter ?? topic
    const meets = (one: HeldRule): boolean =>
      action === 'subscribe' ? filtersMeet(one.filter, filter) : filterMatches(one.filter, topic)
    const covers = (one: HeldRule): boolean =>
      action === 'subscribe' ? filterCovers(one.filter, filter) : filterMatches(one.filter, topic)
    const denied = this.#about(action, 'deny').find(meets)
    const found = denied ?? this.#about(action, 'allow').find(covers)
    if (found === undefined) return { isAllowed: false, why: 'no rule allows it' }
    const filled = found.filter === found.rule.filter ? '' : ` (here: ${found.filter})`
    return { isAllowed: denied === undefined, why: `rule '${found.rule.text}'${filled}` }
  }

  #about(action: RuleAction, effect: Rule['effect']): HeldRule[] {
    return this.#held.filter(({ rule }) => rule.effect === effect && rule.actions.includes(action))
  }
}

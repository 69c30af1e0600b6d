import { filterMatches, isWildcardFilter } from '@x/topic-trie'
import type { Access, AccessAction, Decision, Rights } from '../access-rules.ts'
import { filterCovers } from '../covering.ts'
import { namedTopic } from '../named-topic.ts'
import type { Names } from '../named-topic.ts'
import { orderedAcls } from './database.ts'
import type { AclType, DefaultAccessType, DynamicRole } from './database.ts'
import { OrderedFilters } from './ordered-filters.ts'
import type { Decider } from './ordered-filters.ts'

/** Whose rights, and what they are made of. */
export interface RightsSource {
  readonly names: Names
  /** In the order in which they are asked. */
  readonly roles: readonly DynamicRole[]
  readonly defaultAccess: Readonly<Record<DefaultAccessType, boolean>>
}

const types = { publish: 'publishClientSend', receive: 'publishClientReceive' } as const

/** What one client may do: the first entry that matches decides, role by role; what none matches is decided by the default, which never
 * opens `$CONTROL`. */
export class DynamicRights implements Rights {
  readonly #source: RightsSource
  readonly #filters = new Map<AclType, OrderedFilters>()

  constructor(source: RightsSource) {
    this.#source = source
  }

  may(access: Access, topic: string): boolean {
    const type = types[access]
    let filters = this.#filters.get(type)
    if (filters === undefined) {
      filters = new OrderedFilters(this.#source.roles.flatMap(role => this.#entries(role, type)))
      this.#filters.set(type, filters)
    }
    return filters.decide(topic) ?? this.#byDefault(type, topic)
  }

  maySubscribe(filter: string): boolean {
    return this.explain('subscribe', filter).isAllowed
  }

  mayUnsubscribe(filter: string): boolean {
    return this.#explain('unsubscribe', filter, role => this.#decide(role, 'unsubscribe', filter)).isAllowed
  }

  /** A role that forbids wildcards refuses them before later roles are asked. */
  explain(action: AccessAction, topic: string): Decision {
    if (action !== 'subscribe') {
      const type = types[action]
      return this.#explain(type, topic, role => this.#entries(role, type).find(one => filterMatches(one.topic, topic)))
    }
    const isWild = isWildcardFilter(topic)
    return this.#explain(action, topic, role =>
      isWild && !role.allowwildcardsubs
        ? { topic: 'no wildcards', allow: false }
        : this.#decide(role, 'subscribe', topic),
    )
  }

  #explain(type: DefaultAccessType, topic: string, decide: (role: DynamicRole) => Decider | undefined): Decision {
    for (const role of this.#source.roles) {
      const found = decide(role)
      if (found === undefined) continue
      const verb = found.allow ? 'allows' : 'denies'
      return { isAllowed: found.allow, why: `role '${role.rolename}' ${verb} ${type} ${found.topic}` }
    }
    const isAllowed = this.#byDefault(type, topic)
    return { isAllowed, why: `no role says anything, and the default for ${type} ${isAllowed ? 'allows' : 'denies'}` }
  }

  /** Entries that name the very filter come first, whatever their priority. */
  #decide(role: DynamicRole, verb: 'subscribe' | 'unsubscribe', filter: string): Decider | undefined {
    const literal = orderedAcls(role, `${verb}Literal`).find(({ topic }) => topic === filter)
    return literal ?? this.#entries(role, `${verb}Pattern`).find(({ topic }) => filterCovers(topic, filter))
  }

  #entries(role: DynamicRole, type: AclType): Decider[] {
    return orderedAcls(role, type).flatMap(({ topic, allow }) => {
      const named = namedTopic(topic, this.#source.names)
      return named === undefined ? [] : [{ topic: named, allow }]
    })
  }

  #byDefault(type: DefaultAccessType, topic: string): boolean {
    return this.#source.defaultAccess[type] && !topic.startsWith('$CONTROL')
  }
}

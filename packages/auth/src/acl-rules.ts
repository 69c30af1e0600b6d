import { filterMatches, isWildcardFilter } from '@x/topic-trie'
import type { Access, AccessAction, AccessRules, Decision, Rights } from './access-rules.ts'
import { FilterSet } from './filter-set.ts'
import { hasPlaceholder, namedTopic } from './named-topic.ts'
import type { Names } from './named-topic.ts'

/** What a line of an ACL file grants. */
export type AclAccess = 'read' | 'write' | 'readwrite' | 'deny'

/** A line of an ACL file. */
export interface AclLine {
  readonly access: AclAccess
  readonly topic: string
  /** Where it stands in its file, from 1. */
  readonly line: number
}

/** An ACL file, read. */
export interface AclContent {
  /** Its name. */
  readonly file: string
  /** For clients without user name. */
  readonly anonymous: readonly AclLine[]
  readonly users: ReadonlyMap<string, readonly AclLine[]>
  /** For everybody; `%c` and `%u` stand for the client's identifier and user name where they are a whole level. */
  readonly patterns: readonly AclLine[]
}

/** Lines of one section: a line that denies outweighs all that grant, wherever it stands. So their order means nothing. */
class Section {
  readonly #lines: readonly AclLine[]
  readonly #denied: FilterSet
  readonly #granted: Readonly<Record<Access, FilterSet>>

  constructor(lines: readonly AclLine[]) {
    this.#lines = lines
    const filters = (...kinds: readonly AclAccess[]): FilterSet =>
      new FilterSet(lines.filter(({ access }) => kinds.includes(access)).map(({ topic }) => topic))
    this.#denied = filters('deny')
    this.#granted = { publish: filters('write', 'readwrite'), receive: filters('read', 'readwrite') }
  }

  /** The line that decides; undefined: none says anything. */
  find(access: Access, topic: string): AclLine | undefined {
    const fitting = this.#lines.filter(line => filterMatches(line.topic, topic))
    const grants: readonly AclAccess[] = access === 'publish' ? ['write', 'readwrite'] : ['read', 'readwrite']
    return fitting.find(line => line.access === 'deny') ?? fitting.find(line => grants.includes(line.access))
  }

  /** Undefined: no line says anything. */
  decide(access: Access, topic: string): boolean | undefined {
    if (this.#denied.matches(topic)) return false
    return this.#granted[access].matches(topic) ? true : undefined
  }
}

const nothing = new Section([])

/** The rules of an ACL file, in Mosquitto's order: the client's own section (its user's, or that of the anonymous), then the patterns;
 * what nothing grants is refused, so a file without a line allows nothing. */
export class AclRules implements AccessRules {
  readonly #file: string
  readonly #anonymous: Section
  readonly #users = new Map<string, Section>()
  readonly #patterns: readonly AclLine[]
  /** Those in which no name stands: the same for everybody. */
  readonly #sharedPatterns: Section | undefined

  constructor({ file, anonymous, users, patterns }: AclContent) {
    this.#file = file
    this.#anonymous = new Section(anonymous)
    for (const [username, lines] of users) this.#users.set(username, new Section(lines))
    this.#patterns = patterns
    this.#sharedPatterns = patterns.some(({ topic }) => hasPlaceholder(topic)) ? undefined : new Section(patterns)
  }

  rightsOf(username: string | undefined, clientId: string): Rights {
    const own = username === undefined ? this.#anonymous : (this.#users.get(username) ?? nothing)
    const patterns = this.#patternsFor(username, clientId)
    return {
      may: (access, topic) => own.decide(access, topic) ?? patterns.decide(access, topic) ?? false,
      explain: (action, topic) => this.#explain([own, patterns], action, topic),
    }
  }

  #explain(sections: readonly Section[], action: AccessAction, topic: string): Decision {
    if (action === 'subscribe') {
      return { isAllowed: true, why: `${this.#file} lets everybody subscribe, and decides about what is received` }
    }
    for (const section of sections) {
      const found = section.find(action, topic)
      if (found === undefined) continue
      const { access, topic: filter, line } = found
      return { isAllowed: access !== 'deny', why: `${this.#file}:${line}: ${access} ${filter}` }
    }
    return { isAllowed: false, why: `no line of ${this.#file} grants it` }
  }

  /** A name with a wildcard would widen the rule that it is put into. */
  #patternsFor(username: string | undefined, clientId: string): Section {
    if (isWildcardFilter(clientId) || (username !== undefined && isWildcardFilter(username))) return nothing
    if (this.#sharedPatterns !== undefined) return this.#sharedPatterns
    return new Section(this.#patterns.flatMap(line => withNames(line, { username, clientId })))
  }
}

/** The line for one client; none where its names don't fit. */
function withNames({ access, topic, line }: AclLine, names: Names): readonly AclLine[] {
  const named = namedTopic(topic, names)
  return named === undefined ? [] : [{ access, topic: named, line }]
}

import { TopicError, parseTopicFilter } from '@x/topic-trie'

/** What rules are about. */
export const ruleActions = ['publish', 'subscribe', 'receive'] as const
/** One of them. */
export type RuleAction = (typeof ruleActions)[number]

/** Whom a rule is for. */
export type RuleSubject =
  | { readonly kind: 'everybody' | 'anonymous' }
  | { readonly kind: 'user' | 'client' | 'group' | 'role'; readonly name: string }

/** A rule, parsed from `allow|deny ACTIONS FILTER [for SUBJECT]`. */
export interface Rule {
  readonly text: string
  readonly effect: 'allow' | 'deny'
  readonly actions: readonly RuleAction[]
  /** With its variables: `${username}` for one. */
  readonly filter: string
  readonly subject: RuleSubject
}

const named: ReadonlySet<string> = new Set(['user', 'client', 'group', 'role'])
const variable = /\$\{([^}]*)\}/g
const knownVariable = /^(?:username|clientid|cert\.cn|claim\.[^.].*)$/
/** Levels of the deepest filter that a rule may have. */
const maximumLevels = 201

/** Reads a rule: `allow publish|receive house/${username}/# for group family`.
 * @throws RangeError that says what it must be */
export function parseRule(text: string): Rule {
  const [effect = '', actions = '', ...others] = text.trim().split(/ +/)
  if (effect !== 'allow' && effect !== 'deny') throw new RangeError('a rule that begins with allow or deny')
  const { filter, subject } = objectOf(others)
  checkFilter(filter)
  return { text: text.trim(), effect, actions: actionsOf(actions), filter, subject }
}

function actionsOf(text: string): readonly RuleAction[] {
  const words = text.split('|')
  const found = ruleActions.filter(action => words.includes(action))
  if (found.length === words.length) return found
  throw new RangeError(
    `a rule about publish, subscribe or receive, or several of them with | in between, but not '${text.slice(0, 50)}'`,
  )
}

/** The last `for` with a subject behind it ends the filter, which may have spaces. */
function objectOf(words: readonly string[]): { filter: string; subject: RuleSubject } {
  const at = words.findLastIndex((word, index) => word === 'for' && isSubject(words.slice(index + 1)))
  if (at < 0) return { filter: words.join(' '), subject: { kind: 'everybody' } }
  const [kind = '', ...name] = words.slice(at + 1)
  const subject = named.has(kind) ? { kind, name: name.join(' ') } : { kind }
  return { filter: words.slice(0, at).join(' '), subject: subject as RuleSubject }
}

function isSubject([kind = '', ...name]: readonly string[]): boolean {
  return named.has(kind) ? name.length > 0 : name.length === 0 && (kind === 'anonymous' || kind === 'everybody')
}

/** Variables count as text without wildcards, which is all that they can become. */
function checkFilter(filter: string): void {
  if (filter === '') throw new RangeError('a rule with a topic filter (one with # in front needs quotes in YAML)')
  for (const [whole, name = ''] of filter.matchAll(variable)) {
    if (knownVariable.test(name)) continue
    throw new RangeError(
      `a rule with \${username}, \${clientid}, \${cert.cn} or \${claim.NAME}, but not ${whole.slice(0, 50)}`,
    )
  }
  try {
    parseTopicFilter(filter.replaceAll(variable, 'x'), { maximumLevels })
  } catch (error) {
    if (!(error instanceof TopicError)) throw error
    throw new RangeError(`a rule with a topic filter, but '${filter.slice(0, 100)}' is none: ${error.message}`, {
      cause: error,
    })
  }
}

/** Returns the rule's filter for one client. Undefined: the rule does not hold for this client, since a variable has no value for it, or one
 * that can't be part of a level, or the value would make a topic that begins with `$`. */
export function filterFor({ filter }: Rule, valueOf: (name: string) => string | undefined): string | undefined {
  let isFit = true
  const made = filter.replaceAll(variable, (_whole, name: string) => {
    const value = valueOf(name)
    if (value === undefined || value === '' || /[+#/\0]/.test(value)) isFit = false
    return value ?? ''
  })
  if (made.startsWith('$') && filter.startsWith('${')) return undefined
  return isFit ? made : undefined
}

import { assert, constantFrom, array, property, record, option } from 'fast-check'
import { test } from 'vitest'
import { parseAclFile } from '../src/index.ts'

interface Line {
  readonly kind: 'user' | 'topic' | 'pattern'
  readonly access: 'read' | 'write' | 'readwrite' | 'deny'
  readonly levels: readonly string[]
}

/** A filter against a topic, level by level, as the standard says it in words. */
function naiveMatch(filter: readonly string[], topic: readonly string[]): boolean {
  const [level, ...rest] = filter
  if (level === '#') return true
  if (level === undefined) return topic.length === 0
  const [first, ...others] = topic
  if (first === undefined) return false
  if (level !== '+' && level !== first) return false
  return others.length === 0 && rest.length === 1 && rest[0] === '#' ? true : naiveMatch(rest, others)
}

function matches(filter: readonly string[], topic: readonly string[]): boolean {
  const isHidden = (topic[0] ?? '').startsWith('$') && (filter[0] === '+' || filter[0] === '#')
  return !isHidden && naiveMatch(filter, topic)
}

/** Mosquitto's order, line by line: nothing compiled, nothing remembered. */
function naiveMay(
  lines: readonly Line[],
  who: { readonly username: string | undefined; readonly clientId: string },
  access: 'publish' | 'receive',
  topic: readonly string[],
): boolean {
  let section: string | undefined
  const own: Line[] = []
  for (const line of lines) {
    if (line.kind === 'user') section = line.levels[0]
    else if (line.kind === 'topic' && section === who.username) own.push(line)
  }
  const grants = access === 'publish' ? ['write', 'readwrite'] : ['read', 'readwrite']
  const decide = (rows: readonly Line[], name: (level: string) => string | undefined): boolean | undefined => {
    const fitting = rows.filter(({ levels }) => {
      const named = levels.map(name)
      const [first] = named
      if (named.some(level => level === undefined)) return false
      if ((first ?? '').startsWith('$') && !(levels[0] ?? '').startsWith('$')) return false
      return matches(named as string[], topic)
    })
    if (fitting.some(line => line.access === 'deny')) return false
    return fitting.some(line => grants.includes(line.access)) ? true : undefined
  }
  const decided = decide(own, level => level)
  if (decided !== undefined) return decided
  if (/[+#]/.test(who.clientId) || /[+#]/.test(who.username ?? '')) return false
  const nameOf = (level: string): string | undefined => {
    const value = level === '%c' ? who.clientId : level === '%u' ? who.username : level
    return value?.includes('/') === true ? undefined : value
  }
  const patterns = lines.filter(({ kind }) => kind === 'pattern')
  return decide(patterns, nameOf) === true
}

const names = constantFrom('a', 'b', '$SYS', '+', '#', 'a/b', '')
const topicLevel = constantFrom('a', 'b', '$SYS', '%c', '%u', '')
const filterLevel = constantFrom('a', 'b', '$SYS', '%c', '%u', '', '+')

const line = record({
  kind: constantFrom('user' as const, 'topic' as const, 'topic' as const, 'pattern' as const, 'pattern' as const),
  access: constantFrom('read' as const, 'write' as const, 'readwrite' as const, 'deny' as const),
  levels: array(filterLevel, { minLength: 1, maxLength: 4 }),
  isOpen: constantFrom(true, false),
}).map(({ isOpen, ...rest }): Line => {
  if (rest.kind === 'user') return { ...rest, levels: [rest.levels[0] || 'a'] }
  const levels = isOpen ? [...rest.levels, '#'] : rest.levels
  // An empty filter is none.
  return { ...rest, levels: levels.join('/') === '' ? ['a'] : levels }
})

function fileOf(lines: readonly Line[]): string {
  return lines
    .map(({ kind, access, levels }) =>
      kind === 'user' ? `user ${levels[0]}` : `${kind} ${access} ${levels.join('/')}`,
    )
    .join('\n')
}

test('whatever the file, the names and the topic, the compiled rules decide as the file read line by line', () => {
  assert(
    property(
      array(line, { maxLength: 8 }),
      option(names, { nil: undefined }),
      names,
      constantFrom('publish' as const, 'receive' as const),
      array(topicLevel, { minLength: 1, maxLength: 5 }),
      (lines, username, clientId, access, topic) => {
        const compiled = parseAclFile(fileOf(lines), 'acl').rightsOf(username, clientId)
        const expected = naiveMay(lines, { username, clientId }, access, topic)
        return compiled.may(access, topic.join('/')) === expected
      },
    ),
    { numRuns: 5000, seed: 18 },
  )
})

import { array, constantFrom, option, record, sample } from 'fast-check'

/** An ACL file, and topics that it may say something about. */
export interface GeneratedAcl {
  readonly text: string
  readonly topics: readonly string[]
}

/** Everybody that a file may speak of; the user names are part of topics, too. */
export const usernames = ['u1', 'u2', 'u3'] as const

const access = constantFrom('', 'read ', 'write ', 'readwrite ', 'deny ')
const names = ['a', 'b', ...usernames, 'c1', '$x'] as const
const end = option(constantFrom('#'), { nil: undefined, freq: 3 })

const filter = (levels: readonly string[]) =>
  record({ levels: array(constantFrom(...levels), { minLength: 1, maxLength: 3 }), end }).map(made =>
    [...made.levels, ...(made.end === undefined ? [] : [made.end])].join('/'),
  )

const line = record({ access, filter: filter([...names, '+', '+']) }).map(made => `topic ${made.access}${made.filter}`)
const pattern = record({ access, filter: filter(['a', 'b', '%c', '%u', '%u', '+']) }).map(
  made => `pattern ${made.access}${made.filter}`,
)

const acl = record({
  anonymous: array(line, { maxLength: 4 }),
  sections: array(record({ user: constantFrom(...usernames), lines: array(line, { maxLength: 4 }) }), {
    minLength: 1,
    maxLength: 6,
  }),
  patterns: array(pattern, { maxLength: 4 }),
  topics: array(array(constantFrom(...names), { minLength: 1, maxLength: 3 }), { minLength: 16, maxLength: 16 }),
}).map(({ anonymous, sections, patterns, topics }): GeneratedAcl => {
  const bySections = sections.flatMap(({ user, lines }) => [`user ${user}`, ...lines])
  return {
    text: [...anonymous, ...bySections, ...patterns, ''].join('\n'),
    topics: [...new Set(topics.map(levels => levels.join('/')))],
  }
})

/** Always the same ones. */
export function generatedAcls(count: number): readonly GeneratedAcl[] {
  return sample(acl, { seed: 18, numRuns: count })
}

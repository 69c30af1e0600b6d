import { array, assert, constantFrom, option, property, record } from 'fast-check'
import { expect, test } from 'vitest'
import { OwnRules } from '../src/index.ts'
import type { SubjectDetails } from '../src/index.ts'

type Question = readonly [username: string | undefined, clientId: string, action: string, topic: string]

const groups = { family: ['ann', 'bob'] }
const roles = { keeper: ['group family', 'client lamp'], guest: ['user cid'] }

function may(
  rules: readonly string[],
  [username, clientId, action, topic]: Question,
  details?: SubjectDetails,
): boolean {
  const rights = new OwnRules({ rules, groups, roles }).rightsOf(username, clientId, details)
  if (action === 'subscribe') return rights.maySubscribe?.(topic) === true
  return rights.may(action as 'publish' | 'receive', topic)
}

test.for<[why: string, rules: string[], question: Question, allowed: boolean]>([
  ['without a rule nothing is allowed', [], ['u', 'c', 'publish', 'a'], false],
  ['a rule without for is for everybody', ['allow publish a/#'], [undefined, 'c', 'publish', 'a/b'], true],
  ['and says it', ['allow publish a/# for everybody'], [undefined, 'c', 'publish', 'a/b'], true],
  ['what it allows is no more than it says', ['allow publish a/#'], [undefined, 'c', 'receive', 'a/b'], false],
  ['several actions', ['allow publish|receive a/#'], ['u', 'c', 'receive', 'a/b'], true],
  ['for a user', ['allow publish a for user u'], ['u', 'c', 'publish', 'a'], true],
  ['and nobody else', ['allow publish a for user u'], ['v', 'c', 'publish', 'a'], false],
  ['nor for who has no name', ['allow publish a for user u'], [undefined, 'u', 'publish', 'a'], false],
  ['for the anonymous', ['allow publish a for anonymous'], [undefined, 'c', 'publish', 'a'], true],
  ['and not for users', ['allow publish a for anonymous'], ['u', 'c', 'publish', 'a'], false],
  ['for a client', ['allow publish a for client c'], [undefined, 'c', 'publish', 'a'], true],
  ['for a group', ['allow publish a for group family'], ['bob', 'c', 'publish', 'a'], true],
  ['who is not in it', ['allow publish a for group family'], ['cid', 'c', 'publish', 'a'], false],
  ['for a role by a group', ['allow publish a for role keeper'], ['ann', 'c', 'publish', 'a'], true],
  ['by a client', ['allow publish a for role keeper'], [undefined, 'lamp', 'publish', 'a'], true],
  ['by a user', ['allow publish a for role guest'], ['cid', 'c', 'publish', 'a'], true],
  ['names of objects are names', ['allow publish a for role constructor'], ['__proto__', 'c', 'publish', 'a'], false],
  ['a denial before', ['deny publish a/b', 'allow publish a/#'], ['u', 'c', 'publish', 'a/b'], false],
  ['a denial behind', ['allow publish a/#', 'deny publish a/b'], ['u', 'c', 'publish', 'a/b'], false],
  ['takes what it names', ['allow publish a/#', 'deny publish a/b'], ['u', 'c', 'publish', 'a/c'], true],
  ['names may have spaces', ['allow publish a b for user u v'], ['u v', 'c', 'publish', 'a b'], true],
  [
    'a filter may have the word for',
    ['allow publish wait for me for user u'],
    ['u', 'c', 'publish', 'wait for me'],
    true,
  ],
  ['the user name', ['allow publish u/${username}/#'], ['u', 'c', 'publish', 'u/u/x'], true],
  ['of another one', ['allow publish u/${username}/#'], ['u', 'c', 'publish', 'u/v/x'], false],
  ['the identifier in a part of a level', ['allow publish dev-${clientid}'], ['u', 'c', 'publish', 'dev-c'], true],
  ['no name is no value', ['allow publish u/${username}'], [undefined, 'c', 'publish', 'u/'], false],
  ['an empty one is none', ['allow publish u/${clientid}'], ['u', '', 'publish', 'u/'], false],
  ['+ never widens a rule', ['allow publish u/${username}'], ['+', 'c', 'publish', 'u/x'], false],
  ['nor does #', ['allow publish u/${clientid}'], ['u', '#', 'publish', 'u/x/y'], false],
  ['nor does /', ['allow publish u/${clientid}'], ['u', 'a/b', 'publish', 'u/a/b'], false],
  ['a name leads into no $ topic', ['allow receive ${clientid}/#'], ['u', '$SYS', 'receive', '$SYS/x'], false],
  ['# means no $ topic', ['allow receive #'], ['u', 'c', 'receive', '$SYS/x'], false],
  ['a subscription to less', ['allow subscribe a/#'], ['u', 'c', 'subscribe', 'a/+/b'], true],
  ['to the same', ['allow subscribe a/+'], ['u', 'c', 'subscribe', 'a/+'], true],
  ['to more', ['allow subscribe a/+'], ['u', 'c', 'subscribe', 'a/#'], false],
  ['to all', ['allow subscribe a/#'], ['u', 'c', 'subscribe', '#'], false],
  ['a shared one to less', ['allow subscribe a/#'], ['u', 'c', 'subscribe', '$share/g/a/b'], true],
  ['a shared one to more', ['allow subscribe a/#'], ['u', 'c', 'subscribe', '$share/g/#'], false],
  [
    'a subscription that could bring what is denied',
    ['allow subscribe #', 'deny subscribe a/secret'],
    ['u', 'c', 'subscribe', 'a/+'],
    false,
  ],
  ['and one that can not', ['allow subscribe #', 'deny subscribe a/secret'], ['u', 'c', 'subscribe', 'b/+'], true],
])('%s: %j', ([, rules, question, allowed]) => {
  expect(may(rules, question)).toBe(allowed)
})

test('certificates, claims, and groups and roles from elsewhere', () => {
  const claims = new Map<string, unknown>([
    ['plant', 'north'],
    ['line', 5],
    ['list', ['x']],
    ['bad', 'a/#'],
  ])
  const details = { certificateName: 'cam', claims, groups: ['made'], roles: ['up'] }
  const question = (topic: string): Question => [undefined, 'c', 'publish', topic]
  const rules = [
    'allow publish cert/${cert.cn}',
    'allow publish p/${claim.plant}/${claim.line}',
    'allow publish l/${claim.list}',
    'allow publish b/${claim.bad}',
    'allow publish n/${claim.none}',
    'allow publish g for group made',
    'allow publish r for role up',
  ]
  for (const topic of ['cert/cam', 'p/north/5', 'g', 'r']) expect(may(rules, question(topic), details)).toBe(true)
  for (const topic of ['cert/x', 'l/x', 'b/a/#', 'b/a/x', 'n/'])
    expect(may(rules, question(topic), details)).toBe(false)
  for (const topic of ['cert/cam', 'p/north/5', 'g', 'r']) expect(may(rules, question(topic))).toBe(false)
})

test.for<[rule: string, problem: string]>([
  ['', 'begins with allow or deny'],
  ['permit publish a', 'begins with allow or deny'],
  ['allow write a', "about publish, subscribe or receive, or several of them with | in between, but not 'write'"],
  ['allow publish|read a', "but not 'publish|read'"],
  ['allow publish', 'with a topic filter'],
  ['allow publish for user u', 'with a topic filter'],
  ['allow publish a/#/b', "'a/#/b' is none"],
  ['allow publish ${user}', '${username}, ${clientid}, ${cert.cn} or ${claim.NAME}, but not ${user}'],
  ['allow publish ${claim.}', 'but not ${claim.}'],
])('%j is no rule', ([rule, problem]) => {
  expect(() => new OwnRules({ rules: ['allow publish a', rule] })).toThrow(`rules[1] is '${rule}', it must be a rule`)
  expect(() => new OwnRules({ rules: [rule] })).toThrow(problem)
})

test('the decision is explained by the rule and what it has become', () => {
  const rights = new OwnRules({
    rules: ['allow publish u/${username}/# for role guest', 'deny publish u/+/secret'],
    roles,
  }).rightsOf('cid', 'c')
  expect(rights.explain?.('publish', 'u/cid/x')).toEqual({
    isAllowed: true,
    why: "rule 'allow publish u/${username}/# for role guest' (here: u/cid/#)",
  })
  expect(rights.explain?.('publish', 'u/cid/secret')).toEqual({
    isAllowed: false,
    why: "rule 'deny publish u/+/secret'",
  })
  expect(rights.explain?.('receive', 'u/cid/x')).toEqual({ isAllowed: false, why: 'no rule allows it' })
})

/** A filter against a topic, level by level, as the standard says it in words. */
function matches(filter: readonly string[], topic: readonly string[]): boolean {
  const [level, ...rest] = filter
  const [first, ...others] = topic
  if (level === '#') return true
  if (level === undefined || first === undefined) return level === first
  return (
    (level === '+' || level === first) && (others.length === 0 && rest.join('/') === '#' ? true : matches(rest, others))
  )
}

const level = constantFrom('a', 'b', '+', '${username}', '${clientid}', '$SYS')
const filter = record({ levels: array(level, { minLength: 1, maxLength: 3 }), open: constantFrom(true, false) }).map(
  ({ levels, open }) => (open ? [...levels, '#'] : levels),
)
const subjects = constantFrom(
  '',
  ' for user a',
  ' for user b',
  ' for client a',
  ' for group g',
  ' for role r',
  ' for anonymous',
)
const rule = record({
  effect: constantFrom('allow', 'allow', 'deny'),
  action: constantFrom('publish', 'receive', 'publish|receive', 'subscribe'),
  filter,
  subject: subjects,
})
const names = constantFrom('a', 'b', '+', '#', 'a/b', '$SYS', '')

test('whatever the rules, the names and the topic, the compiled rules decide as the rules read one by one', () => {
  assert(
    property(
      array(rule, { maxLength: 8 }),
      option(names, { nil: undefined }),
      names,
      constantFrom('publish' as const, 'receive' as const),
      array(constantFrom('a', 'b', '$SYS'), { minLength: 1, maxLength: 4 }),
      (rules, username, clientId, action, topic) => {
        const holds = (subject: string): boolean =>
          subject === '' ||
          (subject === ' for user a' && username === 'a') ||
          (subject === ' for user b' && username === 'b') ||
          (subject === ' for client a' && clientId === 'a') ||
          (subject === ' for group g' && username === 'a') ||
          (subject === ' for role r' && (username === 'a' || clientId === 'b')) ||
          (subject === ' for anonymous' && username === undefined)
        const fitting = rules.filter(one => {
          const made = one.filter.map(part =>
            part === '${username}' ? (username ?? '') : part === '${clientid}' ? clientId : part,
          )
          if (made.some((part, at) => one.filter[at]?.startsWith('${') && (part === '' || /[+#/]/.test(part))))
            return false
          const isHidden = topic[0] === '$SYS'
          if (isHidden && one.filter[0] !== '$SYS') return false
          return one.action.split('|').includes(action) && holds(one.subject) && matches(made, topic)
        })
        const expected = fitting.length > 0 && fitting.every(({ effect }) => effect === 'allow')
        const compiled = new OwnRules({
          rules: rules.map(one => `${one.effect} ${one.action} ${one.filter.join('/')}${one.subject}`),
          groups: { g: ['a'] },
          roles: { r: ['group g', 'client b'] },
        })
        const rights = compiled.rightsOf(username, clientId)
        const topicName = topic.join('/')
        return rights.may(action, topicName) === expected && rights.explain?.(action, topicName).isAllowed === expected
      },
    ),
    { numRuns: 5000, seed: 19 },
  )
})

test('a granted subscription brings nothing that its rules do not name, and nothing that is denied', () => {
  const plain = constantFrom('a', 'b', '+')
  const some = record({ levels: array(plain, { minLength: 1, maxLength: 3 }), open: constantFrom(true, false) }).map(
    ({ levels, open }) => (open ? [...levels, '#'] : levels),
  )
  assert(
    property(
      array(record({ effect: constantFrom('allow', 'deny'), filter: some }), { minLength: 1, maxLength: 4 }),
      some,
      array(constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }),
      (rules, wanted, topic) => {
        const rights = new OwnRules({
          rules: rules.map(one => `${one.effect} subscribe ${one.filter.join('/')}`),
        }).rightsOf('u', 'c')
        if (rights.maySubscribe?.(wanted.join('/')) !== true || !matches(wanted, topic)) return true
        const fitting = rules.filter(one => matches(one.filter, topic))
        return fitting.length > 0 && fitting.every(({ effect }) => effect === 'allow')
      },
    ),
    { numRuns: 5000, seed: 20 },
  )
})

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { filterMatches, isWildcardFilter } from '../src/index.ts'
import { filter, naiveMatches, seed, topic } from './arbitraries.ts'

const examples: readonly [title: string, tags: string[], filter: string, matching: string[], other: string[]][] = [
  [
    'sport/tennis/player1/# matches the level itself and all below it',
    ['MQTT5-4.7.1-1'],
    'sport/tennis/player1/#',
    ['sport/tennis/player1', 'sport/tennis/player1/ranking', 'sport/tennis/player1/score/wimbledon'],
    ['sport/tennis', 'sport/tennis/player10', 'sport/tennis/player2/score'],
  ],
  [
    'sport/# matches its parent',
    ['MQTT5-4.7.1-1'],
    'sport/#',
    ['sport', 'sport/', 'sport/a/b'],
    ['sports', 'spor', '/sport'],
  ],
  ['# matches every topic without $', ['MQTT5-4.7.1-1'], '#', ['a', '/', 'a/b/c', 'a$'], ['$SYS', '$']],
  [
    'sport/tennis/+ takes exactly one level',
    ['MQTT5-4.7.1-2'],
    'sport/tennis/+',
    ['sport/tennis/player1', 'sport/tennis/'],
    ['sport/tennis/player1/ranking', 'sport/tennis'],
  ],
  ['sport/+ takes an empty level and not its parent', ['MQTT5-4.7.1-2'], 'sport/+', ['sport/'], ['sport', 'sport//']],
  ['+/tennis/#', ['MQTT5-4.7.1-2'], '+/tennis/#', ['a/tennis', '/tennis/b'], ['tennis', 'a/b/tennis', '$a/tennis']],
  ['+/+ matches /finance', ['MQTT5-4.7.1-2'], '+/+', ['/finance', '/'], ['finance', '//']],
  ['/+ matches /finance', ['MQTT5-4.7.1-2'], '/+', ['/finance', '/'], ['finance']],
  ['+ does not match /finance', ['MQTT5-4.7.1-2'], '+', ['finance'], ['/finance', '$finance']],
  [
    '+/monitor/Clients does not match $SYS',
    ['MQTT5-4.7.2-1'],
    '+/monitor/Clients',
    ['a/monitor/Clients'],
    ['$SYS/monitor/Clients'],
  ],
  ['$SYS/# matches topics beginning with $SYS/', ['MQTT5-4.7.2-1'], '$SYS/#', ['$SYS', '$SYS/a'], ['$SY/a', 'SYS/a']],
  [
    '$SYS/monitor/+ matches $SYS/monitor/Clients',
    ['MQTT5-4.7.2-1'],
    '$SYS/monitor/+',
    ['$SYS/monitor/Clients'],
    ['$SYS/monitor'],
  ],
  ['a wildcard in a later level matches $', ['MQTT5-4.7.2-1'], 'a/+', ['a/$b'], ['$a/b']],
  ['case matters', ['MQTT5-4.7.3-4'], 'ACCOUNTS', ['ACCOUNTS'], ['Accounts']],
  ['nothing is normalised: e and U+0301 are not U+00E9', ['MQTT5-4.7.3-4'], 'e\u0301', ['e\u0301'], ['\u00e9']],
  ['a leading / is a level of its own', ['MQTT5-4.7.3-4'], '/a', ['/a'], ['a', '//a']],
  ['an empty level is a level', ['MQTT5-4.7.3-4'], 'a//b', ['a//b'], ['a/b', 'a///b']],
  ['spaces and / alone are allowed', ['MQTT5-4.7.3-4'], '/', ['/'], ['', '//', ' / ']],
]

for (const [title, tags, filterText, matching, other] of examples) {
  test(title, { tags }, () => {
    expect(matching.filter(name => !filterMatches(filterText, name))).toEqual([])
    expect(other.filter(name => filterMatches(filterText, name))).toEqual([])
  })
}

test('agrees with matching level by level', () => {
  fc.assert(
    fc.property(filter, topic, (filterText, name) => {
      expect(filterMatches(filterText, name)).toBe(naiveMatches(filterText, name))
    }),
    { seed, numRuns: 5000 },
  )
})

test('a misplaced wildcard is an ordinary character', () => {
  expect(filterMatches('a+', 'ab')).toBe(false)
  expect(filterMatches('+a', 'ba')).toBe(false)
  expect(filterMatches('#/a', 'b/a')).toBe(false)
  expect(filterMatches('a#', 'a#')).toBe(true)
})

test('matches 65 535 slashes without recursion', () => {
  const slashes = '/'.repeat(65_535)
  expect(filterMatches('#', slashes)).toBe(true)
  expect(filterMatches(`${'+/'.repeat(65_535)}+`, slashes)).toBe(true)
  expect(filterMatches(`${'+/'.repeat(65_535)}+/+`, slashes)).toBe(false)
})

test('tells wildcard filters from others', () => {
  expect(['a/+', '#', '+', 'a/#'].every(isWildcardFilter)).toBe(true)
  expect(['a', '/', '$SYS/a'].some(isWildcardFilter)).toBe(false)
})

import { expect, test } from 'vitest'
import { parseSharedFilter, parseTopicFilter, parseTopicName, TopicError } from '../src/index.ts'

function refusal(parse: () => unknown): TopicError {
  try {
    parse()
  } catch (error) {
    if (error instanceof TopicError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const names: readonly [title: string, tags: string[], text: string, code: string, message: string][] = [
  ['refuses an empty name', ['MQTT5-4.7.3-1'], '', 'TOPIC_EMPTY', 'empty topic not allowed in PUBLISH'],
  ['refuses # in a name', ['MQTT5-4.7.0-1'], 'a/#', 'TOPIC_HAS_WILDCARD', '# is not allowed in PUBLISH'],
  ['refuses + in a name', ['MQTT5-4.7.0-1'], 'a/b+c', 'TOPIC_HAS_WILDCARD', '+ is not allowed in PUBLISH'],
  ['refuses NUL in a name', ['MQTT5-4.7.3-2'], 'a\0b', 'TOPIC_HAS_NUL', 'topic name has U+0000 at character 1'],
  [
    'refuses half of a surrogate pair alone in a name',
    ['MQTT5-1.5.4-1'],
    '\ud800',
    'TOPIC_HAS_SURROGATE',
    'topic name has half of a surrogate pair at character 0',
  ],
  [
    'refuses half of a surrogate pair at the end in a name',
    ['MQTT5-1.5.4-1'],
    'a\udc00',
    'TOPIC_HAS_SURROGATE',
    'topic name has half of a surrogate pair at character 1',
  ],
  [
    'refuses half of a surrogate pair behind a pair in a name',
    ['MQTT5-1.5.4-1'],
    'x\ud83d\ude00\ude00',
    'TOPIC_HAS_SURROGATE',
    'topic name has half of a surrogate pair at character 3',
  ],
  [
    'refuses half of a surrogate pair before a pair in a name',
    ['MQTT5-1.5.4-1'],
    '\ud800\ud83d\ude00',
    'TOPIC_HAS_SURROGATE',
    'topic name has half of a surrogate pair at character 0',
  ],
  [
    'refuses a name of 65 536 bytes',
    ['MQTT5-4.7.3-3'],
    'é'.repeat(32_768),
    'TOPIC_TOO_LONG',
    'topic name of 65536 bytes exceeds the limit of 65535 bytes',
  ],
  ['refuses a name with a level too many', [], 'a/b/c/d', 'TOPIC_TOO_MANY_LEVELS', 'topic has too many levels'],
]

for (const [title, tags, text, code, message] of names) {
  test(title, { tags }, () => {
    expect(refusal(() => parseTopicName(text, { maximumLevels: 3 }))).toMatchObject({
      name: 'TopicError',
      code,
      reasonCode: 0x90,
      message,
    })
  })
}

const hashMisplaced = '# is only allowed in SUBSCRIBE in the last position'
const plusMisplaced = '+ is only allowed in SUBSCRIBE between /'
const shareName = (name: string) => `share name '${name}' must have at least one character and neither '+' nor '#'`

const filters: readonly [title: string, tags: string[], text: string, code: string, message: string][] = [
  ['refuses an empty filter', ['MQTT5-4.7.3-1'], '', 'FILTER_EMPTY', 'impossible to SUBSCRIBE to an empty topic'],
  ['refuses # behind other characters', ['MQTT5-4.7.1-1'], 'a#', 'FILTER_WILDCARD_MISPLACED', hashMisplaced],
  ['refuses # before another level', ['MQTT5-4.7.1-1'], 'a/#/b', 'FILTER_WILDCARD_MISPLACED', hashMisplaced],
  ['refuses # before other characters', ['MQTT5-4.7.1-1'], '#a', 'FILTER_WILDCARD_MISPLACED', hashMisplaced],
  ['refuses + behind other characters', ['MQTT5-4.7.1-2'], 'a+', 'FILTER_WILDCARD_MISPLACED', plusMisplaced],
  ['refuses + before other characters', ['MQTT5-4.7.1-2'], '+a', 'FILTER_WILDCARD_MISPLACED', plusMisplaced],
  ['refuses + inside a level', ['MQTT5-4.7.1-2'], 'a/b+/c', 'FILTER_WILDCARD_MISPLACED', plusMisplaced],
  ['refuses NUL in a filter', ['MQTT5-4.7.3-2'], 'a/\0', 'FILTER_HAS_NUL', 'topic filter has U+0000 at character 2'],
  [
    'refuses half of a surrogate pair in a filter',
    ['MQTT5-1.5.4-1'],
    'a/+/\udfff',
    'FILTER_HAS_SURROGATE',
    'topic filter has half of a surrogate pair at character 4',
  ],
  [
    'refuses half of a surrogate pair in a ShareName',
    ['MQTT5-1.5.4-1'],
    '$share/g\ud800/a',
    'FILTER_HAS_SURROGATE',
    'topic filter has half of a surrogate pair at character 8',
  ],
  [
    'refuses a filter of 65 536 bytes',
    ['MQTT5-4.7.3-3'],
    'a'.repeat(65_536),
    'FILTER_TOO_LONG',
    'topic filter of 65536 bytes exceeds the limit of 65535 bytes',
  ],
  ['refuses a filter with a level too many', [], 'a/+/c/#', 'FILTER_TOO_MANY_LEVELS', 'topic has too many levels'],
  ['refuses an empty ShareName', ['MQTT5-4.8.2-1'], '$share//a', 'SHARE_NAME_INVALID', shareName('')],
  ['refuses + in a ShareName', ['MQTT5-4.8.2-2'], '$share/g+/a', 'SHARE_NAME_INVALID', shareName('g+')],
  ['refuses # in a ShareName', ['MQTT5-4.8.2-2'], '$share/#/a', 'SHARE_NAME_INVALID', shareName('#')],
  [
    'refuses NUL in a ShareName',
    ['MQTT5-4.7.3-2'],
    '$share/g\0/a',
    'FILTER_HAS_NUL',
    'topic filter has U+0000 at character 8',
  ],
  [
    'refuses a ShareName without /',
    ['MQTT5-4.8.2-2'],
    '$share/g',
    'SHARE_FILTER_MISSING',
    `no topic filter follows '$share/g'`,
  ],
  [
    'refuses an empty shared filter',
    ['MQTT5-4.8.2-2'],
    '$share/g/',
    'SHARE_FILTER_MISSING',
    `no topic filter follows '$share/g'`,
  ],
  ['refuses a misplaced wildcard in a shared filter', [], '$share/g/a#', 'FILTER_WILDCARD_MISPLACED', hashMisplaced],
]

for (const [title, tags, text, code, message] of filters) {
  test(title, { tags }, () => {
    expect(refusal(() => parseTopicFilter(text, { maximumLevels: 3 }))).toMatchObject({
      name: 'TopicError',
      code,
      reasonCode: 0x8f,
      message,
    })
  })
}

test('names the packet that carried the filter', () => {
  const texts = ['', 'a#', 'a+']
  expect(texts.map(text => refusal(() => parseTopicFilter(text, { packet: 'UNSUBSCRIBE' })).message)).toEqual([
    'impossible to UNSUBSCRIBE to an empty topic',
    '# is only allowed in UNSUBSCRIBE in the last position',
    '+ is only allowed in UNSUBSCRIBE between /',
  ])
})

test(
  'accepts names unaltered, up to 65 535 bytes and the maximum of levels',
  { tags: ['MQTT5-4.7.3-3', 'MQTT5-4.7.3-4'] },
  () => {
    for (const text of ['a', '/', ' ', '$SYS/a', '__proto__', 'e\u0301', 'a'.repeat(65_535), '/'.repeat(65_535)]) {
      expect(parseTopicName(text)).toBe(text)
    }
    expect(parseTopicName('a/b/c', { maximumLevels: 3 })).toBe('a/b/c')
  },
)

test('accepts wildcards that fill a level', { tags: ['MQTT5-4.7.1-1', 'MQTT5-4.7.1-2'] }, () => {
  for (const text of ['#', '+', '/#', '+/#', '+/a', 'a/+', 'a/+/b', '/+/', '$SYS/#', '$share', '$share/g/+/#']) {
    expect(parseTopicFilter(text)).toBe(text)
  }
})

test('does not count $share/NAME/ as levels', () => {
  expect(parseTopicFilter('$share/g/a/b', { maximumLevels: 2 })).toBe('$share/g/a/b')
})

test('refuses what callers without types pass for an empty topic', () => {
  const nothing = null as unknown as string
  expect(refusal(() => parseTopicName(nothing)).code).toBe('TOPIC_EMPTY')
  expect(refusal(() => parseTopicFilter(nothing)).code).toBe('FILTER_EMPTY')
})

test('takes a shared filter apart', { tags: ['MQTT5-4.8.2-1', 'MQTT5-4.8.2-2'] }, () => {
  expect(parseSharedFilter(parseTopicFilter('$share/g/a/+'))).toEqual({ shareName: 'g', filter: 'a/+' })
  expect(parseSharedFilter(parseTopicFilter('$share/g//'))).toEqual({ shareName: 'g', filter: '/' })
  expect(parseSharedFilter(parseTopicFilter('$share/__proto__/#'))).toEqual({ shareName: '__proto__', filter: '#' })
  expect(parseSharedFilter(parseTopicFilter('$shared/g/a'))).toBeUndefined()
  expect(parseSharedFilter(parseTopicFilter('$share'))).toBeUndefined()
})

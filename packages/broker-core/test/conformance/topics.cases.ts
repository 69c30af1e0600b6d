import { connect, packet, publish, subscribe, text, unsubscribe } from '../support/wire.ts'

/** Filters that may be subscribed to, with the topics of `topicNames` that each matches. MQTT 5.0 §4.7 */
export const filters: Readonly<Record<string, readonly string[]>> = {
  '#': ['a', 'a/', '/a', 'a/b', 'a//b', 'a/b/c', 'A', 'é', 'e\u0301', '/', 'a b', ' '],
  '+': ['a', 'A', 'é', 'e\u0301', 'a b', ' '],
  '+/+': ['a/', '/a', 'a/b', '/'],
  '/+': ['/a', '/'],
  '+/#': ['a', 'a/', '/a', 'a/b', 'a//b', 'a/b/c', 'A', 'é', 'e\u0301', '/', 'a b', ' '],
  'a/#': ['a', 'a/', 'a/b', 'a//b', 'a/b/c'],
  'a/+': ['a/', 'a/b'],
  '+/b': ['a/b'],
  'a/+/b': ['a//b'],
  'a/+/#': ['a/', 'a/b', 'a//b', 'a/b/c'],
  'a/b/#': ['a/b', 'a/b/c'],
  '+/b/c': ['a/b/c'],
  '+/x': [],
  '$t/#': ['$t/x', '$t/x/y'],
  '$t/+': ['$t/x'],
  '$t/x': ['$t/x'],
  a: ['a'],
  A: ['A'],
  '/a': ['/a'],
  'a/': ['a/'],
  'a/b': ['a/b'],
  'a//b': ['a//b'],
  '/': ['/'],
  ' ': [' '],
  é: ['é'],
  'e\u0301': ['e\u0301'],
}

export const topicNames: readonly string[] = [
  'a',
  'a/',
  '/a',
  'a/b',
  'a//b',
  'a/b/c',
  'A',
  'é', // U+00E9
  'e\u0301', // the same to a reader
  '/',
  'a b',
  ' ',
  '$t/x',
  '$t/x/y',
]

interface WrongWillCase {
  readonly title: string
  readonly tags: string[]
  readonly send: Buffer
}

interface WrongFilterCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly filters: readonly string[]
}

/** What is no filter: denied with 0x8F. */
export const wrongFilterCases: readonly WrongFilterCase[] = [
  {
    title: 'a filter with # beside other characters, or not last, is denied',
    tags: ['MQTT5-4.7.1-1'],
    filters: ['a#', '#a', '##', 'a/#/b', '#/', '#/a', 'a/b#', '+#', 'a/#/#'],
  },
  {
    title: 'a filter with + beside other characters of its level is denied',
    tags: ['MQTT5-4.7.1-2'],
    filters: ['a+', '+a', '++', 'a/b+/c', 'a/+b', 'a/++', '#+'],
  },
  { title: 'an empty filter is denied', tags: ['MQTT5-4.7.3-1'], filters: [''] },
  {
    title: 'a shared filter without ShareName is denied',
    tags: ['MQTT5-4.8.2-1'],
    filters: ['$share//a', '$share//', '$share///a'],
  },
  {
    title: 'a shared filter whose ShareName has a wildcard is denied',
    tags: ['MQTT5-4.8.2-2'],
    filters: ['$share/g+/a', '$share/+/a', '$share/#/a', '$share/g#/a', '$share/#'],
  },
  {
    title: 'a shared filter without Topic Filter is denied',
    tags: ['MQTT5-4.8.2-2'],
    filters: ['$share/g', '$share/g/', '$share/'],
  },
  {
    title: 'a shared filter whose Topic Filter is none is denied',
    tags: ['MQTT5-4.8.2-2', 'MQTT5-4.7.1-1'],
    filters: ['$share/g/a#', '$share/g/#/a', '$share/g/b+'],
  },
]

/** A packet whose topic ends the connection. */
export interface WrongTopicCase {
  readonly title: string
  /** The statements of MQTT that it proves. */
  readonly tags: string[]
  readonly send: Buffer
  readonly reasonCodes: readonly number[]
}

const wildcardCodes = [0x81, 0x82, 0x90]

export const wrongTopicCases: readonly WrongTopicCase[] = [
  {
    title: 'PUBLISH to # closes the connection',
    tags: ['MQTT5-4.7.0-1'],
    send: publish({ topic: '#' }),
    reasonCodes: wildcardCodes,
  },
  {
    title: 'PUBLISH to + closes the connection',
    tags: ['MQTT5-4.7.0-1'],
    send: publish({ topic: '+' }),
    reasonCodes: wildcardCodes,
  },
  {
    title: 'PUBLISH to a/+/b closes the connection',
    tags: ['MQTT5-4.7.0-1'],
    send: publish({ topic: 'a/+/b', qos: 1 }),
    reasonCodes: wildcardCodes,
  },
  {
    title: 'PUBLISH to a/b# closes the connection',
    tags: ['MQTT5-4.7.0-1'],
    send: publish({ topic: 'a/b#', qos: 2 }),
    reasonCodes: wildcardCodes,
  },
  {
    title: 'PUBLISH to a+ closes the connection',
    tags: ['MQTT5-4.7.0-1'],
    send: publish({ topic: 'a+', retain: true }),
    reasonCodes: wildcardCodes,
  },
  {
    title: 'PUBLISH without topic and alias closes the connection',
    tags: ['MQTT5-4.7.3-1'],
    send: publish({ topic: '' }),
    reasonCodes: [0x82],
  },
  {
    title: 'PUBLISH with U+0000 closes the connection',
    tags: ['MQTT5-4.7.3-2'],
    send: packet(
      0x30,
      text([0x61, 0x00, 0x62]), // Topic Name
      0, // no properties
    ),
    reasonCodes: [0x81],
  },
  {
    title: 'SUBSCRIBE with U+0000 closes the connection',
    tags: ['MQTT5-4.7.3-2'],
    send: subscribe({ filters: [['a\0b', 0]] }),
    reasonCodes: [0x81],
  },
  {
    title: 'SUBSCRIBE with U+0000 alone closes the connection',
    tags: ['MQTT5-4.7.3-2'],
    send: subscribe({ filters: [['\0', 0]] }),
    reasonCodes: [0x81],
  },
  {
    title: 'UNSUBSCRIBE with U+0000 closes the connection',
    tags: ['MQTT5-4.7.3-2'],
    send: unsubscribe({ filters: ['a\0b'] }),
    reasonCodes: [0x81],
  },
]

/** CONNECTs whose Will Topic is none. */
export const wrongWillCases: readonly WrongWillCase[] = [
  {
    title: 'CONNECT with wildcards in its Will Topic is refused',
    tags: ['MQTT5-4.7.0-1'],
    send: connect({ will: { topic: 'a/+' } }),
  },
  {
    title: 'CONNECT with U+0000 in its Will Topic is refused',
    tags: ['MQTT5-4.7.3-2'],
    send: connect({ will: { topic: 'a\0b' } }),
  },
  {
    title: 'CONNECT with an empty Will Topic is refused',
    tags: ['MQTT5-4.7.3-1'],
    send: connect({ will: { topic: '' } }),
  },
]

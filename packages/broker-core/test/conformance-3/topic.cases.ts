import { packet, text } from '../support/wire.ts'
import type { WireCase } from './wire-case.ts'

const identifier = [0, 1]

function subscribe(...filters: readonly string[]): Buffer {
  return packet(0x82, identifier, ...filters.flatMap(filter => [text(filter), 0]))
}

/** Topic Filters, right and wrong ones. Wrong ones close the connection: before MQTT 5 a SUBACK can't say why. */
export const filterCases: readonly WireCase[] = [
  {
    title: 'wildcards that stand for whole levels are granted',
    tags: ['MQTT3-4.7.1-2', 'MQTT3-4.7.1-3'],
    send: subscribe('#', 'a/#', '/#', '+', '+/a', 'a/+', 'a/+/b', '+/+', '/+', '+/#'),
    answer: [packet(0x90, identifier, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)],
    afterwards: 'open',
  },
  {
    title: 'filters with spaces, empty levels and other characters are granted',
    tags: ['MQTT3-4.7.3-1'],
    send: subscribe(' ', '/', '//', 'a b/c', '$', '\u{1f600}'),
    answer: [packet(0x90, identifier, 0, 0, 0, 0, 0, 0)],
    afterwards: 'open',
  },
  {
    title: 'a filter with # behind other characters of a level closes the connection',
    tags: ['MQTT3-4.7.1-2'],
    send: subscribe('a#'),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a filter with # before other characters of a level closes the connection',
    tags: ['MQTT3-4.7.1-2'],
    send: subscribe('a/#b'),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a filter with a level behind # closes the connection',
    tags: ['MQTT3-4.7.1-2'],
    send: subscribe('a/#/b'),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a filter with an empty level behind # closes the connection',
    tags: ['MQTT3-4.7.1-2'],
    send: subscribe('#/'),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a filter with # twice closes the connection',
    tags: ['MQTT3-4.7.1-2'],
    send: subscribe('##'),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a filter with + behind other characters of a level closes the connection',
    tags: ['MQTT3-4.7.1-3'],
    send: subscribe('a+'),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a filter with + before other characters of a level closes the connection',
    tags: ['MQTT3-4.7.1-3'],
    send: subscribe('a/+b/c'),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a filter with + twice in a level closes the connection',
    tags: ['MQTT3-4.7.1-3'],
    send: subscribe('a/++'),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'an empty filter closes the connection',
    tags: ['MQTT3-4.7.3-1'],
    send: subscribe(''),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'a wrong filter among right ones closes the connection',
    tags: ['MQTT3-4.7.1-2', 'MQTT3-4.8.0-1'],
    send: subscribe('a', 'b#'),
    answer: [],
    afterwards: 'closed',
  },
  {
    title: 'UNSUBSCRIBE of an empty filter closes the connection',
    tags: ['MQTT3-4.7.3-1'],
    send: packet(0xa2, identifier, text('')),
    answer: [],
    afterwards: 'closed',
  },
]

import { expect, test } from 'vitest'
import { optionProblem, optionRules, withDefaults } from '@x/contract'

const table = {
  maximumQoS: optionRules.whole(0, 2),
  concurrency: optionRules.whole(1, 1000),
  websocket: optionRules.flag,
  overflow: optionRules.oneOf('oldest', 'newest'),
  order: optionRules.oneOf('first', 'last', 'any'),
  name: optionRules.text,
  deny: optionRules.texts,
  path: optionRules.textOrTexts,
  report: optionRules.function,
  authenticate: optionRules.functionOrNull,
  logger: optionRules.has('a logger', 'info', 'warn'),
  extra: optionRules.any,
}

const problem = (options: unknown): string | undefined => optionProblem(options, table, 'listen')

test.each<[options: object]>([
  [{}],
  [{ unknown: undefined, maximumQoS: undefined }],
  [{ maximumQoS: 0, concurrency: 1000, websocket: false, overflow: 'newest', name: 'x', deny: [], path: ['/a', '/b'] }],
  [{ path: '/a', report: () => undefined, authenticate: null, extra: null }],
  [{ logger: { info: () => undefined, warn: () => undefined } }],
])('%j is right', options => {
  expect(problem(options)).toBeUndefined()
})

test.each([
  [null, 'null'],
  ['mqtt', "'mqtt'"],
  [45_495, '45495'],
  [[1883], 'a list of 1883'],
  [[], 'an empty list'],
  [true, 'true'],
  [Math.max, 'the function max'],
])('options that are %j are none', (options, shown) => {
  expect(problem(options)).toBe(`the options of listen are ${shown}, they must be an object`)
})

test.each<[options: object, message: string]>([
  [{ maximumQoS: 3 }, 'option maximumQoS is 3, it must be a whole number from 0 to 2'],
  [{ maximumQoS: '1' }, "option maximumQoS is '1', it must be a whole number from 0 to 2"],
  [{ concurrency: -1 }, 'option concurrency is -1, it must be a whole number from 1 to 1000'],
  [{ concurrency: Number.NaN }, 'option concurrency is NaN, it must be a whole number from 1 to 1000'],
  [{ concurrency: Infinity }, 'option concurrency is Infinity, it must be a whole number from 1 to 1000'],
  [{ concurrency: null }, 'option concurrency is null, it must be a whole number from 1 to 1000'],
  [{ concurrency: [5] }, 'option concurrency is a list of 5, it must be a whole number from 1 to 1000'],
  [{ websocket: 'no' }, "option websocket is 'no', it must be true or false"],
  [{ websocket: 0 }, 'option websocket is 0, it must be true or false'],
  [{ overflow: 'none' }, "option overflow is 'none', it must be 'oldest' or 'newest'"],
  [{ order: 'none' }, "option order is 'none', it must be one of 'first', 'last', 'any'"],
  [{ name: '' }, "option name is '', it must be a text that is not empty"],
  [{ deny: '10.0.0.1' }, "option deny is '10.0.0.1', it must be a list of texts"],
  [{ deny: [1] }, 'option deny is a list of 1, it must be a list of texts'],
  [{ path: [] }, 'option path is an empty list, it must be a text that is not empty, or a list of such'],
  [{ report: 'x' }, "option report is 'x', it must be a function"],
  [{ authenticate: true }, 'option authenticate is true, it must be a function, or null'],
  [{ logger: true }, 'option logger is true, it must be a logger, with the methods info, warn'],
  [{ logger: { info: 1 } }, 'option logger is an object, it must be a logger, with the methods info, warn'],
  [{ logger: {} }, 'option logger is an empty object, it must be a logger, with the methods info, warn'],
])('%j is wrong', (options, message) => {
  expect(problem(options)).toBe(message)
})

test.each([
  ['maxQoS', 'maximumQoS'],
  ['maximumQos', 'maximumQoS'],
  ['conncurrency', 'concurrency'],
  ['web-socket', 'websocket'],
  ['webSocket', 'websocket'],
  ['autenticate', 'authenticate'],
  ['log', undefined],
  ['colour', undefined],
  ['__proto', undefined],
  ['constructor', undefined],
  ['x'.repeat(1000), undefined],
])('the unknown option %s is probably %s', (name, meant) => {
  const advice = meant === undefined ? `known: ${Object.keys(table).join(', ')}` : `did you mean ${meant}?`
  expect(problem({ [name]: 5 })).toBe(`option ${name} of listen is unknown (it is 5); ${advice}`)
})

test('an option that is undefined has its default', () => {
  const defaults = { concurrency: 100, websocket: false }
  expect(withDefaults({ concurrency: undefined, name: 'x' }, defaults)).toEqual({ ...defaults, name: 'x' })
  expect(withDefaults({ concurrency: 5 }, defaults)).toEqual({ concurrency: 5, websocket: false })
})

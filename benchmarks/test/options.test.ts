import { expect, test } from 'vitest'
import { OptionError, helpText, parseOptions } from '../src/options.ts'
import { scenarioNames, scenarios } from '../src/scenarios.ts'

test('measures the default scenarios three times on all brokers without options', () => {
  expect(parseOptions([])).toEqual({
    scenarios: scenarioNames.filter(name => scenarios[name].byDefault),
    brokers: undefined,
    runs: 3,
    quick: false,
    check: false,
    help: false,
  })
})

test('measures fewer scenarios, once, when it has to be quick', () => {
  const { scenarios: names, runs } = parseOptions(['--quick'])
  expect(names).toEqual(scenarioNames.filter(name => scenarios[name].quick))
  expect(runs).toBe(1)
})

test('takes lists of names and keeps the order of the tables', () => {
  const options = parseOptions([
    '--scenario',
    'fanout-100, qos0-1-1',
    '--brokers=mosquitto,x',
    '--runs',
    '5',
    '--check',
  ])
  expect(options).toMatchObject({
    scenarios: ['qos0-1-1', 'fanout-100'],
    brokers: ['x', 'mosquitto'],
    runs: 5,
    check: true,
  })
})

test('takes all for every name', () => {
  expect(parseOptions(['--scenario', 'all']).scenarios).toEqual(scenarioNames)
})

test.each([
  ['an unknown scenario', ['--scenario', 'qos3'], "unknown scenario 'qos3'; known: qos0-1-1"],
  [
    'an unknown broker',
    ['--brokers', 'x,emqx'],
    "unknown broker 'emqx'; known: x, x-metrics, x-tracing, aedes, mosquitto",
  ],
  ['an empty list', ['--brokers', ''], "unknown broker ''"],
  ['no runs', ['--runs', '0'], "--runs '0' is not a whole number from 1 to 100"],
  ['a broken number of runs', ['--runs', '2.5'], "--runs '2.5'"],
  ['an unknown option', ['--fast'], '--fast'],
  ['a bare word', ['fast'], 'fast'],
])('refuses %s', (_, args, message) => {
  expect(() => parseOptions(args)).toThrow(OptionError)
  expect(() => parseOptions(args)).toThrow(message)
})

test('names every scenario in the help', () => {
  for (const name of scenarioNames) expect(helpText()).toContain(`  ${name} `)
})

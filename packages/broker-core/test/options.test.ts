import { expect, test } from 'vitest'
import { Broker, BrokerError } from '../src/index.ts'
import type { BrokerOptions } from '../src/index.ts'
import { checkOptions } from '../src/options.ts'
import { MemoryPersistence } from './support/memory-persistence.ts'
import { readmeTable } from './support/readme.ts'

const check = (options: Readonly<Record<string, unknown>>): ReturnType<typeof checkOptions> =>
  checkOptions({ persistence: new MemoryPersistence(), ...options })

/** Default, least and greatest value of each number, from the README. */
const numbers: Readonly<Record<string, readonly [fallback: number, least: number, greatest: number]>> =
  Object.fromEntries(
    readmeTable('name', 'unit', 'OPTIONS.md').flatMap(([name, , fallback, range]) => {
      const [least, greatest] = range?.split(' to ').map(Number) ?? []
      return least === undefined || greatest === undefined ? [] : [[name, [Number(fallback), least, greatest]]]
    }),
  )

test.each(Object.entries(numbers))(
  '%s has its default, and is taken at both ends of its range',
  (name, [fallback, least, greatest]) => {
    expect(check({})).toHaveProperty(name, fallback)
    expect(check({ [name]: undefined })).toHaveProperty(name, fallback)
    for (const value of [least, greatest]) expect(check({ [name]: value })).toHaveProperty(name, value)
  },
)

test.each(Object.entries(numbers))(
  '%s outside its range is refused with name, value and range',
  (name, [, least, greatest]) => {
    for (const value of [least - 1, greatest + 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '7', true]) {
      if (value === greatest + 1 && !Number.isSafeInteger(value)) continue
      const shown = typeof value === 'string' ? `'${value}'` : String(value)
      expect(() => check({ [name]: value })).toThrow(
        `option ${name} is ${shown}, it must be a whole number from ${least} to ${greatest}`,
      )
    }
  },
)

test('features are on, and take true or false', () => {
  for (const name of [
    'retainAvailable',
    'wildcardSubscriptionAvailable',
    'subscriptionIdentifiersAvailable',
    'sharedSubscriptionAvailable',
  ]) {
    expect(check({})).toHaveProperty(name, true)
    expect(check({ [name]: false })).toHaveProperty(name, false)
    for (const value of [0, 1, 'false', {}]) {
      expect(() => check({ [name]: value })).toThrow(`option ${name} is`)
      expect(() => check({ [name]: value })).toThrow('it must be true or false')
    }
  }
})

test('choices name what they may be', () => {
  expect(check({})).toMatchObject({ queueOverflow: 'dropOldest', sharedSubscriptionStrategy: 'roundRobin' })
  expect(() => check({ queueOverflow: 'disconnect' })).toThrow(
    "option queueOverflow is 'disconnect', it must be 'dropOldest' or 'dropNewest'",
  )
  for (const value of ['hash', '__proto__', 'constructor', 5]) {
    expect(() => check({ sharedSubscriptionStrategy: value })).toThrow(
      "it must be one of 'roundRobin', 'random', 'sticky', 'leastInflight'",
    )
  }
})

test('the id is a random UUID, or a text that can stand in a topic', () => {
  expect(check({}).id).toMatch(/^[0-9a-f-]{36}$/)
  expect(check({}).id).not.toBe(check({}).id)
  expect(check({ id: 'edge-1' }).id).toBe('edge-1')
  for (const id of ['', 'a/b', '+', '#', 'a\0', 7]) expect(() => check({ id })).toThrow('option id is')
})

test('responseInformation is a text', () => {
  expect(check({ responseInformation: 'r' }).responseInformation).toBe('r')
  for (const value of ['', 7])
    expect(() => check({ responseInformation: value })).toThrow('option responseInformation is')
})

test('a wrong option keeps the broker from being made, with OPTION_INVALID', () => {
  for (const options of [{ maximumQoS: 3 }, { persistence: {} }, { persistence: undefined }]) {
    const make = (): Broker =>
      new Broker({ persistence: new MemoryPersistence(), ...options } as unknown as BrokerOptions)
    expect(make).toThrow(BrokerError)
    expect(make).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  }
})

import { expect, test } from 'vitest'
import { OutgoingAliases } from '../src/session/outgoing-aliases.ts'
import { Random } from './support/random.ts'

test('a topic gets an alias, and is known from its second use on', () => {
  const aliases = new OutgoingAliases(2)
  expect(aliases.use('a')).toEqual({ alias: 1, known: false })
  expect(aliases.use('b')).toEqual({ alias: 2, known: false })
  expect(aliases.use('a')).toEqual({ alias: 1, known: true })
})

test('when all are taken, the least recently used one gets the new topic', () => {
  const aliases = new OutgoingAliases(2)
  for (const topic of ['a', 'b', 'a']) aliases.use(topic)
  expect(aliases.use('c')).toEqual({ alias: 2, known: false })
  expect(aliases.use('a')).toEqual({ alias: 1, known: true })
  expect(aliases.use('b')).toEqual({ alias: 2, known: false })
})

test('an alias that the client was not told is free again', () => {
  const aliases = new OutgoingAliases(1)
  const { alias } = aliases.use('a')
  aliases.forget('a', alias)
  expect(aliases.use('b')).toEqual({ alias: 1, known: false })
  expect(aliases.use('b')).toEqual({ alias: 1, known: true })
})

test(
  'a client that follows the rules always resolves the right topic',
  { tags: ['MQTT5-3.1.2-26', 'MQTT5-3.3.2-11'] },
  () => {
    const random = new Random(1)
    const maximum = 7
    const aliases = new OutgoingAliases(maximum)
    const told = new Map<number, string>()
    for (let step = 0; step < 5000; step += 1) {
      const topic = random.pick(['__proto__', 'constructor', ...Array.from({ length: 10 }, (_, index) => `t${index}`)])
      const { alias, known } = aliases.use(topic)
      expect(alias).toBeGreaterThanOrEqual(1)
      expect(alias).toBeLessThanOrEqual(maximum)
      if (known) expect(told.get(alias)).toBe(topic)
      // Some packets are too large for the client.
      else if (random.next() < 0.1) aliases.forget(topic, alias)
      else told.set(alias, topic)
    }
  },
)

test('what all topics hold is bounded: the least recently used give way, and one that is too long gets no alias', () => {
  const aliases = new OutgoingAliases(10, 1000)
  for (const topic of ['a', 'b']) aliases.use(topic)
  const long = 'l'.repeat(450)
  expect(aliases.use(long)).toEqual({ alias: 2, known: false })
  expect(aliases.use(long)).toEqual({ alias: 2, known: true })
  expect(aliases.use('a').known).toBe(false)
  expect(aliases.use('l'.repeat(500))).toEqual({ alias: 0, known: false })
  expect(aliases.use('a').known).toBe(true)
})

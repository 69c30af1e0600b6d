import * as fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { TopicIndex } from '../src/index.ts'
import { SortedTopics, TopicCursor } from '../src/sorted-topics.ts'
import { filter, naiveMatches, seed, topic } from './arbitraries.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const topicsOf = <Value>(matches: Iterable<[string, Value]>): string[] => [...matches].map(([name]) => name)

test('agrees with a list of topics, changes and matches interleaved', () => {
  const step = fc.record({ type: fc.constantFrom('set', 'set', 'delete'), topic, filter })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), steps => {
      const index = new TopicIndex<number>()
      const list = new Map<string, number>()
      steps.forEach((current, i) => {
        const previous = list.get(current.topic)
        if (current.type === 'set') {
          expect(index.set(current.topic, i)).toBe(previous)
          list.set(current.topic, i)
        } else {
          expect(index.delete(current.topic)).toBe(previous)
          list.delete(current.topic)
        }
        const expected = [...list].filter(([name]) => naiveMatches(current.filter, name)).sort(byTopic)
        expect([...index.match(current.filter)]).toEqual(expected)
        expect(index.get(current.topic)).toBe(list.get(current.topic))
        expect(index.size).toBe(list.size)
      })
      expect([...index].sort(byTopic)).toEqual([...list].sort(byTopic))
    }),
    { seed, numRuns: 300 },
  )
})

test('agrees with a list at sizes where topics are spread over many chunks', () => {
  const index = new TopicIndex<number>()
  const names: string[] = []
  const levels = ['', 'a', 'a!', 'a0', 'b', '$x']
  for (let i = 0; i < 6 ** 5; i++) {
    // 7919 is coprime to 6, so that every combination comes once, out of order.
    const digits = ((i * 7919) % 6 ** 5).toString(6).padStart(5, '0')
    names.push(Array.from(digits, digit => levels[Number(digit)]).join('/'))
  }
  names.forEach((name, i) => index.set(name, i))
  const check = (present: readonly string[]) => {
    for (const text of ['#', '+/a/#', 'a/+/b/+/a0', '+/+/+/+/+', 'a/a!/#', '/#', '+/b/+/a/#', '$x/+/a/#', 'a/b/+/#']) {
      expect(topicsOf(index.match(text))).toEqual(present.filter(name => naiveMatches(text, name)).sort())
    }
  }
  check(names)
  const kept = names.filter((_, i) => i % 7 === 0)
  names.forEach((name, i) => i % 7 === 0 || index.delete(name))
  check(kept)
  for (const name of kept) index.delete(name)
  check([])
  expect(index.size).toBe(0)
})

function byTopic(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1
}

/** Counts the topics which a query looks at. */
function visitsOf(index: TopicIndex<number>, text: string): { visits: number; topics: string[] } {
  const seek = vi.spyOn(TopicCursor.prototype, 'seek')
  const next = vi.spyOn(TopicCursor.prototype, 'next')
  const topics = topicsOf(index.match(text))
  const visits = seek.mock.calls.length + next.mock.calls.length
  vi.restoreAllMocks()
  return { visits, topics }
}

test('visits none of 100 000 topics that the filter cannot reach', () => {
  const index = new TopicIndex<number>()
  for (let i = 0; i < 50_000; i++) {
    index.set(`Z/${i}/c`, i)
    index.set(`b/${i}/c`, i)
  }
  for (const name of ['a/1/c', 'a/2/c', 'a/2/d', 'a/3']) index.set(name, 0)
  const { visits, topics } = visitsOf(index, 'a/+/c')
  expect(topics).toEqual(['a/1/c', 'a/2/c'])
  expect(visits).toBeLessThan(20)
})

test('leaps over what lies below a level that only + reaches', () => {
  const index = new TopicIndex<number>()
  for (let branch = 0; branch < 10; branch++) {
    for (let i = 0; i < 5000; i++) index.set(`a/${branch}/${i}/x`, i)
    index.set(`a/${branch}/status`, branch)
  }
  expect(visitsOf(index, 'a/+/status').visits).toBeLessThan(100)
  expect(visitsOf(index, 'a/+/4999/+').topics.length).toBe(10)
  expect(visitsOf(index, 'a/+/4999/+').visits).toBeLessThan(100)
})

test('a level that few topics have is found without looking at the others, wherever it stands', () => {
  const index = new TopicIndex<number>()
  for (let i = 0; i < 20_000; i++) index.set(`${i % 100}/${i}/c`, i)
  expect(visitsOf(index, '+/+/nope')).toEqual({ visits: 0, topics: [] })
  expect(visitsOf(index, '+/nope/#')).toEqual({ visits: 0, topics: [] })
  expect(visitsOf(index, '+/+/c/deeper')).toEqual({ visits: 0, topics: [] })
  expect(visitsOf(index, '+/777/#')).toEqual({ visits: 0, topics: ['77/777/c'] })
  index.set('b/x/rare', 1)
  index.set('a/y/rare', 2)
  expect(visitsOf(index, '+/+/rare')).toEqual({ visits: 0, topics: ['a/y/rare', 'b/x/rare'] })
  index.delete('b/x/rare')
  expect(visitsOf(index, '+/+/rare')).toEqual({ visits: 0, topics: ['a/y/rare'] })
})

test('a level is found whether few or many topics have it, and again when they have gone', () => {
  const index = new TopicIndex<number>()
  const names = Array.from({ length: 200 }, (_, i) => `${i}/x`)
  for (let round = 0; round < 2; round++) {
    names.forEach((name, i) => {
      index.set(name, i)
      expect(topicsOf(index.match('+/x'))).toHaveLength(i + 1)
    })
    names.forEach((name, i) => {
      index.delete(name)
      expect(topicsOf(index.match('+/x'))).toHaveLength(199 - i)
    })
  }
})

test('a search says now and then that it has found nothing yet', () => {
  const index = new TopicIndex<number>()
  for (let i = 0; i < 1000; i++) {
    index.set(`${i}/a`, i)
    index.set(`${i}/b/c`, i)
  }
  const found = [...index.search('+/a')]
  expect(found.filter(one => one !== undefined)).toHaveLength(1000)
  expect([...index.search('+/b')].length).toBeGreaterThan(10)
  expect([...index.search('+/b')].every(one => one === undefined)).toBe(true)
})

test('a filter without wildcards is one look-up', () => {
  const index = new TopicIndex<number>()
  for (let i = 0; i < 1000; i++) index.set(`a/${i}`, i)
  expect(visitsOf(index, 'a/7')).toEqual({ visits: 0, topics: ['a/7'] })
  expect(visitsOf(index, 'a')).toEqual({ visits: 0, topics: [] })
})

test('leading wildcards leap over topics beginning with $', { tags: ['MQTT5-4.7.2-1'] }, () => {
  const index = new TopicIndex<number>()
  for (let i = 0; i < 1000; i++) index.set(`$SYS/${i}`, i)
  for (const name of ['!', 'a', 'a/b', '$']) index.set(name, 0)
  expect(topicsOf(index.match('$SYS/+')).length).toBe(1000)
  const all = visitsOf(index, '#')
  expect(all.topics).toEqual(['!', 'a', 'a/b'])
  expect(all.visits).toBeLessThan(20)
  expect(visitsOf(index, '+/#').topics).toEqual(['!', 'a', 'a/b'])
  expect(visitsOf(index, '+/+').topics).toEqual(['a/b'])
})

test('topics named like members of Object.prototype are ordinary', () => {
  const index = new TopicIndex<string>()
  expect(index.get('__proto__')).toBeUndefined()
  expect([...index.match('constructor')]).toEqual([])
  for (const name of ['__proto__', 'constructor', 'a/__proto__/b']) index.set(name, name)
  expect(topicsOf(index.match('+'))).toEqual(['__proto__', 'constructor'])
  expect(topicsOf(index.match('a/+/b'))).toEqual(['a/__proto__/b'])
  expect(index.delete('toString')).toBeUndefined()
})

test('a value may be undefined', () => {
  const index = new TopicIndex<undefined>()
  index.set('a', undefined)
  index.set('a', undefined)
  expect([index.size, [...index.match('a')], [...index.match('#')]]).toEqual([
    1,
    [['a', undefined]],
    [['a', undefined]],
  ])
})

test('a topic that stays is given exactly once while others are set and deleted', () => {
  const index = new TopicIndex<number>()
  const stays = Array.from({ length: 1000 }, (_, i) => `t/${i + 1000}/s`)
  for (const name of stays) index.set(name, 1)
  const given: string[] = []
  let changes = 0
  for (const [name] of index.match('t/+/s')) {
    given.push(name)
    index.delete(`t/${1000 + changes}/other`)
    index.set(`t/${2000 - changes++}/other`, 0)
  }
  expect(given).toEqual(stays)
})

test('a topic deleted during the iteration is not given, a value set during it is current', () => {
  const index = new TopicIndex<number>()
  for (const name of ['a', 'b', 'c', 'd']) index.set(name, 1)
  const given: [string, number][] = []
  for (const match of index.match('+')) {
    given.push(match)
    index.delete('a')
    index.delete('b')
    index.set('d', 2)
  }
  expect(given).toEqual([
    ['a', 1],
    ['c', 1],
    ['d', 2],
  ])
})

test('everything may be deleted during the iteration', () => {
  const index = new TopicIndex<number>()
  for (let i = 0; i < 1000; i++) index.set(`a/${i}`, i)
  let given = 0
  for (const [name] of index.match('a/#')) {
    given++
    index.delete(name)
  }
  expect([given, index.size]).toEqual([1000, 0])
  for (let i = 0; i < 1000; i++) index.set(`a/${i}`, i)
  for (const [name] of index) index.delete(name)
  expect(topicsOf(index.match('#'))).toEqual([])
})

test('topics and filters of 65 535 slashes are matched without recursion', () => {
  const index = new TopicIndex<number>()
  const slashes = '/'.repeat(65_535)
  index.set(slashes, 1)
  index.set(`${slashes.slice(1)}a`, 2)
  for (const text of ['#', '+/#', slashes, `${'+/'.repeat(30_000)}#`, `${'+/'.repeat(65_535)}+`]) {
    expect(topicsOf(index.match(text))).toContain(slashes)
  }
  expect([...index.match(`${'+/'.repeat(65_534)}a`)]).toEqual([[`${slashes.slice(1)}a`, 2]])
})

test('what is deleted leaves no chunks behind', () => {
  const topics = new SortedTopics()
  for (let i = 0; i < 10_000; i++) topics.add(`a/${i}`)
  for (let i = 0; i < 10_000; i++) if (i % 100 !== 0) topics.delete(`a/${i}`)
  expect(topics.chunks.flat().length).toBe(100)
  expect(topics.chunks.length).toBeLessThan(5)
  for (let i = 0; i < 10_000; i += 100) topics.delete(`a/${i}`)
  expect(topics.chunks).toEqual([])
})

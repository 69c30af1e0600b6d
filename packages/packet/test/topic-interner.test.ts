import { describe, expect, test } from 'vitest'
import { TopicInterner } from '../src/index.ts'
import { bytes } from './bytes.ts'

function intern(topics: TopicInterner, text: string): string {
  const source = Buffer.concat([bytes(0x2f), bytes(text), bytes(0x2f)])
  return topics.intern(source, 1, source.length - 1)
}

/** Counts how often each topic was new. */
function counting(maximumTopics: number): { topics: TopicInterner; seen: Map<string, number> } {
  const seen = new Map<string, number>()
  const check = (topic: string): void => {
    seen.set(topic, (seen.get(topic) ?? 0) + 1)
  }
  return { topics: new TopicInterner({ maximumTopics, check }), seen }
}

/** The hash that the interner uses, going on from an earlier one. */
function fnv1a(text: string, start = 0x811c9dc5): number {
  let hash = start
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

/** Two texts that lead from one hash to the same other one. */
function collidingPair(start: number): [string, string] {
  const byHash = new Map<number, string>()
  for (let state = 1; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const text = state.toString(36)
    const hash = fnv1a(text, start)
    const other = byHash.get(hash)
    if (other !== undefined) return [other, text]
    byHash.set(hash, text)
  }
}

/** Two to the power of `levels` different texts of the same hash: one of each pair after the other. */
function collidingTexts(levels: number): string[] {
  let texts = ['']
  for (let level = 0; level < levels; level++) {
    const pair = collidingPair(fnv1a(texts[0] ?? ''))
    texts = texts.flatMap(text => pair.map(ending => text + ending))
  }
  return texts
}

describe('the same bytes', () => {
  test('are decoded and checked once', () => {
    const { topics, seen } = counting(100)
    const names = ['a', 'b', 'a', 'é/🙂', 'a', 'é/🙂', 'b']
    expect(names.map(name => intern(topics, name))).toEqual(names)
    expect(Object.fromEntries(seen)).toEqual({ a: 1, b: 1, 'é/🙂': 1 })
  })

  test('survive that the chunk they came from is used again', () => {
    const topics = new TopicInterner()
    const chunk = bytes('one')
    expect(topics.intern(chunk, 0, 3)).toBe('one')
    chunk.write('two')
    expect(topics.intern(chunk, 0, 3)).toBe('two')
    expect(intern(topics, 'one')).toBe('one')
  })
})

describe('different bytes', () => {
  const colliding = collidingTexts(4)

  test('give different topics also when their hashes are the same', () => {
    expect(new Set(colliding.map(text => fnv1a(text))).size).toBe(1)
    const few = colliding.slice(0, 8)
    const { topics, seen } = counting(1000)
    for (let round = 0; round < 3; round++) expect(few.map(name => intern(topics, name))).toEqual(few)
    expect([...seen.values()]).toEqual(few.map(() => 1))
  })

  test('of one hash are not all remembered, so that finding one stays quick', () => {
    const { topics, seen } = counting(1000)
    for (let round = 0; round < 3; round++) expect(colliding.map(name => intern(topics, name))).toEqual(colliding)
    expect(topics.size).toBe(12)
    expect([...seen.values()].filter(count => count > 1).length).toBe(4)
  })

  test('give different topics when one starts with the other', () => {
    const topics = new TopicInterner()
    const names = ['a/b/c', 'a/b', 'a', '', 'a/b/c/d', 'c']
    for (let round = 0; round < 2; round++) expect(names.map(name => intern(topics, name))).toEqual(names)
  })

  test('may be called like members of Object.prototype', () => {
    const topics = new TopicInterner()
    const names = ['__proto__', 'constructor', 'toString', '__proto__']
    expect(names.map(name => intern(topics, name))).toEqual(names)
  })
})

describe('memory', () => {
  test('no more topics are remembered than the maximum', () => {
    const { topics } = counting(64)
    for (let index = 0; index < 1000; index++) {
      intern(topics, `t/${index}`)
      expect(topics.size).toBeLessThanOrEqual(64)
    }
  })

  test('what is used again outlives what is not', () => {
    const { topics, seen } = counting(64)
    for (let index = 0; index < 500; index++) {
      intern(topics, 'kept')
      intern(topics, `t/${index}`)
    }
    intern(topics, 't/0')
    expect(seen.get('kept')).toBe(1)
    expect(seen.get('t/0')).toBe(2)
  })

  test('topics that never come again take little of it', () => {
    const { topics } = counting(100_000)
    for (let index = 0; index < 40_000; index++) intern(topics, `once/${index}`)
    expect(topics.size).toBeLessThan(5000)
  })

  test('topics that begin to come again are soon remembered, all of them', () => {
    const { topics, seen } = counting(100_000)
    for (let index = 0; index < 40_000; index++) intern(topics, `once/${index}`)
    for (let round = 0; round < 20; round++) for (let index = 0; index < 2000; index++) intern(topics, `t/${index}`)
    const before = new Map(seen)
    for (let index = 0; index < 2000; index++) intern(topics, `t/${index}`)
    expect(seen).toEqual(before)
  })

  test('all topics up to half the maximum stay remembered', () => {
    const { topics, seen } = counting(4096)
    for (let round = 0; round < 3; round++) for (let index = 0; index < 2048; index++) intern(topics, `t/${index}`)
    expect([...seen.values()].filter(count => count === 1).length).toBeGreaterThan(2000)
  })

  test('topics longer than the limit are decoded each time', () => {
    const seen: string[] = []
    const topics = new TopicInterner({ maximumTopicBytes: 3, check: topic => seen.push(topic) })
    expect(['abc', 'abcd', 'abc', 'abcd'].map(name => intern(topics, name))).toEqual(['abc', 'abcd', 'abc', 'abcd'])
    expect(seen).toEqual(['abc', 'abcd', 'abcd'])
  })
})

function refuseWildcards(topic: string): void {
  if (topic.includes('+')) throw new RangeError('wildcard')
}

describe('the check', () => {
  test('leaves intern() with what it throws, each time', () => {
    const topics = new TopicInterner({ check: refuseWildcards })
    for (let round = 0; round < 3; round++) {
      expect(() => intern(topics, 'a/+')).toThrow('wildcard')
      expect(intern(topics, 'a/b')).toBe('a/b')
    }
  })
})

describe('UTF-8 (MQTT 5.0 §1.5.4)', () => {
  test.each([
    ['a continuation byte alone', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong U+007F', [0xc1, 0xbf]],
    ['an overlong form of three bytes', [0xe0, 0x9f, 0xbf]],
    ['an overlong form of four bytes', [0xf0, 0x8f, 0xbf, 0xbf]],
    ['the surrogate U+D800', [0xed, 0xa0, 0x80]],
    ['the surrogate U+DFFF', [0xed, 0xbf, 0xbf]],
    ['a pair of surrogates', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ['U+110000', [0xf4, 0x90, 0x80, 0x80]],
    ['a byte that starts nothing', [0xf5, 0x80, 0x80, 0x80]],
    ['the byte FF', [0xff]],
    ['a sequence of two that is cut', [0xc3]],
    ['a sequence of three that is cut', [0xe2, 0x82]],
    ['a sequence of four that is cut', [0xf0, 0x9f, 0x99]],
    ['a sequence with a wrong third byte', [0xe2, 0x82, 0x28]],
    ['a sequence with a wrong fourth byte', [0xf0, 0x9f, 0x99, 0x28]],
  ])('%s is refused', (_, ill) => {
    const source = bytes('ab', ...ill)
    const expected = expect.objectContaining({ code: 'UTF8_INVALID', reasonCode: 0x81, offset: 2 })
    expect(() => new TopicInterner().intern(source, 0, source.length)).toThrow(expected)
  })

  test('U+0000 is refused before and behind characters that are not ASCII', () => {
    const refused = { code: 'NUL_CHARACTER' }
    expect(() => intern(new TopicInterner(), 'é\0')).toThrow(expect.objectContaining({ ...refused, offset: 2 }))
    expect(() => intern(new TopicInterner(), '\0é')).toThrow(expect.objectContaining({ ...refused, offset: 0 }))
  })

  test('the first and last code point of each length pass, and U+FEFF stays', { tags: ['MQTT5-1.5.4-3'] }, () => {
    const names = [
      '\u0001',
      '\u007F',
      '\u0080',
      '\u07FF',
      '\u0800',
      '\uD7FF',
      '\uE000',
      '\uFFFF',
      '\u{10000}',
      '\u{10FFFF}',
    ]
    const all = ['\uFEFF', '\uFEFFa', ...names]
    expect(all.map(name => intern(new TopicInterner(), name))).toEqual(all)
  })

  test('agrees with the platform about any three bytes behind a lead byte', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const edges = [0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]
    const disagreed: string[] = []
    const compare = (source: Buffer): void => {
      const ours = isAccepted(() => new TopicInterner().intern(source, 0, 4))
      if (ours !== isAccepted(() => strict.decode(source))) disagreed.push(source.toString('hex'))
    }
    for (let lead = 0xbf; lead < 0xf8; lead++) {
      for (const second of edges) {
        for (const third of edges) for (const fourth of edges) compare(Buffer.of(lead, second, third, fourth))
      }
    }
    expect(disagreed).toEqual([])
  })
})

function isAccepted(decode: () => string): boolean {
  try {
    decode()
    return true
  } catch {
    return false
  }
}

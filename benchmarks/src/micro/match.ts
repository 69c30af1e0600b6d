import { FilterTrie, parseTopicFilter } from '@x/topic-trie'
import { Qlobber } from 'qlobber'
import { wildcardFilter } from '../load/wildcard.ts'
import type { Comparison, Sink } from './time.ts'

const filterCounts = [1000, 100_000]
/** Few enough to stay in the match cache, which holds 10 000 by default. */
const repeatedTopics = 1000
/** Many enough that each has left the cache when its turn comes again. */
const newTopics = 200_000
const matchesPerCall = 1000
const digits = 6

/** @x/topic-trie beside qlobber: the filters that match a topic, of many wildcard filters; every topic matches one. */
export function matchComparisons(sink: Sink): Comparison[] {
  return filterCounts.flatMap(count => {
    const ours = new FilterTrie<number>()
    const theirs = new Qlobber<number, number[]>({
      separator: '/',
      wildcard_one: '+',
      wildcard_some: '#',
      match_empty_levels: true,
    })
    for (let index = 0; index < count; index++) {
      ours.add(parseTopicFilter(wildcardFilter(index)), index, index)
      theirs.add(wildcardFilter(index), index)
    }
    const comparison = (about: string, topicCount: number): Comparison => {
      const topics = topicsFor(topicCount, count)
      return {
        about: `match, ${about}, ${count} filters / qlobber`,
        ours: inTurns(topics, topic => sink.add(ours.match(topic).length)),
        other: inTurns(topics, topic => sink.add(theirs.match(topic).length)),
      }
    }
    return [comparison('cached', repeatedTopics), comparison('uncached', newTopics)]
  })
}

function topicsFor(topicCount: number, filterCount: number): string[] {
  return Array.from({ length: topicCount }, (_, index) => {
    const level = String((index * 7919) % filterCount).padStart(digits, '0')
    return `w/${level}/${index}/t`
  })
}

function inTurns(topics: readonly string[], match: (topic: string) => void): () => number {
  let next = 0
  return () => {
    for (let index = 0; index < matchesPerCall; index++) {
      match(topics[next] ?? '')
      next = next + 1 === topics.length ? 0 : next + 1
    }
    return matchesPerCall
  }
}

export { filterMatches, isWildcardFilter } from './filter-matches.ts'
export { FilterTrie, type FilterTrieOptions } from './filter-trie.ts'
export { parseSharedFilter, type SharedFilter } from './shared-filter.ts'
export { TopicError, type TopicErrorCode, type TopicErrorDetails } from './topic-error.ts'
export { TopicIndex } from './topic-index.ts'
export {
  parseTopicFilter,
  parseTopicName,
  type TopicFilter,
  type TopicFilterOptions,
  type TopicName,
  type TopicNameOptions,
} from './topic.ts'

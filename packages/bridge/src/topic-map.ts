import type { QoS } from '@x/packet'
import { TopicError, filterMatches, isWildcardFilter, parseTopicFilter } from '@x/topic-trie'
import { BridgeError } from './bridge-error.ts'

/** Topics that a bridge carries, and under which names. */
export interface BridgeTopic {
  /** A Topic Filter without the prefixes. It may be left empty when both prefixes together name single topics. */
  readonly filter: string
  /** `out` to the other broker, `in` from it. Default `out`. */
  readonly direction?: 'in' | 'out' | 'both'
  /** Greatest QoS at which messages are carried. Default 0. */
  readonly qos?: QoS
  /** Before the filter on this broker, literally, without a separator of its own. Default none. */
  readonly localPrefix?: string
  /** Before the filter on the other broker. Default none. */
  readonly remotePrefix?: string
}

/** A subscription that the bridge makes on one of its sides. */
export interface SideSubscription {
  readonly filter: string
  readonly qos: QoS
}

interface Entry {
  readonly direction: 'in' | 'out' | 'both'
  readonly qos: QoS
  readonly local: string
  readonly remote: string
  readonly localPrefix: string
  readonly remotePrefix: string
}

/** New names that are remembered for topics; beyond that they are found out again. */
const maximumRemembered = 16_384

/** Characters of the longest topic whose new name is remembered: those of 64 KB would be gigabytes. */
const longestRemembered = 256

/** Which topics go through a bridge, and what they are called on the other side. */
export class TopicMap {
  readonly #entries: readonly Entry[]
  readonly #outgoing = new Map<string, string>()
  readonly #incoming = new Map<string, string>()

  /** @throws BridgeError `BRIDGE_OPTION_INVALID`, naming the topic by its place and saying what is wrong */
  constructor(topics: readonly BridgeTopic[]) {
    this.#entries = topics.map(entryOf)
  }

  /** Filters to subscribe to on this broker, each once with the greatest QoS of its entries. */
  get localSubscriptions(): readonly SideSubscription[] {
    return subscriptions(
      this.#entries.filter(({ direction }) => direction !== 'in'),
      'local',
    )
  }

  /** The same on the other broker. */
  get remoteSubscriptions(): readonly SideSubscription[] {
    return subscriptions(
      this.#entries.filter(({ direction }) => direction !== 'out'),
      'remote',
    )
  }

  /** Messages may go to the other broker and come back. */
  get goBothWays(): boolean {
    return this.localSubscriptions.length > 0 && this.remoteSubscriptions.length > 0
  }

  /** Filters on the other broker that earlier settings may have subscribed to and these do not. */
  get remoteUnsubscriptions(): readonly string[] {
    const wanted = new Set(this.remoteSubscriptions.map(({ filter }) => filter))
    const filters = this.#entries.map(({ remote }) => remote).filter(filter => !wanted.has(filter))
    return [...new Set(filters)]
  }

  /** The name on the other broker of a topic of this one: that of the first entry of this direction that matches and has a prefix. */
  toRemote(topic: string): string {
    return remembered(this.#outgoing, topic, () => {
      const entry = this.#entries.find(
        ({ direction, local, ...prefixes }) => direction !== 'in' && hasPrefix(prefixes) && filterMatches(local, topic),
      )
      return entry === undefined ? topic : entry.remotePrefix + topic.slice(entry.localPrefix.length)
    })
  }

  /** The name on this broker of a topic of the other one. */
  toLocal(topic: string): string {
    return remembered(this.#incoming, topic, () => {
      const entry = this.#entries.find(
        ({ direction, remote, ...prefixes }) =>
          direction !== 'out' && hasPrefix(prefixes) && filterMatches(remote, topic),
      )
      return entry === undefined ? topic : entry.localPrefix + topic.slice(entry.remotePrefix.length)
    })
  }
}

function hasPrefix({ localPrefix, remotePrefix }: Pick<Entry, 'localPrefix' | 'remotePrefix'>): boolean {
  return localPrefix !== '' || remotePrefix !== ''
}

function remembered(names: Map<string, string>, topic: string, find: () => string): string {
  const known = names.get(topic)
  if (known !== undefined) return known
  const name = find()
  if (topic.length > longestRemembered) return name
  if (names.size >= maximumRemembered) names.clear()
  names.set(topic, name)
  return name
}

function subscriptions(entries: readonly Entry[], side: 'local' | 'remote'): readonly SideSubscription[] {
  const qosOf = new Map<string, QoS>()
  for (const entry of entries) {
    const known = qosOf.get(entry[side])
    if (known === undefined || known < entry.qos) qosOf.set(entry[side], entry.qos)
  }
  return [...qosOf].map(([filter, qos]) => ({ filter, qos }))
}

function entryOf(topic: BridgeTopic, index: number): Entry {
  const { filter, direction = 'out', qos = 0, localPrefix = '', remotePrefix = '' } = topic
  const place = `topics[${index}]`
  for (const [name, prefix] of Object.entries({ localPrefix, remotePrefix })) {
    if (isWildcardFilter(prefix)) {
      throw invalid(`${place}.${name} is '${prefix}': a prefix is taken literally and must not contain + or #`)
    }
  }
  if (filter === '' && (localPrefix === '' || remotePrefix === '')) {
    throw invalid(`${place}.filter is empty: localPrefix and remotePrefix must name a topic each then`)
  }
  return {
    direction,
    qos,
    local: checked(localPrefix + filter, place),
    remote: checked(remotePrefix + filter, place),
    localPrefix,
    remotePrefix,
  }
}

function checked(filter: string, place: string): string {
  try {
    return parseTopicFilter(filter)
  } catch (error) {
    const reason = error instanceof TopicError ? error.message : String(error)
    throw invalid(`${place} makes the filter '${filter.slice(0, 100)}': ${reason}`, { cause: error })
  }
}

function invalid(message: string, options?: ErrorOptions): BridgeError {
  return new BridgeError('BRIDGE_OPTION_INVALID', message, options)
}

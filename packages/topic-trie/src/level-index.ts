/** Topics that have a level in common are listed up to this number; beyond it they are only counted, since a filter that finds
 * so many may look at some more. */
const longestList = 64
/** Levels that are indexed, counted from the second one: the first is found by the order of the topics. */
const indexedLevels = 8

/** Which topics have a name at a level, as far as they are few: one topic, a list, or how many there are. */
type Posting = string | string[] | number

/** Topics by the names of their levels, so that a filter such as `+/+/rare` need not look at every branch. Costs a Map entry for
 * each name of a level, whatever the topics in it. */
export class LevelIndex {
  /** By level, the second one first. */
  readonly #levels: Map<string, Posting>[] = []

  add(topic: string): void {
    forEachLevel(topic, (level, name) => {
      const postings = (this.#levels[level] ??= new Map())
      const known = postings.get(name)
      if (known === undefined) postings.set(ownText(name, topic), topic)
      else if (typeof known === 'number') postings.set(name, known + 1)
      else if (typeof known === 'string') postings.set(name, [known, topic])
      else if (known.length < longestList) known.push(topic)
      else postings.set(name, known.length + 1)
    })
  }

  /** For a topic that was added. */
  delete(topic: string): void {
    forEachLevel(topic, (level, name) => {
      const postings = this.#levels[level]
      const known = postings?.get(name)
      if (postings === undefined || known === undefined) return
      const left = without(known, topic)
      if (left === undefined) postings.delete(name)
      else postings.set(name, left)
    })
  }

  /** The topics among which all matches of the filter are, unordered; undefined: they may be anywhere. */
  candidates(filter: string): readonly string[] | undefined {
    let fewest: readonly string[] | undefined
    forEachLevel(filter, (level, name) => {
      if (name === '+' || name === '#') return
      const posting = this.#levels[level]?.get(name)
      if (typeof posting === 'number') return
      const topics = posting === undefined ? [] : typeof posting === 'string' ? [posting] : posting
      if (fewest === undefined || topics.length < fewest.length) fewest = topics
    })
    return fewest
  }
}

/** A part of a text is kept with the whole of it by the engine: a key must not keep a long topic that is gone. */
function ownText(name: string, topic: string): string {
  return topic.length - name.length < 256 ? name : Buffer.from(name, 'utf16le').toString('utf16le')
}

function without(known: Posting, topic: string): Posting | undefined {
  if (typeof known === 'string') return undefined
  if (typeof known === 'number') return known === 1 ? undefined : known - 1
  const left = known.filter(other => other !== topic)
  return left.length === 1 ? left[0] : left
}

function forEachLevel(text: string, visit: (level: number, name: string) => void): void {
  let slash = text.indexOf('/')
  for (let level = 0; slash >= 0 && level < indexedLevels; level += 1) {
    const next = text.indexOf('/', slash + 1)
    visit(level, text.slice(slash + 1, next < 0 ? text.length : next))
    slash = next
  }
}

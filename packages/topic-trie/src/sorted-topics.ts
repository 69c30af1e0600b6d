/** Topics per chunk: inserting moves half of them, 1 KB on average. */
const MAXIMUM_CHUNK = 256

/** Topics in order of their UTF-16 units, in arrays ("chunks") of limited length: 9 to 16 bytes per topic beside the string
 * itself, where a tree of levels would take an object per level. */
export class SortedTopics {
  /** Ascending, each of 1 to MAXIMUM_CHUNK topics. */
  readonly chunks: string[][] = []
  /** Changes with every add and delete, so that a cursor knows when its place is out of date. */
  version = 0

  /** For a topic that is not there yet. */
  add(topic: string): void {
    this.version++
    const index = this.chunkIndex(topic)
    const chunk = this.chunks[index]
    if (chunk === undefined) this.chunks.push([topic])
    else if (chunk.length < MAXIMUM_CHUNK) chunk.splice(lowerBound(chunk, topic), 0, topic)
    else this.#split(index, topic)
  }

  /** For a topic that is there. */
  delete(topic: string): void {
    this.version++
    const index = this.chunkIndex(topic)
    const chunk = this.chunks[index]
    if (chunk === undefined) return
    chunk.splice(lowerBound(chunk, topic), 1)
    if (chunk.length === 0) this.chunks.splice(index, 1)
    else if (!this.#mergeWithNext(index)) this.#mergeWithNext(index - 1)
  }

  /** Index of the chunk the topic is in or would be added to; 0 when there is none. */
  chunkIndex(topic: string): number {
    let low = 0
    let high = this.chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.chunks[middle]?.[0] ?? '') <= topic) low = middle
      else high = middle - 1
    }
    return low
  }

  /** Makes one chunk of two that together are at most half full. */
  #mergeWithNext(index: number): boolean {
    const chunk = this.chunks[index]
    const next = this.chunks[index + 1]
    if (chunk === undefined || next === undefined || chunk.length + next.length > MAXIMUM_CHUNK / 2) return false
    this.chunks.splice(index, 2, chunk.concat(next))
    return true
  }

  #split(index: number, topic: string): void {
    const chunk = this.chunks[index] ?? []
    // Topics that arrive in order leave full chunks behind.
    if (index === this.chunks.length - 1 && topic > (chunk.at(-1) ?? '')) {
      this.chunks.push([topic])
      return
    }
    const left = chunk.slice(0, MAXIMUM_CHUNK / 2)
    const right = chunk.slice(MAXIMUM_CHUNK / 2)
    const half = topic < (right[0] ?? '') ? left : right
    half.splice(lowerBound(half, topic), 0, topic)
    this.chunks.splice(index, 1, left, right)
  }
}

/** A place among the topics, which survives their changing: topics that stay are passed exactly once, others perhaps. */
export class TopicCursor {
  readonly #topics: SortedTopics
  #current: string | undefined = undefined
  #chunk = 0
  #offset = -1
  #version = -1

  constructor(topics: SortedTopics) {
    this.#topics = topics
  }

  /** Moves on to the first topic not below the bound, and returns it; undefined at the end. Never moves back. */
  seek(bound: string): string | undefined {
    if (this.#version === this.#topics.version) {
      // Where branches are small the next topic is the one more often than not.
      const next = this.next()
      if (next === undefined || next >= bound) return next
    }
    return this.#place(bound)
  }

  /** Moves on to the topic after the current one, and returns it; undefined at the end. Only after a seek. */
  next(): string | undefined {
    if (this.#version !== this.#topics.version) {
      const last = this.#current ?? ''
      // A topic that is gone has been replaced by its successor already.
      if (this.#place(last) !== last) return this.#current
    }
    this.#offset++
    return this.#read()
  }

  #place(bound: string): string | undefined {
    this.#version = this.#topics.version
    this.#chunk = this.#topics.chunkIndex(bound)
    this.#offset = lowerBound(this.#topics.chunks[this.#chunk] ?? [], bound)
    return this.#read()
  }

  #read(): string | undefined {
    const chunk = this.#topics.chunks[this.#chunk]
    if (chunk !== undefined && this.#offset >= chunk.length) {
      this.#chunk++
      this.#offset = 0
    }
    this.#current = this.#topics.chunks[this.#chunk]?.[this.#offset]
    return this.#current
  }
}

/** Index of the first topic not below the bound; the length when there is none. */
function lowerBound(chunk: readonly string[], bound: string): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((chunk[middle] ?? '') < bound) low = middle + 1
    else high = middle
  }
  return low
}

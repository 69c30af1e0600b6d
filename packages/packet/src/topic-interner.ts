import { checkUtf8 } from './utf8.ts'

/** Limits of a {@link TopicInterner}. */
export interface TopicInternerOptions {
  /** Topics that are remembered at most. Default 16384. */
  maximumTopics?: number
  /** Bytes of the longest topic that is remembered; longer ones are decoded each time. Default 256. */
  maximumTopicBytes?: number
  /** Called once for each new topic; what it throws leaves `intern()`, and the topic is not remembered. */
  check?: (topic: string) => void
}

interface Entry {
  readonly hash: number
  readonly bytes: Uint8Array
  readonly text: string
  next: Entry | undefined
}

/** Topics of one bucket that are compared at most. Topics chosen to collide then cost their sender a decode each time, and
 * nobody a long search. */
const LONGEST_CHAIN = 12

const SMALLEST_TABLE = 64

/** Look-ups after which it is decided anew which of the next topics are remembered. */
const LOOKUPS_PER_DECISION = 4096
/** With less than one topic found of so many, remembering costs more than it saves: a third of the time of a message. */
const LOOKUPS_PER_FIND = 8
/** Then one topic of so many is remembered, which is enough to find out when topics begin to come again. Each one remembered outlives
 * the collections of young objects, so a flood of new topics fills the heap with them. A prime, so that each of the topics that come in
 * turns has its turn of being remembered. */
const REMEMBERED_ONE_OF = 61

/** Hash table with chains; grows until it holds `capacity` topics. */
class Generation {
  readonly #capacity: number
  #heads: (Entry | undefined)[] = []
  size = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get full(): boolean {
    return this.size >= this.#capacity
  }

  find(hash: number, source: Buffer, start: number, length: number): Entry | undefined {
    let entry = this.#heads[hash & (this.#heads.length - 1)]
    while (entry !== undefined) {
      if (entry.hash === hash && entry.bytes.length === length && isSame(entry.bytes, source, start)) return entry
      entry = entry.next
    }
    return undefined
  }

  add(entry: Entry): void {
    if (this.size >= this.#heads.length) this.#grow()
    if (!this.#hasRoom(entry.hash)) return
    const index = entry.hash & (this.#heads.length - 1)
    entry.next = this.#heads[index]
    this.#heads[index] = entry
    this.size++
  }

  #hasRoom(hash: number): boolean {
    let entry = this.#heads[hash & (this.#heads.length - 1)]
    let length = 0
    for (; entry !== undefined; entry = entry.next) length++
    return length < LONGEST_CHAIN
  }

  #grow(): void {
    const earlier = this.#heads
    const length = Math.max(SMALLEST_TABLE, earlier.length * 2)
    const heads: (Entry | undefined)[] = Array.from({ length }, () => undefined)
    for (const head of earlier) {
      for (let entry = head; entry !== undefined;) {
        const { next } = entry
        const index = entry.hash & (length - 1)
        entry.next = heads[index]
        heads[index] = entry
        entry = next
      }
    }
    this.#heads = heads
  }
}

/** Turns topic bytes into strings, the same bytes into the same string object, which is decoded and checked once.
 *
 * Memory is bounded: topics are remembered in two generations of half the maximum each. A full young one becomes the old
 * one; what is used again moves back, the rest is forgotten. While few topics come again, only a sample of them is remembered.
 * @see MQTT 5.0 §1.5.4 */
export class TopicInterner {
  readonly #generationSize: number
  readonly #maximumTopicBytes: number
  readonly #check: ((topic: string) => void) | undefined
  #young: Generation
  #old: Generation
  /** The topic of the previous call: a publisher often repeats its topic. */
  #latest: Entry | undefined
  /** Since the last decision. */
  #lookups = 0
  #found = 0
  #rememberOneOf = 1

  constructor(options: TopicInternerOptions = {}) {
    this.#generationSize = Math.max(1, Math.floor((options.maximumTopics ?? 16_384) / 2))
    this.#maximumTopicBytes = options.maximumTopicBytes ?? 256
    this.#check = options.check
    this.#young = new Generation(this.#generationSize)
    this.#old = new Generation(this.#generationSize)
  }

  /** Topics remembered now. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** The string of the UTF-8 bytes between the offsets. U+FEFF is kept.
   * @throws PacketError `UTF8_INVALID` or `NUL_CHARACTER`, its offset counted from `frameStart`, which is `start` when left
   * out; and what `check` throws. */
  intern(source: Buffer, start: number, end: number, frameStart: number = start): string {
    const length = end - start
    const latest = this.#latest
    if (latest !== undefined && latest.bytes.length === length && isSame(latest.bytes, source, start))
      return latest.text
    if (length > this.#maximumTopicBytes) return this.#decode(source, start, end, frameStart)
    const hash = hashOf(source, start, end)
    this.#lookups++
    if (this.#lookups === LOOKUPS_PER_DECISION) this.#decide()
    const entry = this.#young.find(hash, source, start, length) ?? this.#findEarlier(hash, source, start, length)
    if (entry === undefined) return this.#learn(hash, source, start, end, frameStart)
    this.#found++
    this.#latest = entry
    return entry.text
  }

  /** The entry from the old generation, which becomes one of the young. */
  #findEarlier(hash: number, source: Buffer, start: number, length: number): Entry | undefined {
    const earlier = this.#old.find(hash, source, start, length)
    return earlier === undefined ? undefined : this.#remember(hash, earlier.bytes, earlier.text)
  }

  #learn(hash: number, source: Buffer, start: number, end: number, frameStart: number): string {
    const text = this.#decode(source, start, end, frameStart)
    if (this.#lookups % this.#rememberOneOf === 0) {
      this.#latest = this.#remember(hash, Uint8Array.prototype.slice.call(source, start, end), text)
    }
    return text
  }

  #remember(hash: number, bytes: Uint8Array, text: string): Entry {
    const entry: Entry = { hash, bytes, text, next: undefined }
    if (this.#young.full) {
      this.#old = this.#young
      this.#young = new Generation(this.#generationSize)
    }
    this.#young.add(entry)
    return entry
  }

  #decide(): void {
    this.#rememberOneOf = this.#found * LOOKUPS_PER_FIND < this.#lookups ? REMEMBERED_ONE_OF : 1
    this.#lookups = 0
    this.#found = 0
  }

  #decode(source: Buffer, start: number, end: number, frameStart: number): string {
    const isAscii = checkUtf8(source, start, end, frameStart)
    const text = source.toString(isAscii ? 'latin1' : 'utf8', start, end)
    this.#check?.(text)
    return text
  }
}

/** FNV-1a over the bytes. */
function hashOf(source: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0
  for (let position = start; position < end; position++) {
    hash = Math.imul(hash ^ (source[position] as number), 0x01000193)
  }
  return (hash ^ (hash >>> 15)) | 0
}

/** Compared from the end, where topics with a common beginning differ. */
function isSame(bytes: Uint8Array, source: Buffer, start: number): boolean {
  for (let index = bytes.length - 1; index >= 0; index--) {
    if (bytes[index] !== source[start + index]) return false
  }
  return true
}

import { isExpired, isSameMessage, messageBytes, PersistenceError } from '@x/contract'
import type { Clock, Message } from '@x/contract'
import { filterMatches } from '@x/topic-trie'
import type { Environment, Row } from './environment.ts'
import { fitsKey, kind, levelBytes, numberKey, textKey } from './keys.ts'
import { readMessage, writeMessage } from './message-record.ts'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import type { RetainedShares } from './retained-shares.ts'
import type { WorkingSet } from './working-set.ts'

/** Bounds of all retained messages together. */
export interface RetainedLimits {
  readonly maximumRetainedMessages: number
  /** Bytes, as counted by `messageBytes`. */
  readonly maximumRetainedBytes: number
}

/** What retained messages are kept with. */
export interface RetainedParts {
  readonly environment: Environment
  readonly set: WorkingSet
  readonly clock: Clock
  readonly limits: RetainedLimits
  readonly shares: RetainedShares
}

/** Messages and branches looked at in one step. */
const stepSize = 256

/** Expired messages freed at a time to make room for another one. */
const freedAtOnce = 100

/** What a step of a look-up has found. */
export interface RetainedStep {
  readonly messages: readonly Message[]
  /** The key behind which the next step goes on; undefined: that was all. */
  readonly next: Buffer | undefined
}

const terminator: Buffer = Buffer.of(0)
const separator: Buffer = Buffer.of(1)
/** The first byte behind everything that begins with a prefix and goes on with a terminator or a separator. */
const afterBelow: Buffer = Buffer.of(2)
const root: Buffer = Buffer.of(kind.retained)

/** One retained message for each topic. They stand in the order of their levels, so that a filter visits only branches that can match.
 * MQTT 5.0 §3.3.1.3 */
export class RetainedStore {
  readonly #parts: RetainedParts
  readonly #writer = new RecordWriter()

  constructor(parts: RetainedParts) {
    this.#parts = parts
  }

  /** Refuses what `set` with this message would exceed. What has expired counts against no limit, and is freed for that.
   * @throws PersistenceError `QUOTA_EXCEEDED` */
  checkRoom(message: Message): void {
    if (message.payload.length === 0) return
    let excess = this.#excess(message)
    while (excess !== undefined && this.dropExpired(freedAtOnce) > 0) excess = this.#excess(message)
    if (excess !== undefined) throw excess
  }

  /** Whether there is room for the message, and for so much more beside it, whatever is replaced. */
  fits(message: Message, more: { readonly topics: number; readonly bytes: number }): boolean {
    if (message.payload.length === 0) return true
    const { maximumRetainedMessages, maximumRetainedBytes } = this.#parts.limits
    const { retainedMessages, retainedBytes } = this.#parts.set.totals
    return (
      retainedMessages + more.topics <= maximumRetainedMessages &&
      retainedBytes + more.bytes <= maximumRetainedBytes &&
      this.#parts.shares.hasRoomFor(message, more)
    )
  }

  #excess(message: Message): PersistenceError | undefined {
    const { maximumRetainedMessages, maximumRetainedBytes } = this.#parts.limits
    const { retainedMessages, retainedBytes } = this.#parts.set.totals
    const previous = this.#find(message.topic)?.message
    if (previous === undefined && retainedMessages >= maximumRetainedMessages) {
      return new PersistenceError('QUOTA_EXCEEDED', {
        message: `${retainedMessages} messages are retained, the limit is maximumRetainedMessages of ${maximumRetainedMessages}`,
      })
    }
    const bytes = retainedBytes - (previous === undefined ? 0 : messageBytes(previous)) + messageBytes(message)
    if (bytes > maximumRetainedBytes) {
      return new PersistenceError('QUOTA_EXCEEDED', {
        message: `retaining would take ${bytes} bytes, the limit is maximumRetainedBytes of ${maximumRetainedBytes}`,
      })
    }
    return this.#parts.shares.excess(message, previous)
  }

  /** Retains the message; one without payload removes what is retained. */
  set(message: Message): void {
    const { environment, set } = this.#parts
    const isRemoval = message.payload.length === 0
    this.#replace(message.topic, isRemoval ? undefined : message)
    if (isRemoval) return
    const number = set.nextNumber()
    writeMessage(this.#writer.begin().u48(number), message)
    environment.put(retainedKey(message.topic), this.#writer.take())
    if (message.expiresAt !== undefined) {
      environment.put(expiryKey(message.expiresAt, number), Buffer.from(message.topic))
    }
  }

  /** What matches and has not expired, as far as a small step finds it, in the order of keys. `after`: the key behind which to go on. No
   * transaction stays open between two steps, so that a slow reader keeps no old page. */
  match(filter: string, after?: Buffer): RetainedStep {
    const now = this.#parts.clock.now()
    const messages: Message[] = []
    let seen = 0
    for (const { key, value } of this.#visits(filter.split('/'), after)) {
      const message = value && decode(value).message
      seen += 1
      if (message && filterMatches(filter, message.topic) && !isExpired(message, now)) messages.push(message)
      if (seen >= stepSize) return { messages, next: key }
    }
    return { messages, next: undefined }
  }

  /** Whether the message is the one that is retained of its topic now. */
  isCurrent(message: Message): boolean {
    const found = this.#find(message.topic)
    return found !== undefined && isSameMessage(found.message, message)
  }

  /** Frees at most `limit` messages that have expired; returns how many. */
  dropExpired(limit: number): number {
    const range = { start: numberKey(kind.retainedExpiry, 0), end: expiryKey(this.#parts.clock.now() + 1, 0), limit }
    const due = this.#parts.environment.collect(range)
    for (const { value } of due) this.#replace(value.toString(), undefined)
    return due.length
  }

  #find(topic: string): { readonly number: number; readonly message: Message } | undefined {
    const value = this.#parts.environment.get(retainedKey(topic))
    return value === undefined ? undefined : decode(value)
  }

  /** Removes what is retained of a topic and counts what takes its place, if anything does. */
  #replace(topic: string, next: Message | undefined): void {
    const { environment, set, shares } = this.#parts
    const found = this.#find(topic)
    if (found === undefined && next === undefined) return
    const previous = found?.message
    if (previous?.expiresAt !== undefined && found !== undefined) {
      environment.remove(expiryKey(previous.expiresAt, found.number))
    }
    if (next === undefined) environment.remove(retainedKey(topic))
    set.count('retainedMessages', (next === undefined ? 0 : 1) - (previous === undefined ? 0 : 1))
    const freed = previous === undefined ? 0 : messageBytes(previous)
    set.count('retainedBytes', (next === undefined ? 0 : messageBytes(next)) - freed)
    shares.change(previous, next)
  }

  *#visits(levels: readonly string[], after: Buffer | undefined): Generator<Visit> {
    const isLong = after !== undefined && after[0] === kind.longRetained
    if (!isLong) yield* this.#walk(root, { levels, index: 0, after: after ?? root })
    const start = isLong ? Buffer.concat([after, terminator]) : Buffer.of(kind.longRetained)
    yield* this.#parts.environment.rows({ start, end: Buffer.of(kind.longRetained + 1) })
  }

  /** `prefix`: the key of the levels that are chosen so far. */
  *#walk(prefix: Buffer, place: Place): Generator<Visit> {
    const { environment } = this.#parts
    const { levels, index, after } = place
    const level = levels[index]
    if (level === undefined) {
      const key = Buffer.concat([prefix, terminator])
      const value = key.compare(after) > 0 ? environment.get(key) : undefined
      if (value !== undefined) yield { key, value }
    } else if (level === '#') {
      yield* this.#everything(prefix, place)
    } else if (level === '+') {
      for (const child of this.#children(prefix, place)) yield* this.#branch(child, { ...place, index: index + 1 })
    } else {
      const child = Buffer.concat([opened(prefix, index), levelBytes([level])])
      yield* this.#walk(child, { ...place, index: index + 1 })
    }
  }

  /** A branch in which nothing is found takes its time, too. */
  *#branch(child: Buffer, place: Place): Generator<Visit> {
    let isEmpty = true
    for (const visit of this.#walk(child, place)) {
      isEmpty = false
      yield visit
    }
    if (isEmpty) yield { key: Buffer.concat([child, afterBelow]), value: undefined }
  }

  *#everything(prefix: Buffer, { index, after }: Place): Generator<Visit> {
    // The parent level is part of what `a/#` matches. MQTT 5.0 §4.7.1.2
    const below = { start: Buffer.concat([prefix, terminator]), end: Buffer.concat([prefix, afterBelow]) }
    for (const { start, end } of index === 0 ? withoutReserved : [below]) {
      const from = start.compare(after) > 0 ? start : Buffer.concat([after, terminator])
      if (from.compare(end) < 0) yield* this.#parts.environment.rows({ start: from, end })
    }
  }

  /** The keys of the levels below, one by one: what is below each of them is skipped. */
  *#children(prefix: Buffer, { index, after }: Place): Generator<Buffer> {
    const open = opened(prefix, index)
    const end = index === 0 ? Buffer.of(kind.retained + 1) : Buffer.concat([prefix, afterBelow])
    // The child in which the last step ended may have more.
    const isInside = after.length > open.length && after.subarray(0, open.length).equals(open)
    let start = isInside ? Buffer.from(after.subarray(0, endOfLevel(after, open.length))) : open
    for (;;) {
      const key = this.#parts.environment.firstKey({ start, end })
      if (key === undefined) return
      const child = Buffer.from(key.subarray(0, endOfLevel(key, open.length)))
      if (index > 0 || key[1] !== dollar) yield child
      start = Buffer.concat([child, afterBelow])
    }
  }
}

/** What a walk has come to: a message, or a branch without any that can match. */
interface Visit {
  readonly key: Buffer
  readonly value: Buffer | undefined
}

/** Where a walk is. */
interface Place {
  readonly levels: readonly string[]
  readonly index: number
  /** Nothing up to this key is wanted. */
  readonly after: Buffer
}

const dollar = 0x24

/** Topics that begin with `$` are matched by no filter that begins with a wildcard. [MQTT5-4.7.2-1] */
const withoutReserved = [
  { start: root, end: Buffer.of(kind.retained, dollar) },
  { start: Buffer.of(kind.retained, dollar + 1), end: Buffer.of(kind.retained + 1) },
]

function opened(prefix: Buffer, index: number): Buffer {
  return index === 0 ? prefix : Buffer.concat([prefix, separator])
}

/** Where the level that begins here ends: before the next separator or the terminator. */
function endOfLevel(key: Buffer, from: number): number {
  let place = from
  while (place < key.length && (key[place] ?? 0) > 1) place += key[place] === 2 ? 2 : 1
  return place
}

function retainedKey(topic: string): Buffer {
  const levels = levelBytes(topic.split('/'))
  return fitsKey(levels) ? Buffer.concat([root, levels, terminator]) : textKey(kind.longRetained, topic)
}

function expiryKey(at: number, number: number): Buffer {
  return numberKey(kind.retainedExpiry, at, number)
}

function decode(value: Buffer): { readonly number: number; readonly message: Message } {
  const reader = new RecordReader(value)
  return { number: reader.u48(), message: readMessage(reader) }
}

/** The message that a row of this store holds. */
export function messageOfRow({ value }: Row): Message {
  return decode(value).message
}

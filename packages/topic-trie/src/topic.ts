import { shareBounds } from './share-bounds.ts'
import { TopicError, type TopicErrorCode } from './topic-error.ts'

declare const brand: unique symbol

/** A valid Topic Name: at least one character, no wildcard, no NUL, at most 65 535 bytes of UTF-8. @see MQTT 5.0 §4.7 */
export type TopicName = string & { readonly [brand]: 'TopicName' }

/** A valid Topic Filter, possibly with wildcards or `$share/NAME/` in front. @see MQTT 5.0 §4.7, §4.8.2 */
export type TopicFilter = string & { readonly [brand]: 'TopicFilter' }

/** Limits for a Topic Name. */
export interface TopicNameOptions {
  /** Levels; `a/b` has two. Unlimited unless given; one more is refused with `TOPIC_TOO_MANY_LEVELS`. */
  readonly maximumLevels?: number
}

/** Limits and wording for a Topic Filter. */
export interface TopicFilterOptions {
  /** Levels, without `$share/NAME/`. Unlimited unless given; one more is refused with `FILTER_TOO_MANY_LEVELS`. */
  readonly maximumLevels?: number
  /** The packet the filter came in, for the error's sentence. `SUBSCRIBE` unless given. */
  readonly packet?: 'SUBSCRIBE' | 'UNSUBSCRIBE'
}

const NUL = 0x00
const HASH = 0x23
const PLUS = 0x2b
const SLASH = 0x2f
const FIRST_SURROGATE = 0xd800
const LAST_SURROGATE = 0xdfff
/** Of those that take one unit of UTF-16. */
const LAST_CHARACTER = 0xffff

/** UTF-8 bytes: the length prefix on the wire has 16 bits. */
const MAXIMUM_BYTES = 65_535

/** Returns the text as a Topic Name, unaltered.
 * @throws TopicError `TOPIC_EMPTY`, `TOPIC_HAS_WILDCARD`, `TOPIC_HAS_NUL`, `TOPIC_HAS_SURROGATE`, `TOPIC_TOO_LONG` or `TOPIC_TOO_MANY_LEVELS`
 * (0x90), for the first fault from the left.
 * @see MQTT 5.0 §3.3.2.1, §4.7 */
export function parseTopicName(text: string, options?: TopicNameOptions): TopicName {
  // [MQTT5-4.7.3-1]; not `=== ''`, since callers without types pass null.
  if (!text) throw nameError('TOPIC_EMPTY', 'empty topic not allowed in PUBLISH')
  let levels = 1
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i)
    if (character === SLASH) levels++
    else if (character === HASH) throw nameError('TOPIC_HAS_WILDCARD', '# is not allowed in PUBLISH') // [MQTT5-4.7.0-1]
    else if (character === PLUS) throw nameError('TOPIC_HAS_WILDCARD', '+ is not allowed in PUBLISH') // [MQTT5-4.7.0-1]
    else if (character === NUL) throw nameError('TOPIC_HAS_NUL', `topic name has U+0000 at character ${i}`) // [MQTT5-4.7.3-2]
    else if (isLoneSurrogate(text, i)) throw nameError('TOPIC_HAS_SURROGATE', `topic name ${loneSurrogate(i)}`) // [MQTT5-1.5.4-1]
  }
  const bytes = bytesBeyondMaximum(text)
  if (bytes > 0) {
    throw nameError('TOPIC_TOO_LONG', `topic name of ${bytes} bytes exceeds the limit of ${MAXIMUM_BYTES} bytes`)
  }
  if (levels > (options?.maximumLevels ?? Infinity)) {
    throw nameError('TOPIC_TOO_MANY_LEVELS', 'topic has too many levels')
  }
  return text as TopicName
}

/** Returns the text as a Topic Filter, unaltered; of a Shared Subscription both the ShareName and the filter are checked.
 * @throws TopicError `FILTER_EMPTY`, `FILTER_WILDCARD_MISPLACED`, `FILTER_HAS_NUL`, `FILTER_HAS_SURROGATE`, `FILTER_TOO_LONG`,
 * `FILTER_TOO_MANY_LEVELS`, `SHARE_NAME_INVALID` or `SHARE_FILTER_MISSING` (0x8F), for the first fault from the left.
 * @see MQTT 5.0 §4.7, §4.8.2 */
export function parseTopicFilter(text: string, options?: TopicFilterOptions): TopicFilter {
  const packet = options?.packet ?? 'SUBSCRIBE'
  // [MQTT5-4.7.3-1]; not `=== ''`, since callers without types pass null.
  if (!text) throw filterError('FILTER_EMPTY', `impossible to ${packet} to an empty topic`)
  const start = checkShare(text)
  let levels = 1
  for (let i = start; i < text.length; i++) {
    const character = text.charCodeAt(i)
    if (character === SLASH) levels++
    else if (character === HASH || character === PLUS) checkWildcard(text, { index: i, start, packet })
    else if (character === NUL) throw filterError('FILTER_HAS_NUL', `topic filter has U+0000 at character ${i}`) // [MQTT5-4.7.3-2]
    else if (isLoneSurrogate(text, i)) throw filterError('FILTER_HAS_SURROGATE', `topic filter ${loneSurrogate(i)}`) // [MQTT5-1.5.4-1]
  }
  const bytes = bytesBeyondMaximum(text)
  if (bytes > 0) {
    throw filterError('FILTER_TOO_LONG', `topic filter of ${bytes} bytes exceeds the limit of ${MAXIMUM_BYTES} bytes`)
  }
  if (levels > (options?.maximumLevels ?? Infinity)) {
    throw filterError('FILTER_TOO_MANY_LEVELS', 'topic has too many levels')
  }
  return text as TopicFilter
}

interface WildcardPlace {
  readonly index: number
  /** Where the filter begins in the text: behind `$share/NAME/`, otherwise 0. */
  readonly start: number
  readonly packet: 'SUBSCRIBE' | 'UNSUBSCRIBE'
}

function checkWildcard(text: string, { index, start, packet }: WildcardPlace): void {
  const beginsLevel = index === start || text.charCodeAt(index - 1) === SLASH
  const isLast = index + 1 === text.length
  if (text.charCodeAt(index) === HASH) {
    if (beginsLevel && isLast) return // [MQTT5-4.7.1-1]
    throw filterError('FILTER_WILDCARD_MISPLACED', `# is only allowed in ${packet} in the last position`)
  }
  if (beginsLevel && (isLast || text.charCodeAt(index + 1) === SLASH)) return // [MQTT5-4.7.1-2]
  throw filterError('FILTER_WILDCARD_MISPLACED', `+ is only allowed in ${packet} between /`)
}

/** Checks `$share/NAME/` and returns where the filter behind it begins; 0 when the subscription is not shared. */
function checkShare(text: string): number {
  const bounds = shareBounds(text)
  if (bounds === undefined) return 0
  const shareName = text.slice(bounds.nameStart, bounds.nameEnd)
  // [MQTT5-4.8.2-1], [MQTT5-4.8.2-2]
  if (shareName === '' || shareName.includes('#') || shareName.includes('+')) {
    throw filterError(
      'SHARE_NAME_INVALID',
      `share name '${shareName.slice(0, 64)}' must have at least one character and neither '+' nor '#'`,
    )
  }
  const nul = shareName.indexOf('\0')
  if (nul >= 0) {
    throw filterError('FILTER_HAS_NUL', `topic filter has U+0000 at character ${bounds.nameStart + nul}`) // [MQTT5-4.7.3-2]
  }
  for (let i = bounds.nameStart; i < bounds.nameEnd; i++) {
    if (isLoneSurrogate(text, i)) throw filterError('FILTER_HAS_SURROGATE', `topic filter ${loneSurrogate(i)}`) // [MQTT5-1.5.4-1]
  }
  if (bounds.filterStart >= text.length) {
    throw filterError('SHARE_FILTER_MISSING', `no topic filter follows '$share/${shareName.slice(0, 64)}'`) // [MQTT5-4.8.2-2]
  }
  return bounds.filterStart
}

/** Whether the character is half of a pair whose other half does not stand beside it: it has no UTF-8 form, so it would arrive as another
 * one. */
function isLoneSurrogate(text: string, index: number): boolean {
  const character = text.charCodeAt(index)
  if (character < FIRST_SURROGATE || character > LAST_SURROGATE) return false
  return (text.codePointAt(index) ?? 0) <= LAST_SURROGATE && (text.codePointAt(index - 1) ?? 0) <= LAST_CHARACTER
}

function loneSurrogate(index: number): string {
  return `has half of a surrogate pair at character ${index}`
}

/** The UTF-8 length in bytes when it exceeds the maximum, otherwise 0. [MQTT5-4.7.3-3] */
function bytesBeyondMaximum(text: string): number {
  // A UTF-16 unit is at most 3 bytes of UTF-8, so that nearly every topic is settled by its length.
  if (text.length * 3 <= MAXIMUM_BYTES) return 0
  const bytes = Buffer.byteLength(text)
  return bytes > MAXIMUM_BYTES ? bytes : 0
}

function nameError(code: TopicErrorCode, message: string): TopicError {
  return new TopicError(code, { reasonCode: 0x90, message })
}

function filterError(code: TopicErrorCode, message: string): TopicError {
  return new TopicError(code, { reasonCode: 0x8f, message })
}

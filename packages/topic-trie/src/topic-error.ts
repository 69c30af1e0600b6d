/** What is wrong with a Topic Name (`TOPIC_…`), a Topic Filter (`FILTER_…`) or a Shared Subscription (`SHARE_…`). */
export type TopicErrorCode =
  | 'TOPIC_EMPTY'
  | 'TOPIC_HAS_WILDCARD'
  | 'TOPIC_HAS_NUL'
  | 'TOPIC_HAS_SURROGATE'
  | 'TOPIC_TOO_LONG'
  | 'TOPIC_TOO_MANY_LEVELS'
  | 'FILTER_EMPTY'
  | 'FILTER_WILDCARD_MISPLACED'
  | 'FILTER_HAS_NUL'
  | 'FILTER_HAS_SURROGATE'
  | 'FILTER_TOO_LONG'
  | 'FILTER_TOO_MANY_LEVELS'
  | 'SHARE_NAME_INVALID'
  | 'SHARE_FILTER_MISSING'

/** The parts of a TopicError beside its code. */
export interface TopicErrorDetails {
  readonly reasonCode: 0x8f | 0x90
  readonly message: string
}

/** The refusal of a Topic Name or Topic Filter. The sentence may change where it carries values; the code does not. */
export class TopicError extends Error {
  override readonly name = 'TopicError'
  readonly code: TopicErrorCode
  /** For the peer: 0x90 Topic Name invalid, 0x8F Topic Filter invalid. @see MQTT 5.0 §2.4 */
  readonly reasonCode: 0x8f | 0x90

  constructor(code: TopicErrorCode, details: TopicErrorDetails) {
    super(details.message)
    this.code = code
    this.reasonCode = details.reasonCode
  }
}

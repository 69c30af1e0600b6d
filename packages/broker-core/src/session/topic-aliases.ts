import { BrokerError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** Limits of the topic aliases that a client sets. */
export interface TopicAliasLimits {
  readonly topicAliasMaximum: number
  readonly maximumTopicAliasBytes: number
}

/** Memory of an alias beside its topic. */
const bytesBeside = 64

/** Bytes of an alias in memory: JavaScript uses two bytes for each character as soon as one needs them. */
export function aliasBytes(topic: string): number {
  return topic.length * 2 + bytesBeside
}

/** The topic aliases a client has set on its connection. MQTT 5.0 §3.3.2.3.4 */
export class TopicAliases {
  readonly #maximum: number
  readonly #maximumBytes: number
  readonly #topics = new Map<number, string>()
  #bytes = 0

  constructor({ topicAliasMaximum, maximumTopicAliasBytes }: TopicAliasLimits) {
    this.#maximum = topicAliasMaximum
    this.#maximumBytes = maximumTopicAliasBytes
  }

  /** Remembers the topic of an alias.
   * @throws BrokerError `TOPIC_ALIAS_INVALID` (0x94) above the maximum we announced ([MQTT5-3.3.2-9]); `TOPIC_ALIAS_BYTES_EXCEEDED`
   * (0x97) when the topics of all aliases hold too much */
  set(alias: number, topic: string): void {
    this.#check(alias)
    const before = this.#topics.get(alias)
    if (before === topic) return
    const bytes = this.#bytes + aliasBytes(topic) - (before === undefined ? 0 : aliasBytes(before))
    if (bytes > this.#maximumBytes) {
      throw new BrokerError('TOPIC_ALIAS_BYTES_EXCEEDED', {
        message: `topic aliases of one connection would hold ${bytes} bytes, the limit maximumTopicAliasBytes is ${this.#maximumBytes}`,
        reasonCode: ReasonCode.quotaExceeded,
      })
    }
    this.#bytes = bytes
    this.#topics.set(alias, topic)
  }

  /** @throws BrokerError `TOPIC_ALIAS_INVALID` (0x94) above the maximum; (0x82) when the alias was not set on this
   * connection ([MQTT5-3.3.2-7]) */
  get(alias: number): string {
    this.#check(alias)
    const topic = this.#topics.get(alias)
    if (topic !== undefined) return topic
    throw new BrokerError('TOPIC_ALIAS_INVALID', {
      message: `topic alias ${alias} has not been set on this connection`,
      reasonCode: ReasonCode.protocolError,
    })
  }

  #check(alias: number): void {
    if (alias <= this.#maximum) return
    throw new BrokerError('TOPIC_ALIAS_INVALID', {
      message: `topic alias ${alias} exceeds topicAliasMaximum of ${this.#maximum}`,
      reasonCode: ReasonCode.topicAliasInvalid,
    })
  }
}

import { BrokerError } from './broker-error.ts'
import { ReasonCode } from './reason-code.ts'

/** The topic aliases a client has set on its connection. MQTT 5.0 §3.3.2.3.4 */
export class TopicAliases {
  readonly #maximum: number
  readonly #topics = new Map<number, string>()

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** Remembers the topic of an alias.
   * @throws BrokerError `TOPIC_ALIAS_INVALID` (0x94) above the maximum we announced ([MQTT5-3.3.2-9]) */
  set(alias: number, topic: string): void {
    this.#check(alias)
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

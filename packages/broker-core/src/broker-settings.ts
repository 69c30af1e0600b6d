import type { MessageTracer, OptionTable } from '@x/contract'
import type { AdjustableLimit, CheckedOptions, GivenLimits } from './ground/limits.ts'
import { limitRules, limitsOf } from './ground/limit-rules.ts'
import { adjustableLimits } from './ground/limits.ts'
import { assertOptions, optionInvalid } from './ground/option-invalid.ts'
import { HookSet } from './hooks/hook-set.ts'
import type { ControlEndpoints } from './hooks/control-endpoint.ts'
import { MessageTraces } from './hooks/message-traces.ts'
import type { TopicAccess } from './hooks/topic-access.ts'
import { brokerOptionTable } from './options.ts'

/** What the engine lets the program read and change. */
export interface Settings {
  readonly options: CheckedOptions
  topicAccess: TopicAccess | undefined
  controlEndpoints: ControlEndpoints | undefined
  traces: MessageTraces | undefined
  /** Some of the options are other ones now. */
  limitsChanged(): void
}

const adjustableRules = Object.fromEntries(
  adjustableLimits.map(name => [name, limitRules[name]]),
) as OptionTable<AdjustableLimit>

/** The options of a broker that programs read from it, with Aedes's names, and those that they may change while it runs. */
export abstract class BrokerSettings extends HookSet {
  /** Those of the engine, which reads them each time. */
  protected abstract get settings(): Settings

  get trustProxy(): boolean {
    return this.settings.options.trustProxy
  }

  get trustedProxies(): readonly string[] {
    return this.settings.options.trustedProxies
  }

  get concurrency(): number {
    return this.settings.options.concurrency
  }

  get queueLimit(): number {
    return this.settings.options.queueLimit
  }

  /** ms */
  get heartbeatInterval(): number {
    return this.settings.options.heartbeatInterval
  }

  /** ms. May be set while the broker runs; holds for new connections.
   * @throws BrokerError `OPTION_INVALID` */
  get connectTimeout(): number {
    return this.settings.options.connectTimeout
  }

  set connectTimeout(value: number) {
    assertOptions({ connectTimeout: value }, limitRules, 'the broker')
    this.settings.options.connectTimeout = value
  }

  /** Takes other values for limits while the broker runs; one that is undefined gets its default, one that is not named stays. They hold
   * for what comes: messages and packets at once, the windows and rates of clients from their next connection on.
   * @throws BrokerError `OPTION_INVALID` for a limit that can't be changed, or a value that it can't have; nothing has changed then */
  adjustLimits(limits: Pick<GivenLimits, AdjustableLimit>): void {
    assertOptions(limits, adjustableRules, 'adjustLimits')
    const values = limitsOf(limits)
    const names = adjustableLimits.filter(name => name in limits)
    Object.assign(this.settings.options, Object.fromEntries(names.map(name => [name, values[name]])))
    this.settings.limitsChanged()
    this.hooksChanged()
  }

  get maximumConnections(): number {
    return this.settings.options.maximumConnections
  }

  /** ms */
  get drainTimeout(): number {
    return this.settings.options.drainTimeout
  }

  /** Seconds. May be set while the broker runs; holds for new clients.
   * @throws BrokerError `OPTION_INVALID` */
  get keepaliveLimit(): number {
    return this.settings.options.keepaliveLimit
  }

  set keepaliveLimit(value: number) {
    assertOptions({ keepaliveLimit: value }, limitRules, 'the broker')
    this.settings.options.keepaliveLimit = value
  }

  get maxClientsIdLength(): number {
    return this.settings.options.maxClientsIdLength
  }

  get maxTopicLevels(): number {
    return this.settings.options.maxTopicLevels
  }

  get maxInflightInbound(): number {
    return this.settings.options.maxInflightInbound
  }

  /** Whether clients may publish and receive, by topic; null: no rule but that `$SYS/` is the broker's. What is set counts from the next
   * message on.
   * @throws BrokerError `OPTION_INVALID` */
  get topicAccess(): TopicAccess | null {
    return this.settings.topicAccess ?? null
  }
  set topicAccess(access: TopicAccess | null | undefined) {
    const { topicAccess: rule } = brokerOptionTable
    if (access !== undefined && !rule.allows(access)) throw optionInvalid('topicAccess', access, rule.text)
    this.settings.topicAccess = access ?? undefined
  }

  /** Executes what clients publish below `$CONTROL/`, by topic; null: these topics are like all others.
   * @throws BrokerError `OPTION_INVALID` */
  get controlEndpoints(): ControlEndpoints | null {
    return this.settings.controlEndpoints ?? null
  }
  set controlEndpoints(endpoints: ControlEndpoints | null | undefined) {
    const { controlEndpoints: rule } = brokerOptionTable
    if (endpoints !== undefined && !rule.allows(endpoints)) {
      throw optionInvalid('controlEndpoints', endpoints, rule.text)
    }
    this.settings.controlEndpoints = endpoints ?? undefined
  }

  /** For plugins: has single messages followed, until the function that it returns is called.
   * @throws BrokerError `OPTION_INVALID` while another tracer follows them */
  traceMessages(tracer: MessageTracer): () => void {
    const { settings } = this
    if (settings.traces !== undefined) {
      throw optionInvalid('plugins', 'two tracers of messages', 'a list with one tracer of messages at most')
    }
    const traces = new MessageTraces(tracer, (code, what, thrown) => this.programFaults.add(code, what, thrown))
    settings.traces = traces
    return () => {
      if (settings.traces === traces) settings.traces = undefined
    }
  }
}

import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  context as contexts,
  createTraceState,
  trace,
} from '@opentelemetry/api'
import type { Attributes, Context, Span, Tracer, TracerProvider } from '@opentelemetry/api'
import type { Message, MessageEntrance, MessageStep, MessageTracer, TracedDelivery } from '@x/contract'
import type { Budget } from './budget.ts'
import type { SpanSource } from './span-source.ts'
import { traceContextOf } from './trace-context.ts'
import type { TraceContext } from './trace-context.ts'

/** Followed messages that are known at a time. Deliveries of an older one continue its publisher's trace, if it has one. */
const mostKnown = 10_000
/** Characters of a topic, and of other texts, in an attribute. */
const longestText = 256
/** Bit 0 of the trace flags. */
const sampled = 1

/** A message that is followed. */
interface Followed {
  /** Of the span `mqtt accept`: steps and deliveries are its children. */
  readonly context: Context
  /** Undefined: it has ended. */
  span: Span | undefined
  deliveries: number
}

/** What decides how much is followed. */
interface SpansOptions {
  readonly ratio: number
  readonly maximumDeliveries: number
  readonly budget: Budget
  readonly tracerProvider: SpanSource | undefined
  readonly version: string
}

/** Makes the spans of messages: `mqtt accept` from the moment a message is read until it is acknowledged, and as its children `mqtt store`,
 * `mqtt emit` and, for each receiver, `mqtt deliver`. */
export class MessageSpans implements MessageTracer {
  readonly #tracer: Tracer
  readonly #options: SpansOptions
  /** By broker and number, oldest first. */
  readonly #known = new Map<string, Followed>()

  constructor(options: SpansOptions) {
    const provider = options.tracerProvider as TracerProvider | undefined
    this.#tracer = (provider ?? trace.getTracerProvider()).getTracer('@x/tracing', options.version)
    this.#options = options
  }

  chooses(source: Uint8Array, start: number, end: number): boolean {
    if (start < end && traceContextOf(source.subarray(start, end)) !== undefined) return true
    return this.#beginsTrace()
  }

  accepted(message: Message, entrance: MessageEntrance): void {
    const parent = this.#parentOf(message, entrance)
    if (parent === undefined || !this.#options.budget.take()) return
    const { publisher, payload } = message
    const span = this.#tracer.startSpan(
      'mqtt accept',
      {
        kind: entrance === 'program' ? SpanKind.INTERNAL : SpanKind.SERVER,
        attributes: {
          ...attributesOf(message, 'receive'),
          'messaging.message.body.size': payload.length,
          'mqtt.entrance': entrance,
          ...(publisher !== undefined && { 'messaging.client.id': cut(publisher) }),
        },
      },
      parent,
    )
    if (span.isRecording()) this.#follow(keyOf(message), span)
    else this.#options.budget.giveBack()
  }

  begins(step: MessageStep, message: Message): ((error?: unknown) => void) | undefined {
    const followed = this.#known.get(keyOf(message))
    if (followed === undefined) return undefined
    const kind = step === 'emit' ? SpanKind.PRODUCER : SpanKind.INTERNAL
    const span = this.#tracer.startSpan(
      `mqtt ${step}`,
      { kind, attributes: attributesOf(message, step) },
      followed.context,
    )
    return error => endSpan(span, error)
  }

  delivered(message: Message, clientId: string, { qos, retain, dup }: TracedDelivery): void {
    const parent = this.#parentOfDelivery(message)
    if (parent === undefined) return
    const attributes = {
      ...attributesOf(message, 'deliver'),
      'messaging.client.id': cut(clientId),
      'mqtt.qos': qos,
      'mqtt.retain': retain,
      'mqtt.dup': dup,
    }
    this.#tracer.startSpan('mqtt deliver', { kind: SpanKind.PRODUCER, attributes }, parent).end()
  }

  ended(message: Message, error?: unknown): void {
    const followed = this.#known.get(keyOf(message))
    if (followed?.span !== undefined) this.#end(followed, error)
  }

  /** Ends the spans that are open. */
  close(): void {
    for (const followed of this.#known.values()) this.#end(followed)
    this.#known.clear()
  }

  /** Undefined: the message is not followed. A message of another broker is followed if its publisher has begun a trace: any other one
   * began at that broker. */
  #parentOf(message: Message, entrance: MessageEntrance): Context | undefined {
    const remote = message.properties === undefined ? undefined : traceContextOf(message.properties)
    if (remote !== undefined) return contextOf(remote)
    if (entrance === 'client') return ROOT_CONTEXT
    if (entrance === 'broker' || message.topic.startsWith('$')) return undefined
    const active = contexts.active()
    if (trace.getSpan(active)?.isRecording() === true) return active
    return this.#beginsTrace() ? ROOT_CONTEXT : undefined
  }

  #parentOfDelivery(message: Message): Context | undefined {
    const { maximumDeliveries, budget } = this.#options
    const followed = this.#known.get(keyOf(message))
    if (followed !== undefined) {
      followed.deliveries += 1
      return followed.deliveries > maximumDeliveries ? undefined : followed.context
    }
    const remote = message.properties === undefined ? undefined : traceContextOf(message.properties)
    if (remote === undefined || (remote.traceFlags & sampled) === 0 || maximumDeliveries === 0) return undefined
    return budget.take() ? contextOf(remote) : undefined
  }

  #beginsTrace(): boolean {
    const { ratio } = this.#options
    return ratio > 0 && Math.random() < ratio
  }

  /** What is kept for deliveries to come is the span's context alone: the span holds all that it will export. */
  #follow(key: string, span: Span): void {
    this.#known.set(key, { context: trace.setSpanContext(ROOT_CONTEXT, span.spanContext()), span, deliveries: 0 })
    if (this.#known.size <= mostKnown) return
    const [oldest] = this.#known
    if (oldest === undefined) return
    this.#known.delete(oldest[0])
    this.#end(oldest[1])
  }

  #end(followed: Followed, error?: unknown): void {
    const { span, deliveries } = followed
    followed.span = undefined
    if (span === undefined) return
    span.setAttribute('mqtt.deliveries', deliveries)
    endSpan(span, error)
  }
}

function keyOf({ brokerId, brokerCounter }: Message): string {
  return `${brokerCounter} ${brokerId}`
}

function contextOf({ traceState, ...parent }: TraceContext): Context {
  const spanContext = { ...parent, isRemote: true }
  if (traceState === undefined) return trace.setSpanContext(ROOT_CONTEXT, spanContext)
  return trace.setSpanContext(ROOT_CONTEXT, { ...spanContext, traceState: createTraceState(traceState) })
}

/** Of all spans. Names follow OpenTelemetry's semantic conventions for messaging as far as those have one. */
function attributesOf({ topic, qos, retain }: Message, operation: string): Attributes {
  return {
    'messaging.system': 'mqtt',
    'messaging.operation.name': operation,
    'messaging.destination.name': cut(topic),
    'mqtt.qos': qos,
    'mqtt.retain': retain,
  }
}

function cut(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText - 1)}…` : text
}

function endSpan(span: Span, thrown: unknown): void {
  if (thrown !== undefined) {
    const error = thrown instanceof Error ? thrown : new Error('something else than an error was thrown')
    span.setStatus({ code: SpanStatusCode.ERROR, message: cut(error.message) })
    span.setAttribute('error.type', cut('code' in error ? String(error.code) : error.name))
  }
  span.end()
}

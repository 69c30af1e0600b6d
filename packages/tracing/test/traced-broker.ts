import type { SpanContext } from '@opentelemetry/api'
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import type { ReadableSpan, Sampler } from '@opentelemetry/sdk-trace-base'
import { createBroker } from '@x/broker'
import type { Broker, BrokerOptions } from '@x/broker'
import { connectAsync } from 'mqtt'
import type { IClientOptions, IPublishPacket, MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import { tracing } from '../src/index.ts'
import type { Tracing, TracingOptions } from '../src/index.ts'

/** A broker that is traced by the SDK, and the spans that it has made. */
export interface Traced {
  readonly broker: Broker
  readonly plugin: Tracing
  readonly url: string
  /** Those that have ended, by their names in alphabetical order. */
  readonly names: () => readonly string[]
  readonly spans: (name: string) => readonly ReadableSpan[]
  readonly clear: () => void
}

export async function tracedBroker(
  options: TracingOptions = {},
  {
    sampler = new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    ...rest
  }: BrokerOptions & { sampler?: Sampler } = {},
): Promise<Traced> {
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ sampler, spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const plugin = tracing({ tracerProvider, maximumPerSecond: 1_000_000, ...options })
  const broker = createBroker({ ...rest, plugins: [plugin] })
  onTestFinished(() => broker.close())
  const { url } = await broker.listen({ port: 0, host: '127.0.0.1', name: 'door' })
  await broker.ready
  const finished = (): readonly ReadableSpan[] => exporter.getFinishedSpans()
  return {
    broker,
    plugin,
    url,
    names: () =>
      finished()
        .map(({ name }) => name)
        .toSorted(),
    spans: wanted => finished().filter(({ name }) => name === wanted),
    clear: () => exporter.reset(),
  }
}

/** A client, and what it receives. */
export async function client(
  url: string,
  options: IClientOptions = {},
): Promise<{ readonly mqtt: MqttClient; readonly received: IPublishPacket[] }> {
  const mqtt = await connectAsync(url, { protocolVersion: 5, ...options })
  const received: IPublishPacket[] = []
  mqtt.on('message', (_topic, _payload, packet) => received.push(packet))
  onTestFinished(() => mqtt.endAsync(true))
  return { mqtt, received }
}

export const publisherSpan: SpanContext = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
}

/** The properties of a message that a span has published, as any instrumented client sends them. */
export function carrying(
  { traceId, spanId, traceFlags }: SpanContext,
  tracestate?: string,
): IPublishPacket['properties'] {
  const traceparent = `00-${traceId}-${spanId}-0${traceFlags}`
  return { userProperties: tracestate === undefined ? { traceparent } : { traceparent, tracestate } }
}

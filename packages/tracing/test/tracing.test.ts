import { SpanKind, SpanStatusCode, context as contexts, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { createBroker } from '@x/broker'
import type { BrokerError } from '@x/broker'
import { describe, expect, onTestFinished, test } from 'vitest'
import { tracing } from '../src/index.ts'
import type { TracingOptions } from '../src/index.ts'
import { carrying, client, publisherSpan, tracedBroker } from './traced-broker.ts'

const family = ['mqtt accept', 'mqtt deliver']

function parentIds(spans: readonly ReadableSpan[]): (string | undefined)[] {
  return spans.map(span => span.parentSpanContext?.spanId)
}

test.each([0, 1, 2] as const)('a message of QoS %i is followed from its publisher to its subscriber', async qos => {
  const { url, names, spans } = await tracedBroker()
  const subscriber = await client(url, { clientId: 'sub' })
  const publisher = await client(url, { clientId: 'pub' })
  await subscriber.mqtt.subscribeAsync('lamps/#', { qos: 2 })
  const properties = carrying(publisherSpan, 'vendor=x:1')
  await publisher.mqtt.publishAsync('lamps/hall', 'on', { qos, properties: properties ?? {} })
  await expect.poll(() => names()).toEqual(qos === 0 ? family : [...family, 'mqtt store'])
  await expect.poll(() => subscriber.received).toHaveLength(1)
  expect(subscriber.received[0]?.properties?.userProperties).toEqual(properties?.userProperties)
  const [accept] = spans('mqtt accept')
  expect(accept?.spanContext().traceId).toBe(publisherSpan.traceId)
  expect(accept?.spanContext().traceState?.get('vendor')).toBe('x:1')
  expect(accept?.parentSpanContext).toMatchObject({ spanId: publisherSpan.spanId, isRemote: true })
  expect(accept?.kind).toBe(SpanKind.SERVER)
  expect(accept?.attributes).toEqual({
    'messaging.system': 'mqtt',
    'messaging.operation.name': 'receive',
    'messaging.destination.name': 'lamps/hall',
    'messaging.client.id': 'pub',
    'messaging.message.body.size': 2,
    'mqtt.entrance': 'client',
    'mqtt.qos': qos,
    'mqtt.retain': false,
    'mqtt.deliveries': 1,
  })
  const children = [...spans('mqtt deliver'), ...spans('mqtt store')]
  expect(new Set(parentIds(children))).toEqual(new Set([accept?.spanContext().spanId]))
  expect(spans('mqtt deliver')[0]?.attributes).toMatchObject({
    'messaging.client.id': 'sub',
    'mqtt.qos': qos,
    'mqtt.dup': false,
  })
})

describe('a trace is begun', () => {
  test('by no message without traceparent, unless there is a ratio', async () => {
    const { url, names } = await tracedBroker()
    const { mqtt } = await client(url)
    await mqtt.publishAsync('a', 'x', { qos: 1 })
    await mqtt.publishAsync('a', 'x', { qos: 1, properties: { userProperties: { other: 'traceparent' } } })
    expect(names()).toEqual([])
  })

  test('by each message of MQTT 3.1.1 with a ratio of 1, at the root', async () => {
    const { url, spans } = await tracedBroker({ ratio: 1 })
    const subscriber = await client(url, { protocolVersion: 4 })
    const { mqtt } = await client(url, { protocolVersion: 4 })
    await subscriber.mqtt.subscribeAsync('a')
    for (const qos of [0, 1, 2] as const) await mqtt.publishAsync('a', 'x', { qos })
    await expect.poll(() => spans('mqtt deliver')).toHaveLength(3)
    const accepts = spans('mqtt accept')
    expect(parentIds(accepts)).toEqual([undefined, undefined, undefined])
    expect(new Set(accepts.map(span => span.spanContext().traceId)).size).toBe(3)
    expect(parentIds(spans('mqtt deliver'))).toEqual(accepts.map(span => span.spanContext().spanId))
  })

  test('by about as many messages as the ratio says', async () => {
    const { url, spans } = await tracedBroker({ ratio: 0.5 })
    const { mqtt } = await client(url, { protocolVersion: 4 })
    for (let count = 0; count < 1000; count += 1) mqtt.publish('a', 'x')
    await mqtt.publishAsync('last', 'x', { qos: 1 })
    // 16 standard deviations.
    expect(spans('mqtt accept').length).toBeGreaterThan(250)
    expect(spans('mqtt accept').length).toBeLessThan(750)
  })

  test('by no message of the broker itself, whatever the ratio', async () => {
    const { broker, names } = await tracedBroker({ ratio: 1 })
    await broker.publish({ topic: '$SYS/uptime', payload: '1', retain: true })
    expect(names()).toEqual([])
    await broker.publish({ topic: 'a', payload: '1' })
    expect(names()).toEqual(['mqtt accept'])
  })
})

describe('the sampler of the SDK decides', () => {
  test('a parent that is not sampled has no spans, when the sampler goes by the parent', async () => {
    const { url, names } = await tracedBroker()
    const subscriber = await client(url)
    const { mqtt } = await client(url)
    await subscriber.mqtt.subscribeAsync('#', { qos: 2 })
    for (const qos of [0, 1, 2] as const) {
      await mqtt.publishAsync('a', 'x', { qos, properties: carrying({ ...publisherSpan, traceFlags: 0 }) ?? {} })
    }
    await expect.poll(() => subscriber.received).toHaveLength(3)
    expect(names()).toEqual([])
  })

  test('a ratio of the SDK holds beside the ratio here', async () => {
    const sampler = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0) })
    const { url, names } = await tracedBroker({ ratio: 1 }, { sampler })
    const { mqtt } = await client(url)
    await mqtt.publishAsync('a', 'x', { qos: 1 })
    expect(names()).toEqual([])
    await mqtt.publishAsync('a', 'x', { qos: 1, properties: carrying(publisherSpan) ?? {} })
    expect(names()).toEqual(['mqtt accept', 'mqtt store'])
  })

  test('a sampler that wants nothing gets nothing', async () => {
    const { url, names, plugin } = await tracedBroker({ ratio: 1 }, { sampler: new AlwaysOffSampler() })
    const { mqtt } = await client(url)
    await mqtt.publishAsync('a', 'x', { qos: 1, properties: carrying(publisherSpan) ?? {} })
    expect([names(), plugin.skipped]).toEqual([[], 0])
  })
})

describe('a traceparent that W3C Trace Context does not allow counts as none', () => {
  const good = `00-${publisherSpan.traceId}-${publisherSpan.spanId}-01`
  test.each([
    ['empty', ''],
    ['short', good.slice(0, -1)],
    ['long', `${good}-x`],
    ['version ff', `ff${good.slice(2)}`],
    ['capitals', good.toUpperCase()],
    ['other characters', good.replace('a', 'g')],
    ['trace 0', good.replace(publisherSpan.traceId, '0'.repeat(32))],
    ['span 0', good.replace(publisherSpan.spanId, '0'.repeat(16))],
    ['wrong dashes', good.replaceAll('-', '_')],
    ['very long', `01${good.slice(2)}-${'x'.repeat(60_000)}`],
    ['later version without dash', `01${good.slice(2)}x`],
    ['twice', [good, good]],
  ])('%s', async (_name, traceparent) => {
    const { url, names } = await tracedBroker()
    const subscriber = await client(url)
    const { mqtt } = await client(url)
    await subscriber.mqtt.subscribeAsync('#', { qos: 1 })
    for (const qos of [0, 1] as const) {
      await mqtt.publishAsync('a', 'x', { qos, properties: { userProperties: { traceparent } } })
    }
    await expect.poll(() => subscriber.received).toHaveLength(2)
    expect(subscriber.received[0]?.properties?.userProperties).toEqual({ traceparent })
    expect(names()).toEqual([])
  })

  test('a later version with more fields is one', async () => {
    const { url, names } = await tracedBroker()
    const { mqtt } = await client(url)
    await mqtt.publishAsync('a', 'x', {
      qos: 1,
      properties: { userProperties: { traceparent: `01${good.slice(2)}-more` } },
    })
    expect(names()).toEqual(['mqtt accept', 'mqtt store'])
  })

  test('a tracestate that is too long is left out of the spans, and delivered as it came', async () => {
    const { url, spans } = await tracedBroker()
    const subscriber = await client(url)
    const { mqtt } = await client(url)
    await subscriber.mqtt.subscribeAsync('#', { qos: 1 })
    const tracestate = `a=${'x'.repeat(600)}`
    await mqtt.publishAsync('a', 'x', { qos: 1, properties: carrying(publisherSpan, tracestate) ?? {} })
    expect(spans('mqtt accept')[0]?.spanContext().traceState).toBeUndefined()
    await expect.poll(() => subscriber.received[0]?.properties?.userProperties?.['tracestate']).toBe(tracestate)
  })
})

describe('deliveries', () => {
  test('a shared group has one for each message, of the member that it came to', async () => {
    const { url, spans } = await tracedBroker()
    const members = await Promise.all(['m1', 'm2'].map(async clientId => client(url, { clientId })))
    for (const { mqtt } of members) await mqtt.subscribeAsync('$share/g/a', { qos: 1 })
    const { mqtt } = await client(url)
    for (const qos of [0, 1, 0, 1] as const) {
      await mqtt.publishAsync('a', 'x', { qos, properties: carrying(publisherSpan) ?? {} })
    }
    await expect.poll(() => spans('mqtt deliver')).toHaveLength(4)
    const accepts = new Set(spans('mqtt accept').map(span => span.spanContext().spanId))
    expect(new Set(parentIds(spans('mqtt deliver')))).toEqual(accepts)
    await expect
      .poll(() => members.map(({ received }) => received.length))
      .toEqual(
        ['m1', 'm2'].map(
          id => spans('mqtt deliver').filter(span => span.attributes['messaging.client.id'] === id).length,
        ),
      )
  })

  test('a message that waited in a session is a part of the same trace when it is delivered', async () => {
    const { url, spans } = await tracedBroker()
    const session = { clientId: 'lasting', clean: false, properties: { sessionExpiryInterval: 1000 } }
    const before = await client(url, session)
    await before.mqtt.subscribeAsync('a', { qos: 1 })
    await before.mqtt.endAsync()
    const { mqtt } = await client(url)
    await mqtt.publishAsync('a', 'x', { qos: 1, properties: carrying(publisherSpan) ?? {} })
    const [accept] = spans('mqtt accept')
    expect(spans('mqtt deliver')).toEqual([])
    await client(url, session)
    await expect.poll(() => spans('mqtt deliver')).toHaveLength(1)
    const [deliver] = spans('mqtt deliver')
    expect(deliver?.spanContext().traceId).toBe(publisherSpan.traceId)
    expect(deliver?.parentSpanContext?.spanId).toBe(accept?.spanContext().spanId)
  })

  test('one message has no more spans of deliveries than maximumDeliveries', async () => {
    const { url, spans } = await tracedBroker({ maximumDeliveries: 3 })
    const subscribers = await Promise.all(Array.from({ length: 5 }, async () => client(url)))
    for (const { mqtt } of subscribers) await mqtt.subscribeAsync('a')
    const { mqtt } = await client(url)
    await mqtt.publishAsync('a', 'x', { qos: 1, properties: carrying(publisherSpan) ?? {} })
    await expect.poll(() => subscribers.map(({ received }) => received.length)).toEqual([1, 1, 1, 1, 1])
    expect(spans('mqtt deliver')).toHaveLength(3)
    expect(spans('mqtt accept')[0]?.attributes['mqtt.deliveries']).toBe(5)
  })

  test('a subscriber of the program has one', async () => {
    const { broker, url, names } = await tracedBroker()
    await broker.subscribe('a', (_packet, done) => done())
    const { mqtt } = await client(url)
    await mqtt.publishAsync('a', 'x', { qos: 0, properties: carrying(publisherSpan) ?? {} })
    await expect.poll(() => names()).toEqual(family)
  })
})

test('a message that a hook refuses has a span with the error, and no other', async () => {
  const { url, names, spans } = await tracedBroker(
    {},
    { authorizePublish: () => Promise.reject(Object.assign(new Error('not today'), { code: 'NOT_TODAY' })) },
  )
  const { mqtt } = await client(url)
  await expect(mqtt.publishAsync('a', 'x', { qos: 1, properties: carrying(publisherSpan) ?? {} })).rejects.toThrow()
  expect(names()).toEqual(['mqtt accept'])
  expect(spans('mqtt accept')[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'not today' })
  expect(spans('mqtt accept')[0]?.attributes['error.type']).toBe('NOT_TODAY')
})

test('long names are cut in attributes', async () => {
  const { url, spans } = await tracedBroker()
  const { mqtt } = await client(url)
  const topic = 'x'.repeat(1000)
  await mqtt.publishAsync(topic, 'x', { qos: 1, properties: carrying(publisherSpan) ?? {} })
  expect(spans('mqtt accept')[0]?.attributes['messaging.destination.name']).toBe(`${'x'.repeat(255)}…`)
})

test('no more messages are followed in a second than maximumPerSecond, and the others pass', async () => {
  const { url, spans, plugin } = await tracedBroker({ maximumPerSecond: 1 })
  const subscriber = await client(url)
  const { mqtt } = await client(url)
  await subscriber.mqtt.subscribeAsync('#')
  for (let count = 0; count < 50; count += 1) mqtt.publish('a', 'x', { properties: carrying(publisherSpan) ?? {} })
  await expect.poll(() => subscriber.received).toHaveLength(50)
  const followed = spans('mqtt accept').length
  expect(followed).toBeGreaterThanOrEqual(1)
  expect(plugin.skipped).toBeGreaterThan(0)
})

test('spans that are open when the broker closes end with it', async () => {
  const { broker, url, names } = await tracedBroker({}, { authorizePublish: () => new Promise<void>(() => undefined) })
  const { mqtt } = await client(url)
  mqtt.publish('a', 'x', { qos: 1, properties: carrying(publisherSpan) ?? {} })
  await expect.poll(() => broker.counters.publishesReceived).toBe(1)
  expect(names()).toEqual([])
  onTestFinished(() => mqtt.endAsync(true))
  await broker.close()
  expect(names()).toEqual(['mqtt accept'])
})

test('what a span processor throws is an error of the program, and hurts no message', async () => {
  const failing = (): never => {
    throw new Error('no disk')
  }
  const settle = async (): Promise<void> => undefined
  const processor = { onStart: failing, onEnd: failing, forceFlush: settle, shutdown: settle }
  const { broker, url } = await tracedBroker({
    ratio: 1,
    tracerProvider: new BasicTracerProvider({ spanProcessors: [processor] }),
  })
  const errors: Error[] = []
  broker.on('error', error => errors.push(error))
  const subscriber = await client(url)
  const { mqtt } = await client(url)
  await subscriber.mqtt.subscribeAsync('#', { qos: 2 })
  for (const qos of [0, 1, 2] as const) {
    await mqtt.publishAsync('a', 'x', { qos })
    await mqtt.publishAsync('a', 'x', { qos, properties: carrying(publisherSpan) ?? {} })
  }
  await expect.poll(() => subscriber.received.map(({ qos }) => qos)).toEqual([0, 0, 1, 1, 2, 2])
  expect(new Set(errors.map(error => [(error as BrokerError).code, error.message].join(' ')))).toEqual(
    new Set(['PLUGIN_FAILED the tracer of messages failed: no disk']),
  )
})

test('what the program publishes within a span is a part of its trace', async () => {
  const manager = new AsyncLocalStorageContextManager().enable()
  contexts.setGlobalContextManager(manager)
  onTestFinished(() => contexts.disable())
  const { broker, spans } = await tracedBroker()
  const exporter = new InMemorySpanExporter()
  const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).getTracer('program')
  const parent = tracer.startSpan('work')
  await contexts.with(trace.setSpan(contexts.active(), parent), async () =>
    broker.publish({ topic: 'a', payload: 'x' }),
  )
  parent.end()
  expect(parentIds(spans('mqtt accept'))).toEqual([parent.spanContext().spanId])
  await broker.publish({ topic: 'a', payload: 'x' })
  expect(spans('mqtt accept')).toHaveLength(1)
})

test('a will is followed', async () => {
  const { url, spans } = await tracedBroker()
  const subscriber = await client(url)
  await subscriber.mqtt.subscribeAsync('last', { qos: 1 })
  const properties = { willDelayInterval: 0, ...carrying(publisherSpan) }
  const dying = await client(url, {
    will: { topic: 'last', payload: Buffer.from('x'), qos: 1, retain: false, properties },
  })
  dying.mqtt.stream.destroy()
  await expect.poll(() => spans('mqtt deliver')).toHaveLength(1)
  expect(parentIds(spans('mqtt accept'))).toEqual([publisherSpan.spanId])
})

test('one tracing is for one broker, and one broker has one tracing', async () => {
  const { plugin } = await tracedBroker()
  const second = createBroker({ plugins: [plugin] })
  onTestFinished(() => second.close())
  second.on('error', () => undefined)
  await expect(second.ready).rejects.toMatchObject({ code: 'TRACING_ATTACHED' })
  const third = createBroker({ plugins: [tracing(), tracing()] })
  onTestFinished(() => third.close())
  third.on('error', () => undefined)
  await expect(third.ready).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})

test('after the broker has closed, its tracing fits another one', async () => {
  const { broker, plugin, names } = await tracedBroker({ ratio: 1 })
  await broker.close()
  const next = createBroker({ plugins: [plugin] })
  onTestFinished(() => next.close())
  await next.ready
  await next.publish({ topic: 'a' })
  expect(names()).toEqual(['mqtt accept'])
})

test.each([
  [{ ratio: 2 }, 'option ratio is 2, it must be a number from 0 to 1'],
  [{ ratio: Number.NaN }, 'option ratio is NaN, it must be a number from 0 to 1'],
  [{ maximumPerSecond: 0 }, 'option maximumPerSecond is 0, it must be a whole number from 1 to 1000000'],
  [{ maximumDeliveries: -1 }, 'option maximumDeliveries is -1, it must be a whole number from 0 to 1000000'],
  [{ tracerProvider: {} }, 'it must be a TracerProvider of OpenTelemetry, with the method getTracer'],
  [{ sampler: 1 }, 'option sampler of tracing is unknown (it is 1)'],
])('an option that can not be is refused by its name: %o', (options, sentence) => {
  expect(() => tracing(options as TracingOptions)).toThrow(RangeError)
  expect(() => tracing(options as TracingOptions)).toThrow(sentence)
})

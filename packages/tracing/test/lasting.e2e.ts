import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { carrying, client, publisherSpan, tracedBroker } from './traced-broker.ts'
import type { Traced } from './traced-broker.ts'

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'x-tracing-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const properties = carrying(publisherSpan) ?? {}
const parentIds = ({ spans }: Traced, name: string): readonly (string | undefined)[] =>
  spans(name).map(span => span.parentSpanContext?.spanId)

test('a message that was stored before a restart continues the trace of its publisher when it is delivered', async () => {
  const data = directory()
  const session = { clientId: 'lasting', clean: false, properties: { sessionExpiryInterval: 1000 } }
  const before = await tracedBroker({ ratio: 1 }, { data })
  const first = await client(before.url, session)
  await first.mqtt.subscribeAsync('queued', { qos: 1 })
  await first.mqtt.endAsync()
  const publisher = await client(before.url)
  await publisher.mqtt.publishAsync('queued', 'x', { qos: 1, properties })
  await publisher.mqtt.publishAsync('queued', 'without', { qos: 1 })
  await publisher.mqtt.publishAsync('retained', 'x', { qos: 1, retain: true, properties })
  await publisher.mqtt.endAsync()
  await before.broker.close()
  expect(before.names()).toEqual([...Array(3).fill('mqtt accept'), ...Array(3).fill('mqtt store')])

  const after = await tracedBroker({ ratio: 1 }, { data })
  const second = await client(after.url, session)
  await second.mqtt.subscribeAsync('retained', { qos: 1 })
  await expect.poll(() => after.spans('mqtt deliver')).toHaveLength(2)
  expect(parentIds(after, 'mqtt deliver')).toEqual([publisherSpan.spanId, publisherSpan.spanId])
  expect(after.spans('mqtt deliver').map(span => span.spanContext().traceId)).toEqual([
    publisherSpan.traceId,
    publisherSpan.traceId,
  ])
  expect(after.names()).toEqual(['mqtt deliver', 'mqtt deliver'])
})

test('a message that goes to another broker has one trace on both', async () => {
  const mesh = directory()
  const [one, other] = [await tracedBroker({ ratio: 1 }, { mesh }), await tracedBroker({ ratio: 1 }, { mesh })]
  const subscriber = await client(other.url, { clientId: 'far' })
  await subscriber.mqtt.subscribeAsync('a', { qos: 1 })
  const publisher = await client(one.url)
  // The other broker's subscription reaches the first one in its time.
  await expect
    .poll(async () => {
      await publisher.mqtt.publishAsync('a', 'is it there?', { qos: 1 })
      return subscriber.received.length
    })
    .toBeGreaterThan(0)
  one.clear()
  other.clear()
  await publisher.mqtt.publishAsync('a', 'x', { qos: 1, properties })
  const own = ({ spans }: Traced, name: string): number =>
    spans(name).filter(span => span.spanContext().traceId === publisherSpan.traceId).length
  await expect.poll(() => own(other, 'mqtt deliver')).toBe(1)
  await expect.poll(() => own(one, 'mqtt accept')).toBe(1)
  expect(own(one, 'mqtt emit')).toBe(1)
  expect(own(one, 'mqtt deliver')).toBe(0)
  await expect.poll(() => own(other, 'mqtt accept')).toBe(1)
  const [accept] = other.spans('mqtt accept')
  expect(accept?.attributes['mqtt.entrance']).toBe('broker')
  expect(accept?.parentSpanContext?.spanId).toBe(publisherSpan.spanId)
  expect(parentIds(other, 'mqtt deliver')).toContain(accept?.spanContext().spanId)
  // Traces that began at the first broker are not carried: the other one begins none.
  expect(other.names().filter(name => name === 'mqtt accept')).toHaveLength(1)
})

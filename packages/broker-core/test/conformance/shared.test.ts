import { expect, test } from 'vitest'
import { property } from '../support/property.ts'
import type { RawClient } from '../support/raw-client.ts'
import { startBroker, startBrokerWithClock } from '../support/start-broker.ts'
import type { TestBroker } from '../support/start-broker.ts'
import { disconnect, puback, pubcomp, pubrec } from '../support/wire.ts'
import type { QoS } from '../support/wire.ts'

const group = '$share/g/a'
const expiry = (seconds: number) => ({ cleanStart: false, properties: property.sessionExpiryInterval(seconds) })

async function memberOf(server: TestBroker, clientId: string, qos: QoS = 2, seconds = 3600): Promise<RawClient> {
  const client = await server.connect({ clientId, ...expiry(seconds) })
  expect((await client.subscribe([group, qos])).reasonCodes).toEqual([qos])
  return client
}

/** One member has got a QoS 2 message, up to PUBLISH or up to PUBREL; then another one has joined. */
async function begun(server: TestBroker, step: 'PUBLISH' | 'PUBREL', seconds: number) {
  const chosen = await memberOf(server, 'chosen', 2, seconds)
  await server.broker.publish({ topic: 'a', qos: 2, payload: 'once' })
  const { id } = await chosen.nextPublish()
  if (step === 'PUBREL') {
    chosen.send(pubrec(id))
    await chosen.nextAck('pubrel', id)
  }
  return { chosen, id, other: await memberOf(server, 'other') }
}

test('ShareNames of one character and more make groups of their own', { tags: ['MQTT5-4.8.2-1'] }, async () => {
  const server = await startBroker()
  const client = await server.connect({ clientId: 'c' })
  const granted = await client.subscribe(
    '$share/g/a',
    '$share/gg/a',
    '$share/ /a',
    '$share/$share/a',
    '$share/g/$share/x',
  )
  expect(granted.reasonCodes).toEqual([0, 0, 0, 0, 0])
  await server.broker.publish({ topic: 'a', payload: 'four groups' })
  expect((await client.nextPublishes(4)).map(({ topic }) => topic)).toEqual(['a', 'a', 'a', 'a'])
  await client.expectNothing()
})

test(
  'what follows the ShareName is the filter: leading slash, wildcards and all',
  { tags: ['MQTT5-4.8.2-2'] },
  async () => {
    const server = await startBroker()
    const client = await server.connect({ clientId: 'c' })
    expect((await client.subscribe('$share/g//a', '$share/g/b/+', '$share/g/c/#')).reasonCodes).toEqual([0, 0, 0])
    for (const topic of ['a', '/a', 'b', 'b/x', 'c', 'c/x/y', 'g/b/x', '$share/g//a'])
      await server.broker.publish({ topic })
    expect((await client.nextPublishes(4)).map(({ topic }) => topic)).toEqual(['/a', 'b/x', 'c', 'c/x/y'])
    await client.expectNothing()
  },
)

test('each member gets its messages at the QoS it was granted, or below', { tags: ['MQTT5-4.8.2-3'] }, async () => {
  const server = await startBroker()
  const members: [RawClient, QoS][] = []
  for (const qos of [0, 1, 2] as const) members.push([await memberOf(server, `m${qos}`, qos), qos])
  for (const published of [2, 1, 0] as const) {
    for (let index = 0; index < 3; index += 1) await server.broker.publish({ topic: 'a', qos: published })
    for (const [client, granted] of members) {
      const { qos, id } = await client.nextPublish()
      expect(qos).toBe(Math.min(granted, published))
      if (qos === 1) client.send(puback(id))
      if (qos === 2) {
        client.send(pubrec(id))
        await client.nextAck('pubrel', id)
        client.send(pubcomp(id))
      }
      await client.expectNothing()
    }
  }
})

for (const step of ['PUBLISH', 'PUBREL'] as const) {
  test(
    `a QoS 2 delivery cut off after ${step} is completed to the same member when it is back`,
    { tags: ['MQTT5-4.8.2-4'] },
    async () => {
      const server = await startBroker()
      const { chosen, id, other } = await begun(server, step, 3600)
      await server.drop(chosen)
      await other.expectNothing()
      const back = await server.connect({ clientId: 'chosen', ...expiry(3600) })
      if (step === 'PUBLISH') {
        expect(await back.nextPublish()).toMatchObject({ id, payload: 'once', qos: 2, dup: true })
        back.send(pubrec(id))
      }
      expect(await back.nextAck('pubrel', id)).toMatchObject({ reasonCode: 0 })
      back.send(pubcomp(id))
      await back.expectNothing()
      await other.expectNothing()
    },
  )

  test(
    `a QoS 2 delivery cut off after ${step} goes to nobody else when the session expires`,
    { tags: ['MQTT5-4.8.2-5'] },
    async () => {
      const server = await startBrokerWithClock()
      const { chosen, other } = await begun(server, step, 10)
      await server.drop(chosen)
      await server.pass(12_000)
      await other.expectNothing()
      const fresh = await server.connect({ clientId: 'chosen', ...expiry(10) })
      expect(fresh.connack.sessionPresent).toBe(false)
      await fresh.subscribe([group, 2])
      await fresh.expectNothing()
      await other.expectNothing()
    },
  )

  test(
    `a QoS 2 delivery cut off after ${step} goes to nobody else when the session ends with its connection`,
    { tags: ['MQTT5-4.8.2-5'] },
    async () => {
      const server = await startBroker()
      const { chosen, other } = await begun(server, step, 0)
      await server.drop(chosen)
      await other.expectNothing()
    },
  )

  test(
    `a QoS 2 delivery cut off after ${step} goes to nobody else when a clean start ends the session`,
    { tags: ['MQTT5-4.8.2-5'] },
    async () => {
      const server = await startBroker()
      const { chosen, other } = await begun(server, step, 3600)
      await server.drop(chosen)
      const fresh = await server.connect({ clientId: 'chosen', cleanStart: true })
      await fresh.subscribe([group, 2])
      await fresh.expectNothing()
      await other.expectNothing()
    },
  )

  test(
    `a QoS 2 delivery cut off after ${step} goes to nobody else when DISCONNECT ends the session`,
    { tags: ['MQTT5-4.8.2-5'] },
    async () => {
      const server = await startBroker()
      const { chosen, other } = await begun(server, step, 3600)
      const left = server.gone('chosen')
      chosen.send(disconnect(0, property.sessionExpiryInterval(0)))
      await left
      await other.expectNothing()
    },
  )
}

for (const qos of [1, 2] as const) {
  test(
    `a QoS ${qos} message that its member refuses with an error code goes to nobody else, now or later`,
    { tags: ['MQTT5-4.8.2-6'] },
    async () => {
      const server = await startBroker()
      const chosen = await memberOf(server, 'chosen', qos)
      await server.broker.publish({ topic: 'a', qos, payload: 'refused' })
      const { id } = await chosen.nextPublish()
      const other = await memberOf(server, 'other', qos)
      chosen.send(qos === 1 ? puback(id, 0x83) : pubrec(id, 0x83))
      await chosen.ping()
      await other.expectNothing()
      await chosen.unsubscribe(group)
      await server.drop(chosen)
      await other.expectNothing()
      const back = await server.connect({ clientId: 'chosen', ...expiry(3600) })
      await back.expectNothing()
      await server.broker.publish({ topic: 'a', qos, payload: 'next' })
      expect((await other.nextPublish()).payload).toBe('next')
    },
  )
}

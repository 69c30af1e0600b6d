import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestContext } from 'vitest'
import { MqttJs } from './peers/mqtt-js.ts'
import { Mosquitto, mosquittoMissing } from './peers/mosquitto.ts'
import type { Peer, Version } from './peers/peer.ts'
import { listeningUrl, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'

const versions: readonly Version[] = [3, 4, 5]
const peers: readonly Peer[] = [
  ...versions.map(version => new MqttJs(version)),
  ...versions.map(version => new Mosquitto(version)),
]
const pairs = peers.flatMap(publisher => peers.map(subscriber => ({ publisher, subscriber })))
const missing = mosquittoMissing()

let command: StartedProcess
let url: string

beforeAll(async () => {
  // vitest's short report counts skipped tests without their reason.
  if (missing !== undefined) console.warn(`skipped: exchanges with mosquitto's clients. ${missing}`)
  command = startCommand()
  url = await listeningUrl(command)
})

afterAll(async () => {
  await command.stop('SIGTERM')
})

describe.each(pairs)('from $publisher.name to $subscriber.name', ({ publisher, subscriber }) => {
  const names = `${publisher.name}-${subscriber.name}`
  const topic = `${names.replaceAll(' ', '-')}/temperature`
  // MQTT 3.1 allows 23 characters.
  const session = `${peers.indexOf(publisher)}-to-${peers.indexOf(subscriber)}`

  /** Reports the case as skipped, with the way to run it, where a client is not installed. */
  function needsClients(context: TestContext): void {
    if (missing !== undefined && names.includes('mosquitto')) context.skip(missing)
  }

  test('messages of QoS 0, 1 and 2 arrive with their QoS', async context => {
    needsClients(context)
    const receiver = await subscriber.subscribe(url, topic, 2)
    for (const qos of [0, 1, 2] as const) {
      const message = { topic, payload: `${qos} degrees`, qos }
      await publisher.publish(url, message)
      expect(await receiver.next()).toEqual({ ...message, retain: false })
    }
    await receiver.leave()
  })

  test('a retained message reaches a later subscriber with RETAIN, until it is cleared', async context => {
    needsClients(context)
    const message = { topic: `${topic}/last`, payload: '21 degrees', qos: 1, retain: true } as const
    await publisher.publish(url, message)
    const first = await subscriber.subscribe(url, message.topic, 1)
    expect(await first.next()).toEqual(message)
    await first.leave()

    await publisher.publish(url, { ...message, payload: '' })
    const second = await subscriber.subscribe(url, message.topic, 1)
    const live = { ...message, payload: 'a live message', retain: false }
    await publisher.publish(url, live)
    expect(await second.next()).toEqual(live)
    await second.leave()
  })

  test('the will of a client that dies arrives', async context => {
    needsClients(context)
    const will = { topic: `${topic}/will`, payload: 'I am gone', qos: 1, retain: true } as const
    const receiver = await subscriber.subscribe(url, will.topic, 1)
    await publisher.dieWithWill(url, will)
    expect(await receiver.next()).toEqual({ ...will, retain: false })
    await receiver.leave()
    await publisher.publish(url, { ...will, payload: '' })
  })

  // One QoS at a time: order is promised within a QoS only (MQTT 5.0 §4.6).
  test.for([1, 2] as const)('a session gets the QoS %i messages of its absence in order', async (qos, context) => {
    needsClients(context)
    const queued = `${topic}/queued/${qos}`
    const clientId = `${session}-${qos}`
    await subscriber.openSession(url, clientId, queued)
    const messages = ['one', 'two', 'three'].map(payload => ({ topic: queued, payload, qos }))
    for (const message of messages) await publisher.publish(url, message)
    const receiver = await subscriber.resumeSession(url, clientId, queued)
    const live = { topic: queued, payload: 'now', qos }
    await publisher.publish(url, live)
    for (const message of [...messages, live]) expect(await receiver.next()).toEqual({ ...message, retain: false })
    await receiver.leave()
  })
})

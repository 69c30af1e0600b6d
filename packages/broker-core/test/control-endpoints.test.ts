import { expect, test } from 'vitest'
import type { ControlEndpoint } from '../src/index.ts'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'
import { connect } from './support/wire.ts'

/** Returns what it was given, in capitals; later than at once when it begins with `late`. */
const shout: ControlEndpoint = {
  execute: (_client, payload) => {
    const text = payload.toString()
    if (text === 'fail') throw new Error('failed')
    if (text === 'nothing') return undefined
    return text.startsWith('late') ? Promise.resolve().then(() => text.toUpperCase()) : text.toUpperCase()
  },
}
const topic = '$CONTROL/shout/v1'
const controlEndpoints = new Map([[topic, shout]])

eachVersion(({ version, test: versionTest }) => {
  for (const qos of [0, 1, 2] as const) {
    versionTest(`a command at QoS ${qos} is executed, answered to all subscribers and never routed`, async () => {
      const server = await startBroker({ controlEndpoints })
      const watcher = await server.connect({ version, clientId: 'watcher' })
      await watcher.subscribe('$CONTROL/#')
      const other = await server.connect({ version, clientId: 'other' })
      await other.subscribe(`${topic}/response`)
      const client = await server.connect({ version, clientId: 'c' })
      for (const payload of ['now', 'late', 'nothing', 'fail', 'end']) {
        if (qos === 0) client.publish({ topic, payload })
        else await client.publishDone({ topic, payload, qos })
      }
      for (const one of [other, watcher]) {
        const responses = await one.nextPublishes(3)
        expect(responses.map(({ topic: on, payload }) => `${on} ${payload}`).toSorted()).toEqual([
          `${topic}/response END`,
          `${topic}/response LATE`,
          `${topic}/response NOW`,
        ])
        await one.expectNothing()
      }
    })
  }

  versionTest('a command that nobody executes is answered to its client alone', async () => {
    const server = await startBroker({ controlEndpoints })
    const client = await server.connect({ version, clientId: 'c' })
    const watcher = await server.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('$CONTROL/#')
    client.publish({ topic: '$CONTROL/none/v1', payload: 'x' })
    const response = await client.nextPublish()
    expect(response.topic).toBe('$CONTROL/none/v1/response')
    expect(response.payload).toBe('{"error":"endpoint not available"}')
    await watcher.expectNothing()
  })

  versionTest('rights and hooks are asked before a command is executed', async () => {
    const server = await startBroker({
      controlEndpoints,
      topicAccess: { mayPublish: ({ id }) => id === 'admin', mayReceive: () => true },
    })
    const watcher = await server.connect({ version, clientId: 'watcher' })
    await watcher.subscribe('$CONTROL/#')
    const client = await server.connect({ version, clientId: 'c' })
    client.publish({ topic, payload: 'x' })
    await client.publishDone({ topic: 'done', qos: 0 })
    await watcher.expectNothing()
    const admin = await server.connect({ version, clientId: 'admin' })
    admin.publish({ topic, payload: 'x' })
    expect((await watcher.nextPublish()).payload).toBe('X')
  })

  versionTest('a will that is a command ends its connection without a word', async () => {
    const server = await startBroker({ controlEndpoints })
    const client = await server.open()
    client.version = version
    client.send(connect({ version, clientId: 'c', will: { topic, qos: 0 } }))
    expect(await client.closed()).toEqual([])
    expect(Object.keys(server.broker.clients)).toEqual([])
  })
})

test('without endpoints the topics are like all others, and they can be set and taken away at any time', async () => {
  const { broker, ...server } = await startBroker({})
  const watcher = await server.connect({ clientId: 'watcher' })
  await watcher.subscribe('$CONTROL/#')
  const client = await server.connect({ clientId: 'c' })
  client.publish({ topic, payload: 'plain' })
  expect(await watcher.nextPublish()).toMatchObject({ topic })
  broker.controlEndpoints = controlEndpoints
  client.publish({ topic, payload: 'x' })
  expect(await watcher.nextPublish()).toMatchObject({ topic: `${topic}/response` })
  broker.controlEndpoints = null
  client.publish({ topic, payload: 'plain' })
  expect(await watcher.nextPublish()).toMatchObject({ topic })
  expect(() => {
    broker.controlEndpoints = {} as never
  }).toThrow('controlEndpoints')
})

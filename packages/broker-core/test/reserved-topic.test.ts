import { expect, test } from 'vitest'
import { eachVersion } from './support/each-version.ts'
import { startBroker } from './support/start-broker.ts'

function refuse(): never {
  throw new Error('not here')
}

const state = '$SYS/broker/connection/house.tox/state'

/** The levels by which Mosquitto's bridges say that they are one. */
for (const [name, version] of [
  ['3.1', 3],
  ['3.1.1', 4],
] as const) {
  const bridge = { version, level: 0x80 | version, clientId: 'bridge' } as const

  test(`a bridge of MQTT ${name} says on its own topic that it is connected, and by its will that it is not`, async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'w' })
    await watcher.subscribe('$SYS/broker/connection/#')
    const client = await server.connect({ ...bridge, will: { topic: state, payload: '0', qos: 1, retain: true } })
    for (const qos of [0, 1, 2] as const) {
      await client.publishDone({ topic: state, qos, retain: qos > 0, payload: '1' })
      expect(await watcher.nextPublish()).toMatchObject({ topic: state, payload: '1' })
    }
    await server.drop(client)
    expect(await watcher.nextPublish()).toMatchObject({ topic: state, payload: '0' })
    const later = await server.connect({ clientId: 'later' })
    await later.subscribe(state)
    expect(await later.nextPublish()).toMatchObject({ payload: '0', retain: true })
  })

  test(`a bridge of MQTT ${name} may publish nowhere else under $SYS/`, async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'w' })
    await watcher.subscribe('$SYS/broker/#', '$SYS/x/#')
    const topics = ['$SYS/broker/uptime', '$SYS/broker/connection/state', '$SYS/broker/connection/x', '$SYS/x/state']
    for (const topic of topics) {
      const client = await server.connect({ ...bridge, will: { topic, qos: 1 } })
      for (const qos of [0, 1, 2] as const) await client.publishDone({ topic, qos })
      await server.drop(client)
    }
    await watcher.expectNothing()
  })
}

eachVersion(({ version, test: versionTest }) => {
  versionTest('no other client may publish on the topic of a bridge', async () => {
    const server = await startBroker()
    const watcher = await server.connect({ clientId: 'w' })
    await watcher.subscribe('$SYS/broker/#', '$SYS/x/#')
    const client = await server.connect({ version, clientId: 'c', will: { topic: state } })
    client.publish({ topic: state })
    await client.ping()
    await server.drop(client)
    await watcher.expectNothing()
  })

  versionTest('authorizePublish decides about the topic of a bridge when it is set', async () => {
    const server = await startBroker({ authorizePublish: refuse })
    const watcher = await server.connect({ clientId: 'w' })
    await watcher.subscribe('$SYS/broker/#', '$SYS/x/#')
    const client = await server.connect({ version, level: version === 4 ? 0x84 : 5, clientId: 'c' })
    client.publish({ topic: state })
    await watcher.expectNothing()
    server.errors.length = 0
  })
})

import { join } from 'node:path'
import { connect, connectAsync } from 'mqtt'
import type { MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { startBridge, startBroker, startMosquitto } from './support/brokers.ts'
import type { OurPlace, Place } from './support/brokers.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

type Stoppable = Place & { stop(): Promise<void> }

/** Each starts, and starts again, a broker that keeps what it has. */
const remotes: Record<string, (folder: string, port: number) => Promise<Stoppable>> = {
  'this broker': async (folder, port) => {
    const place = await startBroker({ data: join(folder, 'remote') }, port)
    return { ...place, stop: () => place.broker.close() }
  },
  Mosquitto: (folder, port) =>
    startMosquitto(['persistence true', `persistence_location ${folder}/`, 'user root', 'max_queued_messages 0'], port),
}

const perRound = 8

/** A client of its own for each round: it must not matter what it remembers. */
async function publish({ url }: Place, side: string, round: number): Promise<void> {
  const client = await connectAsync(url, { protocolVersion: 5 })
  for (let index = round * perRound; index < (round + 1) * perRound; index += 1) {
    for (const qos of [1, 2] as const) await client.publishAsync(`${side}/${qos}`, `${index}`, { qos })
  }
  await client.endAsync()
}

/** Everything that comes to a session that outlives its connections. */
async function receiver(
  { url }: Place,
  filter: string,
): Promise<{ readonly client: MqttClient; readonly seen: string[] }> {
  const seen: string[] = []
  const properties = { sessionExpiryInterval: 1000 }
  const client = connect(url, {
    protocolVersion: 5,
    clientId: 'receiver',
    clean: false,
    properties,
    reconnectPeriod: 0,
  })
  onTestFinished(() => client.endAsync(true))
  // Before it is connected: what waits comes at once.
  client.on('message', (topic, payload, { qos }) => seen.push(`${topic} ${payload.toString()} ${qos}`))
  await new Promise<void>(resolve => {
    client.once('connect', () => resolve())
  })
  await client.subscribeAsync(filter, { qos: 2 })
  return { client, seen }
}

test.for(
  Object.entries(remotes).flatMap(([name, start]) => ([4, 5] as const).map(version => ({ name, start, version }))),
)(
  'what was acknowledged outlives restarts of either broker, and of both, with $name as the other one and MQTT $version',
  async ({ start, version }) => {
    const folder = temporaryFolder()
    let remote = await start(folder, await freePort())
    const restartRemote = async (): Promise<void> => {
      await remote.stop()
      remote = await start(folder, remote.port)
    }
    const startLocal = (): Promise<OurPlace> =>
      startBridge(
        {
          addresses: remote.url,
          clientId: 'b',
          topics: [{ filter: 'a/#', direction: 'both', qos: 2, localPrefix: 'l/', remotePrefix: 'r/' }],
          protocolVersion: version,
        },
        { data: join(folder, 'local') },
      )
    let local = await startLocal()
    for (const [place, filter] of [
      [local, 'l/a/there/#'],
      [remote, 'r/a/here/#'],
    ] as const) {
      await (await receiver(place, filter)).client.endAsync()
    }
    await publish(local, 'l/a/here', 0)
    await publish(remote, 'r/a/there', 0)
    await remote.stop()
    await publish(local, 'l/a/here', 1)
    remote = await start(folder, remote.port)
    await publish(remote, 'r/a/there', 1)
    await local.broker.close()
    await publish(remote, 'r/a/there', 2)
    await restartRemote()
    local = await startLocal()
    await publish(local, 'l/a/here', 2)
    for (const [place, filter, prefix] of [
      [local, 'l/a/there/#', 'l/a/there'],
      [remote, 'r/a/here/#', 'r/a/here'],
    ] as const) {
      const { seen } = await receiver(place, filter)
      for (const qos of [1, 2]) {
        const expected = Array.from({ length: 3 * perRound }, (_, index) => `${prefix}/${qos} ${index} ${qos}`)
        // QoS 1 may come again after a restart.
        const came = (): string[] =>
          seen.filter((line, index) => line.endsWith(` ${qos}`) && (qos === 2 || seen.indexOf(line) === index))
        await expect.poll(came).toEqual(expected)
      }
    }
  },
)

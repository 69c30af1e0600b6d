import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { MqttClient } from 'mqtt'
import { describe, expect, onTestFinished, test } from 'vitest'
import { mosquittoMissing } from './peers/mosquitto.ts'
import { StartedProcess, commandFile } from './started-command.ts'
import { openWay } from './ways-in.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

interface Bridge {
  /** Of the Mosquitto that bridges. */
  readonly port: number
  readonly mosquitto: StartedProcess
}

/** A Mosquitto whose bridge `house` has nothing set but where it leads, and the lines given. */
async function startBridge(to: number, lines: readonly string[]): Promise<Bridge> {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'bridge-'))
  const file = join(directory, 'mosquitto.conf')
  const configuration = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'connection house',
    `address 127.0.0.1:${to}`,
    ...lines,
    '',
  ]
  writeFileSync(file, configuration.join('\n'))
  const mosquitto = new StartedProcess('mosquitto', ['-c', file])
  onTestFinished(async () => {
    await mosquitto.stop()
    rmSync(directory, { recursive: true })
  })
  await expect.poll(() => isOpen(port)).toBe(true)
  return { port, mosquitto }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connectSocket({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** A client that notes what it gets of the filters. */
async function watch(port: number, ...filters: string[]): Promise<{ client: MqttClient; seen: string[] }> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 })
  onTestFinished(() => client.endAsync(true))
  const seen: string[] = []
  client.on('message', (topic, payload, { qos, retain }) =>
    seen.push(`${topic} ${payload.toString()} ${qos} ${retain}`),
  )
  await client.subscribeAsync(filters, { qos: 2 })
  return { client, seen }
}

const missing = mosquittoMissing()

describe.skipIf(missing !== undefined)('a bridge of Mosquitto', () => {
  test.for<[string, string[]]>([
    ['with its defaults', []],
    ['of MQTT 3.1', ['bridge_protocol_version mqttv31']],
    ['of MQTT 5.0', ['bridge_protocol_version mqttv50']],
  ])('%s carries messages of every QoS both ways, and none in a circle', async ([, lines]) => {
    const { port, broker } = await openWay()
    const here = await watch(port, 'a/#')
    const subscribed = once(broker, 'subscribe')
    const bridge = await startBridge(port, ['topic # both 2', ...lines])
    await subscribed
    const there = await watch(bridge.port, 'a/#')
    const expected: string[] = []
    for (const qos of [0, 1, 2] as const) {
      for (const [name, { client }] of Object.entries({ here, there })) {
        await client.publishAsync(`a/${name}`, `${qos}`, { qos })
        expected.push(`a/${name} ${qos} ${qos} false`)
      }
    }
    // Whatever goes in a circle would come before these do.
    for (const [name, { client }] of Object.entries({ here, there })) {
      await client.publishAsync('a/last', name, { qos: 2 })
      expected.push(`a/last ${name} 2 false`)
    }
    for (const { seen } of [here, there]) await expect.poll(() => seen.toSorted()).toEqual(expected.toSorted())
  })

  test.for(['mqttv31', 'mqttv311', 'mqttv50'])(
    'of %s sends on what nobody subscribes to, also when it is told so',
    { tags: ['MQTT5-3.5.2-1'] },
    async version => {
      const { port, broker } = await openWay()
      const ready = once(broker, 'clientReady')
      const bridge = await startBridge(port, ['topic # out 2', `bridge_protocol_version ${version}`])
      await ready
      const there = await watch(bridge.port, 'x')
      for (const qos of [0, 1, 2, 2] as const) await there.client.publishAsync('nobody', `${qos}`, { qos })
      const here = await watch(port, 'a')
      await there.client.publishAsync('a', 'last', { qos: 2 })
      await expect.poll(() => here.seen).toEqual(['a last 2 false'])
    },
  )

  test.for(['mqttv311', 'mqttv50'])(
    'of %s loses nothing of QoS 1 and 2 when this broker is killed and started again',
    async version => {
      const port = await freePort()
      const data = join(temporaryFolder(), 'data')
      const parameters = [commandFile, '--port', `${port}`, '--host', '127.0.0.1', '--data', data]
      const start = async (): Promise<StartedProcess> => {
        const started = new StartedProcess(process.execPath, parameters)
        onTestFinished(() => started.stop())
        await expect.poll(() => isOpen(port)).toBe(true)
        return started
      }
      const first = await start()
      const lines = [
        'topic # both 2',
        `bridge_protocol_version ${version}`,
        'cleansession false',
        'restart_timeout 1',
        'max_queued_messages 0',
      ]
      const bridge = await startBridge(port, lines)
      const seen: string[] = []
      const receiver = async (at: number, filter: string): Promise<MqttClient> => {
        const client = await connectAsync(`mqtt://127.0.0.1:${at}`, {
          protocolVersion: 5,
          clientId: `to ${filter}`,
          clean: false,
          reconnectPeriod: 100,
          properties: { sessionExpiryInterval: 1000 },
        })
        onTestFinished(() => client.endAsync(true))
        client.on('error', () => undefined)
        client.on('message', (topic, payload, { qos }) => seen.push(`${topic} ${payload.toString()} ${qos}`))
        await client.subscribeAsync(filter, { qos: 2 })
        return client
      }
      const there = await receiver(bridge.port, 'here/#')
      const here = await receiver(port, 'there/#')
      const stands = async (probe: string): Promise<void> => {
        await expect
          .poll(async () => {
            await there.publishAsync(`there/${probe}`, '')
            await here.publishAsync(`here/${probe}`, '')
            return seen
          })
          .toEqual(expect.arrayContaining([`there/${probe}  0`, `here/${probe}  0`]))
      }
      await stands('first')
      const publish = async (client: MqttClient, side: string, from: number): Promise<void> => {
        for (let index = from; index < from + 20; index += 1) {
          for (const qos of [1, 2] as const) await client.publishAsync(`${side}/${qos}`, `${index}`, { qos })
        }
      }
      await publish(here, 'here', 0)
      // With MQTT 5.0 Mosquitto asks for a session that ends with the connection: what is on its way then is lost.
      const keepsSession = version !== 'mqttv50'
      if (!keepsSession) await expect.poll(() => seen).toEqual(expect.arrayContaining(['here/1 19 1', 'here/2 19 2']))
      await first.stop()
      await publish(there, 'there', 0)
      await start()
      if (!keepsSession) await stands('second')
      await publish(here, 'here', 20)
      await publish(there, 'there', 20)
      for (const side of ['here', 'there']) {
        for (const qos of [1, 2]) {
          const expected = Array.from({ length: 40 }, (_, index) => `${side}/${qos} ${index} ${qos}`)
          // QoS 1 may come again after a cut, QoS 2 may not.
          const came = (): string[] =>
            seen.filter(
              (line, index) => line.startsWith(`${side}/${qos} `) && (qos === 2 || seen.indexOf(line) === index),
            )
          await expect.poll(came).toEqual(expected)
        }
      }
    },
  )

  test('says on its topic that it is connected, and by its will that it is not', async () => {
    const { port, broker } = await openWay()
    const errors: Error[] = []
    broker.on('clientError', (_client, error) => errors.push(error))
    const here = await watch(port, '$SYS/broker/connection/#')
    const { mosquitto } = await startBridge(port, ['topic # both 2'])
    const state = (payload: string): RegExp => new RegExp(`^\\$SYS/broker/connection/\\S*house/state ${payload} 1`)
    await expect.poll(() => here.seen).toEqual([expect.stringMatching(state('1'))])
    // What it has not read when it is killed ends its connection with ECONNRESET.
    expect(errors).toEqual([])
    await mosquitto.stop('SIGKILL')
    await expect.poll(() => here.seen[1]).toMatch(state('0'))
  })

  test('carries retained messages both ways', async () => {
    const { port } = await openWay()
    const here = await watch(port, 'a/there')
    await here.client.publishAsync('a/here', 'kept', { qos: 1, retain: true })
    const bridge = await startBridge(port, ['topic # both 2'])
    const there = await watch(bridge.port, 'a/here')
    await expect.poll(() => there.seen).toEqual([expect.stringMatching(/^a\/here kept 1/)])
    await there.client.publishAsync('a/there', 'kept', { qos: 2, retain: true })
    await expect.poll(() => here.seen).toEqual(['a/there kept 2 false'])
    const later = await watch(port, 'a/there')
    await expect.poll(() => later.seen).toEqual(['a/there kept 2 true'])
  })
})

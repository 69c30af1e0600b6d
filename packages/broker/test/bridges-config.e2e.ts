import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { MqttClient } from 'mqtt'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { Authority } from './certificates.ts'
import { connectWhenListening } from './connect-when-listening.ts'
import { mosquittoMissing } from './peers/mosquitto.ts'
import { StartedProcess, commandFile, listeningUrl } from './started-command.ts'
import { openWay } from './ways-in.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const authority = new Authority()
afterAll(() => authority.remove())

function started(program: string, parameters: readonly string[]): StartedProcess {
  const broker = new StartedProcess(program, parameters)
  onTestFinished(() => broker.stop())
  return broker
}

/** A client, and what it gets of the filter. */
async function watched(client: MqttClient, filter: string): Promise<string[]> {
  onTestFinished(() => client.endAsync(true))
  const seen: string[] = []
  client.on('message', (topic, payload, { qos }) => seen.push(`${topic} ${payload.toString()} ${qos}`))
  await client.subscribeAsync(filter, { qos: 2 })
  return seen
}

interface Case {
  /** Of the Mosquitto that is bridged to. */
  readonly listener?: readonly string[]
  readonly bridge?: readonly string[]
}

/** Files are named `DIR/…`. */
const cases: [string, Case][] = [
  ['with its defaults', {}],
  ['of MQTT 5.0', { bridge: ['bridge_protocol_version mqttv50'] }],
  [
    'over TLS',
    {
      listener: ['certfile DIR/cert', 'keyfile DIR/key'],
      bridge: ['bridge_cafile DIR/ca', 'bridge_alpn mqtt'],
    },
  ],
  [
    'over TLS with a certificate for another host',
    {
      listener: ['certfile DIR/other', 'keyfile DIR/otherkey'],
      bridge: ['bridge_cafile DIR/ca', 'bridge_insecure true'],
    },
  ],
  [
    'with a pre-shared key',
    { listener: ['psk_hint h', 'psk_file DIR/psk'], bridge: ['bridge_identity house', 'bridge_psk 00ff00ff'] },
  ],
]

describe.skipIf(mosquittoMissing() !== undefined || !authority.works)('connection in a file of Mosquitto', () => {
  test.for<[string, Case]>(cases)(
    '%s carries messages to Mosquitto and back',
    async ([, { listener = [], bridge = [] }]) => {
      const directory = temporaryFolder(0o755)
      const [there, plain, here] = [await freePort(), await freePort(), await freePort()]
      const files = authority.sign('localhost')
      const other = authority.sign('other.example')
      for (const [name, content] of Object.entries({
        cert: files.cert,
        key: files.key,
        other: other.cert,
        otherkey: other.key,
        ca: authority.ca,
        psk: 'house:00ff00ff\n',
        'there.conf': [
          'per_listener_settings false',
          'allow_anonymous true',
          `listener ${plain} 127.0.0.1`,
          `listener ${there} 127.0.0.1`,
          ...listener,
          '',
        ]
          .join('\n')
          .replaceAll('DIR', directory),
        'here.conf': [
          `listener ${here} 127.0.0.1`,
          'allow_anonymous true',
          'connection house',
          `address localhost:${there}`,
          'topic a/# out 2 "" r/ # to Mosquitto',
          'topic "b c/#" in 1 l/',
          'restart_timeout 1',
          ...bridge,
          '',
        ]
          .join('\n')
          .replaceAll('DIR', directory),
      })) {
        writeFileSync(join(directory, name), content)
        chmodSync(join(directory, name), 0o644)
      }
      started('mosquitto', ['-c', join(directory, 'there.conf')])
      const remote = await connectWhenListening(`mqtt://127.0.0.1:${plain}`)
      const states = await watched(await connectAsync(`mqtt://127.0.0.1:${plain}`), '$SYS/broker/connection/+/state')
      const command = started(process.execPath, [commandFile, '-c', join(directory, 'here.conf')])
      await expect.poll(() => states.at(-1)).toBe(`$SYS/broker/connection/${hostname()}.house/state 1 1`)
      const local = await connectAsync(`mqtt://127.0.0.1:${here}`)
      const came = await watched(local, 'l/#')
      const went = await watched(remote, 'r/#')
      await expect
        .poll(async () => {
          await local.publishAsync('a/x', 'out', { qos: 2 })
          await remote.publishAsync('b c/x', 'in', { qos: 2 })
          return [came[0], went[0]]
        })
        .toEqual(['l/b c/x in 1', 'r/a/x out 2'])
      command.signal('SIGTERM')
      expect(await command.exited).toEqual({ code: 0, signal: null })
      await expect.poll(() => states.at(-1)).toMatch(/state 0/)
    },
  )
})

test('SIGHUP connects bridges that are new or have changed, ends those that are gone, and leaves the others and clients', async () => {
  const file = join(temporaryFolder(), 'x.yaml')
  const [one, two] = [await openWay(), await openWay()]
  const bridge = (name: string, port: number, filter: string): string =>
    `  - { name: ${name}, clientId: ${name}, addresses: 'mqtt://127.0.0.1:${port}', topics: [{ filter: ${filter} }] }\n`
  const configure = (...bridges: string[]): void =>
    writeFileSync(file, `listeners: [{ port: 0, host: 127.0.0.1 }]\nbridges:\n${bridges.join('')}`)
  const arrivals: string[] = []
  const ends: string[] = []
  for (const [name, { broker }] of Object.entries({ one, two })) {
    broker.on('clientReady', ({ id }) => arrivals.push(`${id} at ${name}`))
    broker.on('clientDisconnect', ({ id }) => ends.push(`${id} at ${name}`))
    await broker.subscribe('#', () => undefined)
  }
  configure(bridge('kept', one.port, 'k'), bridge('changed', one.port, 'a'), bridge('gone', one.port, 'g'))
  const command = started(process.execPath, [commandFile, '-c', file, '--memory'])
  const client = await connectAsync(await listeningUrl(command), { reconnectPeriod: 0 })
  onTestFinished(() => client.endAsync(true))
  await expect.poll(() => arrivals.toSorted()).toEqual(['changed at one', 'gone at one', 'kept at one'])
  configure(bridge('kept', one.port, 'k'), bridge('changed', two.port, 'b'), bridge('added', two.port, 'n'))
  command.signal('SIGHUP')
  await command.line(/SIGHUP: configuration/)
  await expect.poll(() => arrivals.slice(3).toSorted()).toEqual(['added at two', 'changed at two'])
  await expect.poll(() => ends.toSorted()).toEqual(['changed at one', 'gone at one'])
  expect(command.lines.join('\n')).not.toContain('at the next start')
  const came: string[] = []
  await two.broker.subscribe('b', packet => void came.push(packet.payload.toString()))
  // QoS 0 over a bridge is kept for none that has not read its CONNACK yet.
  await expect
    .poll(async () => {
      await client.publishAsync('b', 'changed', { qos: 1 })
      return came[0]
    })
    .toBe('changed')
})

test('a SIGHUP with a fault in a bridge changes nothing', async () => {
  const file = join(temporaryFolder(), 'x.yaml')
  const { broker, port } = await openWay()
  const bridges = `bridges: [{ name: house, clientId: house, addresses: 'mqtt://127.0.0.1:${port}', topics: [{ filter: a }] }]\n`
  writeFileSync(file, `listeners: [{ port: 0 }]\n${bridges}`)
  const ready = once(broker, 'clientReady')
  const command = started(process.execPath, [commandFile, '-c', file, '--memory'])
  await ready
  let ended = 0
  broker.on('clientDisconnect', () => (ended += 1))
  writeFileSync(file, `listeners: [{ port: 0 }]\n${bridges.replace('filter: a', 'filter: a#')}`)
  command.signal('SIGHUP')
  await command.line(/nothing has changed: bridges\[0\]: topics\[0\] makes the filter 'a#'/)
  expect(ended).toBe(0)
  expect(Object.keys(broker.clients)).toEqual(['house'])
})

test('a connection with faults ends with exit code 3 and its lines', () => {
  const file = join(temporaryFolder(), 'm.conf')
  writeFileSync(file, 'connection house\naddress h:70000\ntopic a up\n')
  for (const task of [['--check-config'], []]) {
    const { status, stderr } = spawnSync(process.execPath, [commandFile, '-c', file, ...task], { encoding: 'utf8' })
    expect(stderr).toContain("m.conf:2: address is 'h:70000', its port must be a whole number from 1 to 65535")
    expect(status).toBe(3)
  }
})

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt from 'mqtt'
import type { MqttClient } from 'mqtt'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { clientEvent } from './client-event.ts'
import { anyPort, listeningUrl, oneProcess, startCommandOf } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'

let stateHome = ''
beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), 'state-'))
  stateHome = directory
  return () => rmSync(directory, { recursive: true, force: true })
})

function start(...parameters: string[]): StartedProcess {
  return ending(startCommandOf(stateHome, [...anyPort, ...parameters]))
}

function ending(command: StartedProcess): StartedProcess {
  onTestFinished(() => command.stop())
  return command
}

interface Connected {
  readonly client: MqttClient
  readonly received: readonly string[]
}

async function connect(command: StartedProcess, clientId: string): Promise<Connected> {
  const properties = { sessionExpiryInterval: 3600 }
  const options = { clientId, clean: false, reconnectPeriod: 0, protocolVersion: 5, properties } as const
  const client = mqtt.connect(await listeningUrl(command), options)
  onTestFinished(() => void client.end(true))
  const received: string[] = []
  client.on('message', (topic, payload, { qos, retain }) => {
    received.push(`${topic} ${payload.toString()} ${qos}${retain ? ' retained' : ''}`)
  })
  await clientEvent(client, 'connect')
  return { client, received }
}

test('what a new user has published is there after kill -9 and another start', async () => {
  const first = start()
  const lamp = await connect(first, 'lamp')
  await lamp.client.subscribeAsync('light/#', { qos: 2 })
  await lamp.client.endAsync()
  const { client: publisher } = await connect(first, 'switch')
  await publisher.publishAsync('news', 'kept', { qos: 1, retain: true })
  await publisher.publishAsync('light/hall', 'on', { qos: 1 })
  await publisher.publishAsync('light/hall', 'off', { qos: 2 })
  publisher.end(true)
  await first.stop('SIGKILL')

  const second = start()
  const reader = await connect(second, 'reader')
  await reader.client.subscribeAsync('news', { qos: 1 })
  const again = await connect(second, 'lamp')
  await expect.poll(() => again.received).toEqual(['light/hall on 1', 'light/hall off 2'])
  await expect.poll(() => reader.received).toEqual(['news kept 1 retained'])
})

test('the log says where the state is, which is for its user alone', async () => {
  const command = start('--log-level', 'debug')
  const directory = join(stateHome, 'x-broker')
  expect(await command.line(/are kept in/)).toContain(`sessions and retained messages are kept in ${directory}`)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
})

test('a second broker that is told nothing is refused, and one that is told another place starts', async () => {
  // With workers, brokers share it.
  const alone = (): StartedProcess => ending(startCommandOf(stateHome, anyPort, oneProcess))
  const first = alone()
  await listeningUrl(first)
  const second = alone()
  expect(await second.exited).toMatchObject({ code: 1 })
  expect(second.stderr).toContain(`${join(stateHome, 'x-broker')} is open in another broker`)
  expect(second.stderr).toContain('--data')
  expect(second.stderr.trim().split('\n')).toHaveLength(1)
  const others = [start('--memory'), start('--data', join(stateHome, 'other'))]
  await Promise.all(others.map(async other => listeningUrl(other)))
})

test('with --memory nothing is written', async () => {
  await listeningUrl(start('--memory'))
  expect(readdirSync(stateHome)).toEqual([])
})

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createBroker } from '@x/broker'
import { connect } from 'mqtt'
import type { MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { sysTopics } from '../src/index.ts'

/** Would have to be counted for each message. */
const leftOut = new Set(['publish/bytes/received', 'publish/bytes/sent', 'store/messages/bytes'])

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Topics under `$SYS/broker/` that are there, once `enough` of them have come. */
async function topicsOf(port: number, isEnough: (topics: ReadonlySet<string>) => boolean): Promise<Set<string>> {
  const client: MqttClient = connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 50 })
  onTestFinished(() => void client.end(true))
  client.on('error', () => undefined)
  const topics = new Set<string>()
  client.on('connect', () => client.subscribe('$SYS/broker/#'))
  client.on('message', topic => topics.add(topic.slice('$SYS/broker/'.length)))
  while (!isEnough(topics)) await new Promise(setImmediate)
  return topics
}

test('every topic of Mosquitto is there, but for those that the README names', async context => {
  if (spawnSync('mosquitto', ['-h']).error !== undefined)
    context.skip('mosquitto is missing: apt-get install mosquitto')
  const port = await freePort()
  const mosquitto = spawn('mosquitto', ['-p', `${port}`], { stdio: 'ignore' })
  onTestFinished(() => void mosquitto.kill('SIGKILL'))
  const theirs = await topicsOf(port, topics => topics.has('uptime') && topics.has('load/bytes/sent/15min'))
  const broker = createBroker({ plugins: [sysTopics({ interval: 100, trees: ['broker'] })] })
  onTestFinished(() => broker.close())
  const address = await broker.listen({ port: 0, host: '127.0.0.1' })
  const wanted = [...theirs].filter(topic => !leftOut.has(topic))
  expect(wanted.length).toBeGreaterThan(30)
  const ours = await topicsOf(
    address.port ?? 0,
    topics => wanted.every(topic => topics.has(topic)) || topics.has('load/sockets/15min'),
  )
  expect(wanted.filter(topic => !ours.has(topic))).toEqual([])
})

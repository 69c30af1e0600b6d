import { spawn, spawnSync } from 'node:child_process'
import { createBroker } from '@x/broker'
import { connect } from 'mqtt'
import type { MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { sysTopics } from '../src/index.ts'
import { freePort } from '../../../tools/testing/free-port.ts'

/** Topics under `$SYS/broker/`, as they come. */
function topicsOf(port: number): ReadonlySet<string> {
  const client: MqttClient = connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 50 })
  onTestFinished(() => void client.end(true))
  client.on('error', () => undefined)
  const topics = new Set<string>()
  client.on('connect', () => client.subscribe('$SYS/broker/#'))
  client.on('message', topic => topics.add(topic.slice('$SYS/broker/'.length)))
  return topics
}

test('every topic of Mosquitto is there', async context => {
  if (spawnSync('mosquitto', ['-h']).error !== undefined)
    context.skip('mosquitto is missing: apt-get install mosquitto')
  const port = await freePort()
  const mosquitto = spawn('mosquitto', ['-p', `${port}`], { stdio: 'ignore' })
  onTestFinished(() => void mosquitto.kill('SIGKILL'))
  const theirs = topicsOf(port)
  // It publishes them one behind the other, and the loads last.
  await expect.poll(() => theirs.size).toBeGreaterThan(30)
  await expect.poll(() => theirs.has('uptime') && theirs.has('load/bytes/sent/15min')).toBe(true)
  const broker = createBroker({ plugins: [sysTopics({ interval: 100, trees: ['broker'] })] })
  onTestFinished(() => broker.close())
  const address = await broker.listen({ port: 0, host: '127.0.0.1' })
  const wanted = [...theirs]
  const ours = topicsOf(address.port ?? 0)
  await expect.poll(() => wanted.filter(topic => !ours.has(topic))).toEqual([])
})

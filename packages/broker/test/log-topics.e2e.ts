import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { listeningUrl, oneProcess, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

function start(
  files: Readonly<Record<string, string>>,
  parameters: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): StartedProcess {
  const directory = temporaryFolder()
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(directory, name)
    writeFileSync(path, text.replaceAll('DIR', directory))
    return path
  })
  const started = startCommand(['--config', paths.at(-1) ?? '', ...parameters], environment)
  onTestFinished(async () => started.stop())
  return started
}

async function connected(url: string, clientId: string): Promise<MqttClient> {
  const client = await connectAsync(url, { clientId, protocolVersion: 5, reconnectPeriod: 0 })
  onTestFinished(() => void client.end(true))
  return client
}

function listen(client: MqttClient): string[] {
  const messages: string[] = []
  client.on('message', (topic, payload) => messages.push(`${topic} ${payload.toString()}`))
  return messages
}

test("log_dest topic of Mosquitto's configuration publishes what log_type lets through", async () => {
  const port = await freePort()
  const lines = ['log_dest topic', 'log_dest stdout', 'log_type information', 'log_type subscribe']
  const text = `listener ${port} 127.0.0.1\nallow_anonymous true\n${lines.join('\n')}\n`
  const url = await listeningUrl(start({ 'm.conf': text }, [], oneProcess))
  const watcher = await connected(url, 'watcher')
  const received = listen(watcher)
  await watcher.subscribeAsync('$SYS/broker/log/#', { qos: 2 })
  const other = await connected(url, 'other')
  await other.subscribeAsync('a/#', { qos: 1 })
  const inOrder = (): string[] => received.map(line => line.replace(/ \d{10}:/, ''))
  await expect.poll(inOrder).toContain('$SYS/broker/log/I client other connected')
  await expect.poll(inOrder).toContain('$SYS/broker/log/M/subscribe other 1 a/#')
})

test('with workers, a subscriber at any of them gets the lines of all, each once', async () => {
  const started = start({ 'x.yaml': 'listeners: [{ port: 0, host: 127.0.0.1 }]\nlog: { topics: [information] }\n' }, [
    '--workers',
    '2',
  ])
  const url = await listeningUrl(started)
  await started.line(/workers accept connections/)
  const watchers = await Promise.all(['w1', 'w2', 'w3', 'w4'].map(async name => connected(url, name)))
  const received = watchers.map(listen)
  for (const watcher of watchers) await watcher.subscribeAsync('$SYS/broker/log/I')
  const names = Array.from({ length: 6 }, (_, index) => `client-${index}`)
  for (const name of names) await connected(url, name)
  for (const lines of received) {
    const seen = (): string[] => lines.flatMap(line => /client (client-\d) connected$/.exec(line)?.[1] ?? [])
    await expect.poll(() => seen().toSorted()).toEqual(names)
  }
})

test('rules of an ACL file decide who reads $SYS, and a listener without system topics has none of it', async () => {
  const listener = (name: string, more: string): string => `  - { name: ${name}, port: 0, host: 127.0.0.1, ${more} }`
  const started = start(
    {
      readers: 'topic read $SYS/#\ntopic read a\n',
      others: 'topic read a\n',
      'x.yaml': [
        'listeners:',
        listener('readers', 'access: { aclFile: DIR/readers, allowAnonymous: true }'),
        listener('others', 'access: { aclFile: DIR/others, allowAnonymous: true }'),
        listener('closed', 'systemTopics: false'),
        'statistics: { interval: 1 }',
        '',
      ].join('\n'),
    },
    [],
    oneProcess,
  )
  const clientOf = async (name: string): Promise<MqttClient> => {
    const { url } = JSON.parse(await started.line(new RegExp(`"listener":"${name}"`))) as { url: string }
    return connected(url, name)
  }
  const [readers, others, closed] = await Promise.all([clientOf('readers'), clientOf('others'), clientOf('closed')])
  const [allowed, ...none] = [readers, others, closed].map(listen)
  await others.subscribeAsync('$SYS/#')
  await closed.subscribeAsync('#')
  await expect(closed.subscribeAsync('$SYS/#')).rejects.toThrow('Not authorized')
  await readers.subscribeAsync('$SYS/broker/uptime')
  // What is retained, and one that was published later.
  await expect.poll(() => new Set(allowed).size).toBeGreaterThan(1)
  expect(none).toEqual([[], []])
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { describe, expect, onTestFinished, test } from 'vitest'
import { client, collect, connected, dies, persistent } from './brokers-on-redis.ts'
import { Authority } from './certificates.ts'
import { anyPort, listeningUrl, oneProcess, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

interface Started {
  readonly url: string
  readonly process: StartedProcess
}

async function start(...parameters: string[]): Promise<Started> {
  // Workers are connected by a mesh of their own.
  const process = startCommand([...anyPort, '--sys-interval', '0', ...parameters], oneProcess)
  onTestFinished(async () => process.stop())
  return { process, url: await listeningUrl(process) }
}

/** Brokers of this machine with one store. */
async function brokers(count: number): Promise<readonly Started[]> {
  const data = temporaryFolder()
  return Promise.all(
    Array.from({ length: count }, async () =>
      start('--data', data, '--data-durability', 'process', '--mesh', join(data, 'mesh')),
    ),
  )
}

const texts = (count: number, qos: number): string[] => Array.from({ length: count }, (_, index) => `${qos} ${index}`)

async function publishAll(publisher: MqttClient, topic: string, count: number): Promise<void> {
  for (const qos of [0, 1, 2] as const) {
    await Promise.all(texts(count, qos).map(async text => publisher.publishAsync(topic, text, { qos })))
  }
}

const ofQoS = (all: readonly string[], qos: number): string[] => all.filter(text => text.startsWith(`${qos} `))

describe('brokers in a mesh, on one directory', () => {
  test.each([2, 3])(
    '%i: what is published at one reaches clean and stored sessions at all, at every QoS, once and in order',
    async count => {
      const all = await brokers(count)
      const received: string[][] = []
      for (const [index, { url }] of all.entries()) {
        for (const options of [{}, { ...persistent, clientId: `stored ${index}` }]) {
          const subscriber = await connected(url, options)
          await subscriber.subscribeAsync('a/+', { qos: 2 })
          received.push(collect(subscriber))
        }
      }
      for (const { url } of all) {
        for (const list of received) list.splice(0)
        await publishAll(await connected(url), 'a/b', 100)
        for (const list of received) {
          await expect.poll(() => list.length).toBe(300)
          for (const qos of [0, 1, 2]) expect(ofQoS(list, qos)).toEqual(texts(100, qos))
        }
      }
    },
  )

  test('a client that connects to another broker is closed at the first with 0x8e, and its session goes on', async () => {
    const [one, other] = (await brokers(2)) as [Started, Started]
    for (const options of [{}, persistent]) {
      const first = await connected(one.url, { ...options, clientId: 'same' })
      await first.subscribeAsync('a', { qos: 1 })
      const ended = new Promise<number | undefined>(resolve => {
        first.once('disconnect', ({ reasonCode }) => resolve(reasonCode))
      })
      const second = await connected(other.url, { ...options, clientId: 'same' })
      expect(await ended).toBe(0x8e)
      const payloads = collect(second)
      if (!('clean' in options)) await second.subscribeAsync('a', { qos: 1 })
      await (await connected(one.url)).publishAsync('a', 'x', { qos: 1 })
      await expect.poll(() => payloads).toEqual(['x'])
      await second.endAsync()
    }
  })

  test('a shared group over all brokers gets each message once, at every QoS, and all members get some', async () => {
    const all = (await brokers(3)) as [Started, Started, Started]
    const members = await Promise.all(all.map(async ({ url }) => connected(url)))
    for (const member of members) await member.subscribeAsync('$share/g/a/+', { qos: 2 })
    const received = members.map(collect)
    await publishAll(await connected(all[0].url), 'a/b', 60)
    await expect.poll(() => received.flat().length).toBe(180)
    for (const qos of [0, 1, 2]) expect(ofQoS(received.flat(), qos).sort()).toEqual(texts(60, qos).sort())
    expect(received.every(({ length }) => length > 0)).toBe(true)
  })

  test('one is killed: the others go on at once, its sessions and queues are theirs, its will is published once', async () => {
    const [one, other, third] = (await brokers(3)) as [Started, Started, Started]
    const watchers = [await connected(one.url), await connected(third.url)]
    for (const watcher of watchers) await watcher.subscribeAsync('will', { qos: 1 })
    const wills = watchers.map(collect)
    const stored = await connected(other.url, { ...persistent, clientId: 'stored' })
    await stored.subscribeAsync('a', { qos: 1 })
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false } as const
    await connected(other.url, { clientId: 'dying', will })
    const publisher = await connected(one.url)
    const exited = other.process.stop()
    // Some of them are on their way when it dies.
    const publishing = texts(50, 1).map(async text => publisher.publishAsync('a', text, { qos: 1 }))
    await Promise.all([...publishing, exited])
    await publisher.publishAsync('a', 'end', { qos: 1 })
    // What waited for it comes with CONNACK.
    const payloads = collect(client(third.url, { ...persistent, clientId: 'stored' }))
    await expect.poll(() => payloads.at(-1)).toBe('end')
    expect([...new Set(payloads)]).toEqual([...texts(50, 1), 'end'])
    await expect.poll(() => wills).toEqual([['gone'], ['gone']])
  })

  test('retained messages, and the end of a session, are the same at all', async () => {
    const [one, other] = (await brokers(2)) as [Started, Started]
    await (await connected(one.url)).publishAsync('kept', 'x', { qos: 1, retain: true })
    const stored = await connected(one.url, { ...persistent, clientId: 'stored' })
    await stored.subscribeAsync('kept', { qos: 1 })
    await dies(stored)
    const again = await connected(other.url, { clientId: 'stored', clean: true })
    const payloads = collect(again)
    await again.subscribeAsync('kept', { qos: 1 })
    await expect.poll(() => payloads).toEqual(['x'])
  })
})

describe('brokers in a mesh over TCP', () => {
  const authority = new Authority()

  async function exchange(options: readonly string[]): Promise<readonly [Started, Started]> {
    const addresses = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`] as const
    const one = await start('--mesh-listen', addresses[0], ...options)
    const other = await start('--mesh-listen', addresses[1], '--mesh-peers', addresses[0], ...options)
    return [one, other]
  }

  async function meets([one, other]: readonly [Started, Started]): Promise<void> {
    const subscriber = await connected(one.url)
    await subscriber.subscribeAsync('a', { qos: 1 })
    const payloads = collect(subscriber)
    const publisher = await connected(other.url)
    // A broker opens without a peer that is slow to say hello.
    await expect
      .poll(async () => {
        await publisher.publishAsync('a', 'x', { qos: 1 })
        return payloads
      })
      .toContain('x')
  }

  test('with a secret', async () => {
    const file = join(temporaryFolder(), 'secret')
    writeFileSync(file, 'what all of them know\n')
    await meets(await exchange(['--mesh-secret', file]))
  })

  test.skipIf(!authority.works)(
    'with certificates; one that another authority has signed is refused, and both say so (openssl)',
    async () => {
      const [mine, foreign] = [authority.sign('broker'), new Authority().sign('broker')]
      const files = ({ certFile, keyFile }: typeof mine): string[] => [
        '--mesh-cert',
        certFile,
        '--mesh-key',
        keyFile,
        '--mesh-ca',
        authority.caFile,
      ]
      const started = await exchange(files(mine))
      await meets(started)
      const address = `127.0.0.1:${await freePort()}`
      const one = await start('--mesh-listen', address, ...files(mine))
      await start('--mesh-listen', '127.0.0.1:0', '--mesh-peers', address, ...files(foreign))
      await one.process.line(/PEER_INVALID/)
    },
  )

  test('without either it does not start, and says why', async () => {
    const process = startCommand([...anyPort, '--mesh-listen', '0.0.0.0:7883'], oneProcess)
    onTestFinished(async () => process.stop())
    expect(await process.exited).toEqual({ code: 2, signal: null })
    expect(process.stderr).toContain('which others can reach: tls or secret must be given')
  })
})

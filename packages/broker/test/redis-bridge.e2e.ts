import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasRedisServer } from '@x/redis-connection/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { collect, connected, redisServer } from './brokers-on-redis.ts'
import { anyPort, listeningUrl, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'
import { openWay } from './ways-in.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

/** A broker on this Redis that has the bridge in its configuration. */
async function startBridging(redis: string, configuration: string): Promise<{ process: StartedProcess; url: string }> {
  const started = startCommand([...anyPort, '--redis', redis, '--config', configuration])
  onTestFinished(() => started.stop())
  return { process: started, url: await listeningUrl(started) }
}

describe.skipIf(!hasRedisServer())('a bridge of brokers on one Redis (apt-get install redis-server)', () => {
  test.for(['SIGKILL', 'SIGTERM'] as const)(
    'runs at one of them, and moves with all that waits when that ends by %s',
    async signal => {
      const redis = await redisServer()
      const remote = await openWay()
      const connections: string[] = []
      const received: string[] = []
      remote.broker.on('clientReady', ({ id }) => connections.push(id))
      await remote.broker.subscribe('a', packet => {
        received.push(packet.payload.toString())
      })
      const configuration = join(temporaryFolder(), 'x.json')
      const bridge = {
        name: 'house',
        addresses: `mqtt://127.0.0.1:${remote.port}`,
        topics: [{ filter: 'a', qos: 1 }],
        notificationTopic: 'state',
        reconnectDelay: { least: 50, greatest: 200 },
      }
      writeFileSync(configuration, JSON.stringify({ bridges: [bridge] }))
      const first = await startBridging(redis.url, configuration)
      await expect.poll(() => connections).toEqual(['house'])
      const second = await startBridging(redis.url, configuration)
      const client = await connected(second.url)
      // The bridge has subscribed when it says that it stands.
      const states = collect(client)
      await client.subscribeAsync('state', { qos: 1 })
      await expect.poll(() => states).toEqual(['1'])
      const publish = (from: number): Promise<unknown> =>
        Promise.all([0, 1, 2, 3].map(index => client.publishAsync('a', `${from + index}`, { qos: 1 })))
      await publish(0)
      await expect.poll(() => received).toEqual(['0', '1', '2', '3'])
      expect(connections).toEqual(['house'])
      await first.process.stop(signal)
      await publish(4)
      // The lease of a broker that was killed ends after 10 s.
      await expect.poll(() => connections).toEqual(['house', 'house'])
      await publish(8)
      await expect.poll(() => new Set(received).size).toBe(12)
      expect([...new Set(received)].map(Number)).toEqual(Array.from({ length: 12 }, (_, index) => index))
      expect(Object.keys(remote.broker.clients)).toEqual(['house'])
    },
  )
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { hasRedisServer } from '@x/redis-connection/testing'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { leaseDuration } from '../src/presence.ts'
import { opened, redisServer } from './brokers-on-redis.ts'

const program = fileURLToPath(new URL('emitting-process.ts', import.meta.url))

/** A broker that is killed. Answers when it was, in ms since the epoch. */
async function killedBroker(url: string, whileThere: () => Promise<void>): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=@x/source', program, url])
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  await whileThere()
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
  return Date.now()
}

describe.skipIf(!hasRedisServer())('a broker that is killed (apt-get install redis-server)', () => {
  test('is gone for the others after its lease, with its routes and all its keys; until then messages wait for it', async () => {
    const redis = await redisServer()
    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    const one = await opened('one', { redis: redis.url })
    let instance = ''
    const killedAt = await killedBroker(redis.url, async () => {
      await expect.poll(() => one.emitter.reaches('a') && one.emitter.reaches('b')).toBe(true)
      await one.publish('x', 1)
      instance = Object.keys(await admin.hgetall('{x1.rt}:here')).find(name => name.startsWith('dying~')) ?? ''
    })
    expect(one.presences).toEqual([['dying', true]])
    // Nobody may say yet that it is dead.
    await one.publish('to a dead one', 2)
    expect(await admin.xlen(`{x1.b:${instance}}:in`)).toBeGreaterThan(0)
    await expect.poll(() => one.presences.length, { timeout: leaseDuration + 15_000 }).toBe(2)
    const after = Date.now() - killedAt
    expect(after).toBeGreaterThan(leaseDuration - 1000)
    expect(after).toBeLessThan(leaseDuration + 15_000)
    expect(one.presences.at(-1)).toEqual(['dying', false])
    expect(['a', 'b'].some(topic => one.emitter.reaches(topic))).toBe(false)
    expect(one.publish('y', 1)).toBeUndefined()
    const left = async (): Promise<string[]> => (await admin.keys('*')).filter(key => key.includes(instance))
    // An inbox is kept longer than the lease: who publishes would wait for one that has ended.
    await expect.poll(left).toEqual([])
    expect(one.errors).toEqual([])
  })

  test('leaves no key that stays, when it was the last', async () => {
    const redis = await redisServer()
    const admin = new Redis(redis.url)
    onTestFinished(() => admin.disconnect())
    await killedBroker(redis.url, async () => undefined)
    const keys = await admin.keys('*')
    expect(keys).not.toEqual([])
    for (const key of keys) {
      const left = await admin.pttl(key)
      expect(left, key).toBeGreaterThan(0)
      expect(left, key).toBeLessThanOrEqual(60_000)
    }
  })
})

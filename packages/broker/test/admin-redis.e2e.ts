import { hasRedisServer } from '@x/redis-connection/testing'
import { describe, expect, test } from 'vitest'
import { connected, persistent, redisServer, serve } from './brokers-on-redis.ts'

const key = 'a key of an admin, long'

interface Page {
  readonly items: readonly { readonly clientId: string }[]
  readonly cursor: string | null
}

describe.skipIf(!hasRedisServer())('the API of one of two brokers on one Redis (apt-get install redis-server)', () => {
  test('shows the sessions of both with their queues, and clears these', async () => {
    const redis = await redisServer()
    const admin = { listen: { port: 0 }, keys: [{ name: 'ann', role: 'admin' as const, key }], dashboard: false }
    const [one, other] = [await serve(redis.url, { admin }), await serve(redis.url)]
    const ask = async (method: string, path: string): Promise<{ status: number; body: unknown }> => {
      const url = `${one.broker.admin?.url ?? ''}/api/v1${path}`
      const response = await fetch(url, { method, headers: { authorization: `Bearer ${key}` } })
      return { status: response.status, body: await response.json() }
    }
    const away = await connected(other.url, { ...persistent, clientId: 'away' })
    await away.subscribeAsync(['a', 'b/#'], { qos: 1 })
    await away.endAsync()
    const here = await connected(other.url, { ...persistent, clientId: 'here' })
    await here.subscribeAsync('c', { qos: 1 })
    await connected(other.url, { clientId: 'passing' })
    const publisher = await connected(one.url, { clientId: 'publisher' })
    for (const text of ['first', 'second', 'third']) await publisher.publishAsync('a', text, { qos: 1 })
    const listed = async (): Promise<string[]> => {
      const found: string[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const query: string = cursor === '' ? '' : `&cursor=${cursor}`
        const page = (await ask('GET', `/sessions?limit=1${query}`)).body as Page
        found.push(...page.items.map(({ clientId }) => clientId))
        cursor = page.cursor
      }
      return found.toSorted()
    }
    expect(await listed()).toEqual(['away', 'here'])
    const session = async (id: string): Promise<unknown> => (await ask('GET', `/sessions/${id}`)).body
    await expect
      .poll(async () => session('away'))
      .toMatchObject({
        isOpen: false,
        sessionExpiryInterval: 1000,
        expiresAt: expect.any(Number) as unknown,
        subscriptions: 2,
        queuedMessages: 3,
        filters: [{ filter: 'a' }, { filter: 'b/#' }],
      })
    expect(await session('here')).toMatchObject({ isOpen: true, expiresAt: null, subscriptions: 1, queuedMessages: 0 })
    expect((await ask('GET', '/sessions/passing')).status).toBe(404)
    const queue = (await ask('GET', '/sessions/away/queue?limit=2')).body
    expect(queue).toMatchObject({
      items: [{ message: { topic: 'a' } }, { message: { topic: 'a' } }],
      cursor: expect.any(Number) as unknown,
    })
    expect((await ask('DELETE', '/sessions/away/queue')).body).toEqual({ clientId: 'away', dropped: 3 })
    expect(await session('away')).toMatchObject({ queuedMessages: 0 })
    expect(await ask('DELETE', '/sessions/here')).toMatchObject({ status: 200 })
    await expect.poll(listed).toEqual(['away'])
  })
})

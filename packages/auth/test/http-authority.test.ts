import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { HttpAuthority } from '../src/index.ts'
import { serve, start } from './support/running.ts'
import type { Question } from './support/running.ts'

/** Below `hang/` the server never responds, below `fail/` it fails, `deny` refuses. */
function respond({ topic }: Question, response: ServerResponse): void {
  const name = String(topic)
  if (name.startsWith('hang/')) return
  if (name.startsWith('fail/')) response.writeHead(500).end()
  else response.end(JSON.stringify({ result: name.startsWith('deny') ? 'deny' : 'allow' }))
}

async function started(answer = respond) {
  const server = await serve((question, response) => answer(question, response))
  const authority = new HttpAuthority({ url: server.url, timeout: 60_000, maximumFailures: 1000, cacheTime: 60_000 })
  return { server, authority, ...(await start({ allowAnonymous: true, authority })) }
}

test('each topic that is published or subscribed to is asked about, once as long as the answer counts', async () => {
  const { connect, server, authority } = await started()
  const client = await connect({ clientId: 'c', username: 'ann' })
  for (let count = 0; count < 3; count += 1) await client.publishAsync('a', '', { qos: 1 })
  await expect(client.publishAsync('deny/x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  await client.subscribeAsync('a/#')
  await expect(client.subscribeAsync('deny/#')).rejects.toThrow()
  expect(server.questions).toEqual([
    { clientid: 'c', username: 'ann', topic: 'a', action: 'publish', acc: 2 },
    { clientid: 'c', username: 'ann', topic: 'deny/x', action: 'publish', acc: 2 },
    { clientid: 'c', username: 'ann', topic: 'a/#', action: 'subscribe', acc: 4 },
    { clientid: 'c', username: 'ann', topic: 'deny/#', action: 'subscribe', acc: 4 },
  ])
  expect(authority.statistics.cached).toBe(2)
})

test('topics of the broker are refused without a question', async () => {
  const { connect, server } = await started()
  const client = await connect()
  await expect(client.publishAsync('$SYS/x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  expect(server.questions).toEqual([])
})

test('what the server can’t decide is refused', async () => {
  const { connect } = await started()
  const client = await connect()
  await expect(client.publishAsync('fail/x', '', { qos: 1 })).rejects.toThrow()
  const other = await connect()
  await expect(other.subscribeAsync('fail/#')).rejects.toThrow()
})

test('a will that it refuses is not sent', async () => {
  const { connect, broker } = await started()
  const topics: string[] = []
  await broker.subscribe('#', ({ topic }, done) => {
    topics.push(topic)
    done()
  })
  for (const topic of ['deny/will', 'will']) {
    const client = await connect({ will: { topic, payload: Buffer.alloc(0), qos: 0, retain: false } })
    client.stream.destroy()
  }
  await expect.poll(() => topics).toContain('will')
  expect(topics).not.toContain('deny/will')
})

test('a client whose question hangs delays no other', async () => {
  const { connect, server } = await started()
  const [held, other] = [await connect(), await connect()]
  held.publishAsync('hang/x', '', { qos: 1 }).catch(() => undefined)
  await expect.poll(() => server.questions.length).toBe(1)
  await other.publishAsync('a', '', { qos: 1 })
  await other.subscribeAsync('b')
})

test('a subscription that is not permitted any more is gone when its client is back', async () => {
  let isAllowed = true
  const { connect, broker, access } = await started(({ topic }, response) => {
    response.end(JSON.stringify({ result: isAllowed || topic !== 'a' ? 'allow' : 'deny' }))
  })
  const session = { clientId: 'c', clean: false, properties: { sessionExpiryInterval: 60 } }
  const client = await connect(session)
  await client.subscribeAsync(['a', 'b'])
  await client.endAsync()
  isAllowed = false
  const server = await serve(({ topic }, response) => {
    response.end(JSON.stringify({ result: topic === 'a' ? 'deny' : 'allow' }))
  })
  access.replace({ allowAnonymous: true, authority: new HttpAuthority({ url: server.url }) }, [])
  await connect(session)
  await expect.poll(() => Object.keys(broker.clients['c']?.subscriptions ?? {})).toEqual(['b'])
})

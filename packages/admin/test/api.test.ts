import { connectAsync } from 'mqtt'
import { expect, test } from 'vitest'
import { StartedAdmin } from './started-admin.ts'

type Fields = Readonly<Record<string, unknown>>

function itemsOf(body: Fields): readonly Fields[] {
  return body['items'] as readonly Fields[]
}

/** A session that waits for its client, with messages in its queue. */
async function leaveSession(admin: StartedAdmin, clientId: string, filter = 'a/#'): Promise<void> {
  const client = await admin.connect({ clientId, clean: false, properties: { sessionExpiryInterval: 1000 } })
  await client.subscribeAsync(filter, { qos: 1 })
  await client.endAsync()
  await expect.poll(() => admin.broker.client(clientId)).toBeUndefined()
}

test('lists clients with what is known of them, and finds them by a part of their identifier', async () => {
  const admin = await StartedAdmin.start()
  const client = await admin.connect({ clientId: 'lamp 1', username: 'ann', keepalive: 33 })
  await client.subscribeAsync('a/#', { qos: 1 })
  await admin.connect({ clientId: 'door' })
  const { body } = await admin.ask('GET', '/api/v1/clients?search=amp')
  const lamp = { clientId: 'lamp 1', username: 'ann', address: '127.0.0.1', listener: 'main', version: 5 }
  expect(itemsOf(body)).toMatchObject([{ ...lamp, keepAlive: 33, subscriptions: 1, trusted: false }])
  const one = await admin.ask('GET', '/api/v1/clients/lamp%201')
  expect(one.body).toMatchObject({ ...lamp, filters: [{ filter: 'a/#', qos: 1 }] })
})

test('reads a list page by page, each item once, and returns a page again whose response was lost', async () => {
  const admin = await StartedAdmin.start()
  for (let count = 0; count < 7; count += 1) await admin.connect({ clientId: `client ${count}` })
  const found: unknown[] = []
  let query = ''
  for (;;) {
    const { body } = await admin.ask('GET', `/api/v1/clients?limit=3${query}`)
    if (query !== '') expect((await admin.ask('GET', `/api/v1/clients?limit=3${query}`)).body).toEqual(body)
    found.push(...itemsOf(body).map(({ clientId }) => clientId))
    if (body['cursor'] === null) break
    query = `&cursor=${body['cursor'] as string}`
  }
  expect(found).toEqual(Array.from({ length: 7 }, (_, index) => `client ${index}`))
})

test('closes a client, which is told so, and leaves its session', async () => {
  const admin = await StartedAdmin.start()
  const client = await admin.connect({ clientId: 'c', clean: false, properties: { sessionExpiryInterval: 1000 } })
  const told = new Promise(resolve => void client.once('disconnect', packet => resolve(packet.reasonCode)))
  const { status, body } = await admin.ask('DELETE', '/api/v1/clients/c')
  expect([status, body]).toEqual([200, { clientId: 'c' }])
  expect(await told).toBe(0x98)
  await expect.poll(async () => (await admin.ask('GET', '/api/v1/sessions/c')).body['isOpen']).toBe(false)
})

test('shows stored sessions, their subscriptions and queues, and clears a queue', async () => {
  const admin = await StartedAdmin.start()
  await leaveSession(admin, 'away')
  for (const payload of ['one', 'two', 'three']) await admin.broker.publish({ topic: 'a/b', payload, qos: 1 })
  const shown = await admin.ask('GET', '/api/v1/sessions/away')
  expect(shown.body).toMatchObject({ isOpen: false, sessionExpiryInterval: 1000, subscriptions: 1, queuedMessages: 3 })
  expect(shown.body['filters']).toMatchObject([{ filter: 'a/#', qos: 1 }])
  expect(itemsOf((await admin.ask('GET', '/api/v1/sessions')).body)).toHaveLength(1)
  const first = await admin.ask('GET', '/api/v1/sessions/away/queue?limit=2')
  const previews = itemsOf(first.body).map(({ message }) => (message as { readonly preview: string }).preview)
  expect(previews.map(text => Buffer.from(text, 'base64').toString())).toEqual(['one', 'two'])
  const rest = await admin.ask('GET', `/api/v1/sessions/away/queue?limit=2&cursor=${String(first.body['cursor'])}`)
  expect(itemsOf(rest.body)).toHaveLength(1)
  const cleared = await admin.ask('DELETE', '/api/v1/sessions/away/queue')
  expect(cleared.body).toEqual({ clientId: 'away', dropped: 3 })
  expect(itemsOf((await admin.ask('GET', '/api/v1/sessions/away/queue')).body)).toEqual([])
})

test('ends a session that waits, and one that is connected', async () => {
  const admin = await StartedAdmin.start()
  await leaveSession(admin, 'away')
  const here = await admin.connect({ clientId: 'here', clean: false, properties: { sessionExpiryInterval: 1000 } })
  const closed = new Promise<void>(resolve => void here.once('close', () => resolve()))
  for (const id of ['away', 'here']) expect((await admin.ask('DELETE', `/api/v1/sessions/${id}`)).status).toBe(200)
  await closed
  expect(itemsOf((await admin.ask('GET', '/api/v1/sessions')).body)).toEqual([])
  expect((await admin.ask('DELETE', '/api/v1/sessions/away')).body).toMatchObject({ code: 'SESSION_UNKNOWN' })
  const again = await admin.connect({ clientId: 'here', clean: false, properties: { sessionExpiryInterval: 1000 } })
  expect(again.connected).toBe(true)
})

test('publishes text and bytes, and shows and removes what is retained', async () => {
  const admin = await StartedAdmin.start()
  const client = await admin.connect()
  await client.subscribeAsync('#', { qos: 1 })
  const came = new Promise<unknown>(resolve => {
    client.once('message', (topic, payload) => resolve([topic, [...payload]]))
  })
  const message = { topic: 'a/b', payload: 'AAEC', encoding: 'base64', qos: 1, retain: true }
  expect((await admin.ask('POST', '/api/v1/publish', message)).body).toEqual({ topic: 'a/b', bytes: 3 })
  expect(await came).toEqual(['a/b', [0, 1, 2]])
  const listed = await admin.ask('GET', '/api/v1/retained')
  expect(itemsOf(listed.body)).toMatchObject([{ topic: 'a/b', bytes: 3, preview: 'AAEC', publisher: null }])
  expect((await admin.ask('GET', '/api/v1/retained/message?topic=a/b')).body).toMatchObject({ payload: 'AAEC' })
  expect((await admin.ask('DELETE', '/api/v1/retained/message?topic=a/b')).status).toBe(200)
  expect(itemsOf((await admin.ask('GET', '/api/v1/retained?filter=a/%23')).body)).toEqual([])
})

test('shows counters, listeners, shared groups, and what was refused with what to do about it', async () => {
  const admin = await StartedAdmin.start({}, { authenticate: (_client, username, _password) => username !== 'eve' })
  await expect(connectAsync(admin.mqttUrl, { username: 'eve', reconnectPeriod: 0 })).rejects.toThrow()
  const client = await admin.connect({ clientId: 'worker' })
  await client.subscribeAsync('$share/jobs/a/#')
  const { body } = await admin.ask('GET', '/api/v1/broker')
  expect(body).toMatchObject({ id: admin.broker.id, counters: { connectionsAccepted: 1, connectionsRefused: 1 } })
  expect(body['listeners']).toMatchObject([{ name: 'main', urls: [admin.mqttUrl], connections: 1, tls: false }])
  const groups = await admin.ask('GET', '/api/v1/groups')
  expect(itemsOf(groups.body)).toEqual([{ name: '$share/jobs/a/#', filter: 'a/#', members: 1, worker: null }])
  const members = await admin.ask('GET', `/api/v1/groups/members?name=${encodeURIComponent('$share/jobs/a/#')}`)
  expect(members.body['members']).toEqual(['worker'])
  const errors = itemsOf((await admin.ask('GET', '/api/v1/errors')).body)
  expect(errors.find(({ code }) => code === 'NOT_AUTHENTICATED')).toMatchObject({
    count: 1,
    meaning: 'logins were refused',
  })
})

test('answers as the HTTP API of Mosquitto', async () => {
  const admin = await StartedAdmin.start()
  await admin.broker.publish({ topic: '$SYS/broker/clients/total', payload: '7', retain: true })
  await admin.broker.publish({ topic: '$SYS/broker/uptime', payload: '12 seconds', retain: true })
  await admin.broker.publish({ topic: '$SYS/broker/version', payload: 'x-broker 1', retain: true })
  const headers = { authorization: 'Bearer key of a viewer, long' }
  const version = await fetch(`${admin.url}/api/v1/version`, { headers })
  expect([version.headers.get('content-type'), await version.text()]).toEqual([
    'text/plain; charset=utf-8',
    admin.broker.version,
  ])
  const tree = await admin.ask('GET', '/api/v1/systree')
  expect(tree.body).toEqual({ '$SYS/broker/clients/total': 7, '$SYS/broker/uptime': 12 })
  const { listeners } = (await admin.ask('GET', '/api/v1/listeners')).body as { listeners: Fields[] }
  const port = Number(new URL(admin.mqttUrl).port)
  expect(listeners[0]).toMatchObject({ port, protocol: 'mqtt', tls: false, mtls: false })
  expect(listeners[1]).toMatchObject({ port: Number(new URL(admin.url).port), protocol: 'httpapi' })
  expect((await admin.ask('POST', '/api/v1/systree')).status).toBe(405)
})

test('traces one client to the log, until the trace is ended', async () => {
  const admin = await StartedAdmin.start()
  const client = await admin.connect({ clientId: 'traced' })
  const other = await admin.connect({ clientId: 'other' })
  const { body } = await admin.ask('POST', '/api/v1/traces', { clientId: 'traced', minutes: 5 })
  await client.publishAsync('a\u0007b', 'x', { qos: 1 })
  await other.publishAsync('other', 'x', { qos: 1 })
  const traced = async (): Promise<string[]> =>
    itemsOf((await admin.ask('GET', '/api/v1/log')).body)
      .map(({ text }) => String(text))
      .filter(text => text.startsWith('trace:'))
  await expect.poll(traced).toEqual(['trace: client traced: PUBLISH a.b (QoS 1, 1 bytes)'])
  expect(itemsOf((await admin.ask('GET', '/api/v1/traces')).body)).toEqual([body])
  expect((await admin.ask('DELETE', `/api/v1/traces/${String(body['id'])}`)).status).toBe(200)
  await client.publishAsync('later', 'x', { qos: 1 })
  expect(await traced()).toHaveLength(1)
})

test('sends numbers and lines of the log as events', async () => {
  const admin = await StartedAdmin.start()
  const headers = { authorization: 'Bearer key of a viewer, long' }
  const response = await fetch(`${admin.url}/api/v1/events`, { headers })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(text)) text += (await reader?.read())?.value ?? ''
  }
  await until(/^event: numbers\ndata: \{"at":.*"connectedClients":0/m)
  await admin.connect({ clientId: 'new' })
  await until(/^event: log\ndata: \{.*client new connected/m)
  await reader?.cancel()
})

test('documents itself as OpenAPI 3.1, with an operation for each route', async () => {
  const admin = await StartedAdmin.start()
  const { body } = await admin.ask('GET', '/api/v1/openapi.json', undefined, 'none')
  expect(body['openapi']).toBe('3.1.0')
  const paths = body['paths'] as Readonly<Record<string, Readonly<Record<string, { operationId: string }>>>>
  expect(Object.keys(paths['/api/v1/clients/{clientId}'] ?? {})).toEqual(['get', 'delete'])
  const ids = Object.values(paths).flatMap(one => Object.values(one).map(({ operationId }) => operationId))
  expect(new Set(ids).size).toBe(ids.length)
})
